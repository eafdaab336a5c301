"""A site that answers any path with the same page: dead links are no pages there. No good page is accused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from support.trees import FREE
from trio.testing import MockClock

from crawler import Settings
from crawler.spiders import SiteSpider
from crawler.testing import Collected, FakeSite, Page, collect

MENU = "<header><a href='/'>Home</a> <a href='/about'>About us</a></header>"
FOOT = "<footer>" + "A footer as on each page. " * 5 + "</footer></body></html>"
NUMBERS = range(60)


def page(title: str, body: str) -> str:
    return f"<!doctype html><html><head><title>{title}</title></head><body>{MENU}<main>{body}</main>{FOOT}"


def links(*groups: str) -> str:
    return page("Home", "".join(f"<a href='/{group}/{n}'>{group} {n}</a> " for n in NUMBERS for group in groups))


def items(title: str = "Item {n}", body: str = "<p>Item {n}</p>") -> dict[str, Any]:
    return {f"/item/{n}": page(title.format(n=n), body.format(n=n)) for n in NUMBERS}


class Rest(dict[str, Any]):
    """The pages of a site, and its answer to all other paths."""

    rest: Callable[[httpx.Request], Any]

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default if key.endswith("/robots.txt") else self.rest)


def site(pages: Mapping[str, Any], rest: Callable[[httpx.Request], Any] | None = None) -> FakeSite:
    made = FakeSite(pages)
    if rest is not None:
        made.pages = Rest(made.pages)
        made.pages.rest = rest
    return made


def not_found(status: int = 200) -> Callable[[httpx.Request], Page]:
    """An answer to any path, with that path, a nonce and the time in it."""
    numbers = itertools.count()

    def answer(request: httpx.Request) -> Page:
        n, path, url = next(numbers), request.url.path, str(request.url)
        escaped = url.replace("/", chr(92) + "/")
        script = f"<script nonce='n{n:020d}'>var url = '{escaped}', at = {1_700_000_000 + n}</script>"
        form = f"<form action='/login?to={httpx.QueryParams({'x': path})}'></form>"
        shown = f"<p>We have no page {path}. <a href='{url}'>Again</a></p><i>{n % 24}:{n % 60:02d}</i>{form}"
        return Page(page("Oops", script + shown), status)

    return answer


async def crawled(where: FakeSite, **settings: Any) -> Collected:
    return await collect(SiteSpider("https://site.test/"), where, settings=FREE | Settings(per_host=2, **settings))


def asked(where: FakeSite) -> list[str]:
    """The random paths that were asked for."""
    return [visit.url for visit in where.log if len(visit.url) == len("https://site.test/") + 32]


async def test_dead_links_of_a_site_that_answers_any_path_are_no_pages(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    where = site({"/": links("item", "dead"), "/about": page("About", "us")} | items(), not_found())
    found = await crawled(where)
    urls = [item["url"] for item in found.items]
    kept = [url for url in urls if "/dead/" in url]
    assert sum("/item/" in url for url in urls) == 60
    assert 5 <= len(kept) <= 12
    assert found.report.filtered["wall.soft_404"] == 60 - len(kept)
    assert len(asked(where)) == 1
    assert found.report.exit_code() == 4
    [loss] = found.report.losses
    assert (loss.kind, loss.count) == ("wall.soft_404", 60 - len(kept))
    assert "the site answers a random path with the same page" in loss.message
    assert f"; {len(kept) - 1} more were kept" in loss.message  # the first has nothing to look like
    assert any(" pages like it, such as https://site.test/dead/" in record.message for record in caplog.records)


async def test_a_few_dead_links_are_no_reason_to_ask(autojump_clock: MockClock) -> None:
    home = page("Home", "".join(f"<a href='/dead/{n}'>x</a>" for n in range(5)))
    where = site({"/": home, "/about": page("About", "us")}, not_found())
    found = await crawled(where)
    assert (asked(where), found.report.filtered.get("wall.soft_404", 0), len(found.items)) == ([], 0, 8)


@pytest.mark.parametrize("settings", [{"accept_walls": ("soft_404",)}, {"accept_walls": ("all",)}])
async def test_a_crawl_that_accepts_them_asks_nothing(autojump_clock: MockClock, settings: dict[str, Any]) -> None:
    where = site({"/": links("dead"), "/about": page("About", "us")}, not_found())
    found = await crawled(where, **settings)
    assert (asked(where), len(found.items)) == ([], 63)


async def test_robots_txt_may_forbid_to_ask(autojump_clock: MockClock) -> None:
    robots = Page("User-agent: *\nAllow: /dead\nAllow: /$\nDisallow: /", headers={"Content-Type": "text/plain"})
    where = site({"/": links("dead"), "/robots.txt": robots}, not_found())
    found = await crawled(where, obey_robots=True)
    assert (asked(where), len(found.items)) == ([], 61)


SAME = "<p>The same words on each page.</p>"
CHANGES = "<p>Price: {n} Euro</p>"


@pytest.mark.parametrize(
    ("pages", "rest", "most"),
    [
        # All of them have the same content, but a random path is not found.
        (items("Shop", SAME), None, 1),
        (items("Shop", SAME), not_found(404), 1),
        (items("Shop", SAME), lambda _: Page("", 302, headers={"Location": "/"}), 1),
        (items("Shop", SAME), lambda _: Page("{}", headers={"Content-Type": "application/json"}), 1),
        (items("Shop", SAME), lambda _: Page("", 503), 1),
        # A random path is a page, but another one: with their title, with a number that differs, with one word.
        (items("Shop", SAME), lambda _: page("Shop", "<p>Nothing here.</p>"), 1),
        (items("Shop", CHANGES), lambda _: page("Shop", "<p>Price: 0 Euro</p>"), 0),
        (items("Shop", "<p>{n}</p>"), lambda request: page("Shop", f"<p>{request.url.path[1:]}</p>"), 0),
        # Only data differ, or only what readers see, or only where a link leads.
        (items("Shop", "<script>data = {{price: {n}}}</script>"), lambda _: page("Shop", "<script></script>"), 0),
        (items("Shop", "<p>1234567890123456789{n}</p>"), lambda _: page("Shop", "<p>12345678901234567890</p>"), 0),
        (
            items("Shop", "<a href='https://a.test/x{n}'>x</a>"),
            lambda _: page("Shop", "<a href='https://a.test/x'>x</a>"),
            0,
        ),
        (items("", SAME), not_found(), 1),
    ],
)
async def test_good_pages_that_look_alike_are_kept(
    autojump_clock: MockClock, pages: dict[str, Any], rest: Any, most: int
) -> None:
    where = site({"/": links("item"), "/about": page("About", "us")} | pages, rest)
    found = await crawled(where)
    assert sum("/item/" in item["url"] for item in found.items) == 60
    assert "wall.soft_404" not in found.report.filtered
    assert len(asked(where)) <= most
