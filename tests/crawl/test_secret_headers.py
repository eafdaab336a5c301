"""Secret header fields of the settings reach the origins of start pages, and hosts that are named; nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from crawler import Produced, Request, Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page, Visit, collect

KEY = {"X-Api-Key": "k"}
START, OTHER = "https://start.test", "https://other.test"


class Linked(Spider):
    """Starts at one page and follows all links."""

    start_urls = (f"{START}/",)

    def parse(self, response: Response) -> Produced:
        yield from response.follow_all("a")


class Begun(Linked):
    """Says only in `start` where it starts."""

    start_urls = ()

    def start(self) -> Produced:
        yield Request(f"{START}/")


PAGES: dict[str, Any] = {
    f"{START}/": f"<a href=/a>a</a><a href={OTHER}/b>b</a><a href=/away>away</a>",
    f"{START}/a": "x",
    f"{START}/away": Page("", 302, headers={"Location": f"{OTHER}/c"}),
    f"{OTHER}/b": "x",
    f"{OTHER}/c": "x",
}


def with_key(site: FakeSite, name: str = "x-api-key") -> set[str]:
    """Return the URLs of the requests with a field."""
    return {visit.url for visit in site.log if name in visit.headers}


def settings(headers: dict[str, Any], **more: Any) -> Settings:
    return Settings(headers=headers, obey_robots=False, **more)


@pytest.mark.parametrize("kind", [Linked, Begun])
@pytest.mark.parametrize(
    "name", ["X-Api-Key", "Authorization", "Cookie", "X-Pin", "X-Access-Code", "X-Client-Id", "Referer"]
)
async def test_links_and_redirects_to_other_origins_go_without_them(
    autojump_clock: MockClock, kind: type[Spider], name: str
) -> None:
    site = FakeSite(PAGES)
    found = await collect(kind(), site, settings=settings({name: "Bearer k" if name == "Authorization" else "a=k"}))
    assert found.report.pages == 4
    assert with_key(site, name.lower()) == {f"{START}/", f"{START}/a", f"{START}/away"}


async def test_the_target_of_a_redirected_start_page_is_not_a_start_page(autojump_clock: MockClock) -> None:
    site = FakeSite({f"{START}/": Page("", 302, headers={"Location": f"{OTHER}/"}), f"{OTHER}/": "<a href=/b>b</a>",
                     f"{OTHER}/b": "x"})  # fmt: skip
    await collect(Linked(), site, settings=settings(KEY))
    assert with_key(site) == {f"{START}/"}
    named = FakeSite(site.pages)
    await collect(Linked(), named, settings=settings({"other.test": KEY}))
    assert with_key(named) == {f"{OTHER}/", f"{OTHER}/b"}


@pytest.mark.parametrize("kind", [Linked, Begun])
async def test_a_resumed_job_knows_where_it_started(
    autojump_clock: MockClock, tmp_path: Path, kind: type[Spider]
) -> None:
    site = FakeSite(PAGES)
    for max_pages in (1, None):
        await crawl(kind(), settings=settings(KEY, max_pages=max_pages), job=tmp_path / "job", transport=site.transport)
    assert with_key(site) == {f"{START}/", f"{START}/a", f"{START}/away"}
    assert len(site.log) == 5


async def test_cookies_of_the_settings_are_sent_with_those_of_the_site_which_replace_them(
    autojump_clock: MockClock,
) -> None:
    site = FakeSite({"/": Page("<a href=/b>b</a>", headers={"Set-Cookie": "a=site"}), "/b": "x"})

    class Here(Linked):
        start_urls = ("https://site.test/",)

    await collect(Here(), site, settings=settings({"Cookie": "a=mine; b=mine"}))
    assert [visit.headers["cookie"] for visit in site.log] == ["a=mine; b=mine", "b=mine; a=site"]


async def test_credentials_of_a_request_and_an_origin_replace_those_of_the_settings(autojump_clock: MockClock) -> None:
    class Three(Spider):
        auth = {f"{START}": "Bearer origin"}

        def start(self) -> Produced:
            yield Request(f"{START}/1")
            yield Request(f"{START}/2", auth="Bearer request")
            yield Request(f"{START}/3", headers={"Authorization": None})
            yield Request(f"{OTHER}/4")

        def parse(self, response: Response) -> Produced:
            return None

    site = FakeSite({f"{origin}/{n}": "x" for origin in (START, OTHER) for n in "1234"})
    await collect(Three(), site, settings=settings({"Authorization": "Bearer settings"}))
    sent = {visit.url[-1]: visit.headers.get_list("authorization") for visit in site.log}
    assert sent == {"1": ["Bearer origin"], "2": ["Bearer request"], "3": [], "4": ["Bearer settings"]}


@pytest.mark.parametrize("allowed", [(), ("x-trace", "Cookie")])
async def test_fields_of_a_request_follow_a_redirect_to_another_origin_only_if_a_setting_names_them(
    autojump_clock: MockClock, allowed: tuple[str, ...]
) -> None:
    class Traced(Spider):
        def start(self) -> Produced:
            yield Request(f"{START}/away", headers={"X-Trace": "1", "X-Plain": "2", "Cookie": "a=b", "Accept": "a/b"})

        def parse(self, response: Response) -> Produced:
            return None

    site = FakeSite(PAGES)
    await collect(Traced(), site, settings=settings({}, cross_origin_headers=allowed))
    first, second = site.log
    assert fields(first) == {"x-trace", "x-plain", "cookie"}
    assert fields(second) == {name.lower() for name in allowed}
    assert second.headers["accept"] == "a/b"


def fields(visit: Visit) -> set[str]:
    return {name for name in visit.headers if name.startswith("x-") or name == "cookie"}
