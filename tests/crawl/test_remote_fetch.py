"""Processes for callbacks send requests, too: a crawl has the same result, and the server sees the same requests.

The processes are threads here, as in `test_processes.py`, and the site is on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.callback_threads import Death, ThreadLauncher, use_threads
from support.localsite import Answer, AnyAnswer, Asked, LocalSite, local_site

from crawler import Item, Plugin, Report, Request, Response, Settings, Spider, run
from crawler.engine.processes import process as process_module
from crawler.engine.processes.remote_fetch import RemoteFetch

pytestmark = pytest.mark.usefixtures("use_threads", "remote")
__all__ = ["use_threads"]
LEAVES = 12


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the first process has others fetch, however slow this machine is."""
    found: list[str] = []
    fetch = RemoteFetch.fetch

    async def note(self: RemoteFetch, ticket: Any, *rest: Any) -> Response:
        found.append("/" + ticket.request.url.split("/", 3)[3])
        return await fetch(self, ticket, *rest)

    monkeypatch.setattr(process_module, "SHORT", 60.0)
    monkeypatch.setattr(RemoteFetch, "fetch", note)
    return found


def pages(**more: AnyAnswer) -> dict[str, AnyAnswer]:
    """Return a site whose front page links to all other pages, each of which links to the next one."""
    site: dict[str, AnyAnswer] = {
        f"/{n}": f"<title>{n}</title><a href='/'>up</a><a href='/{(n + 1) % LEAVES}'>next</a>" for n in range(LEAVES)
    }
    site |= {f"/{name}": answer for name, answer in more.items()}
    return {"/": "".join(f"<a href='{path}'>{path}</a>" for path in site)} | site


class Tree(Spider):
    """Follows all links."""

    def __init__(self, site: LocalSite) -> None:
        super().__init__()
        self.start_urls = [site.url]

    def parse(self, response: Response) -> Iterator[Any]:
        yield {"path": response.url.split("/", 3)[3], "title": response.css("title::text").get()}
        yield from response.follow_all("a")


def result(spider: Spider, processes: int = 2, *plugins: Plugin, **options: Any) -> Report:
    """Run a crawl; its report has a counter for each item."""
    settings = Settings(processes=processes, workers=8, per_host=8, slow_start=False, **options)
    return run(spider, settings=settings, plugins=plugins)


def counts(report: Report) -> dict[str, Any]:
    """Return what of a report does not depend on time."""
    names = ("pages", "items", "requests", "failed", "filtered", "redirects", "kinds", "counters", "statuses", "bytes")
    return {name: getattr(report, name) for name in names}


def test_a_crawl_has_the_same_result_as_in_one_process(remote: list[str]) -> None:
    odd = {"moved": Answer("", 301, {"Location": "/3"}), "gone": Answer("gone", 410), "json": '{"a": [1]}'}
    with local_site(pages(**odd)) as site:
        one = result(Tree(site), 1)
        asked = sorted(each.path for each in site.log)
        assert remote == []
        site.log.clear()
        several = result(Tree(site))
        assert sorted(each.path for each in site.log) == asked
    assert counts(several) == counts(one)
    assert {"/0", "/moved", "/gone", "/json"} <= set(remote)
    assert "/" not in remote  # a start page may open a network


def test_cookies_belong_to_all_processes(remote: list[str]) -> None:
    cookies: list[str] = []

    def seen(asked: Asked) -> str:
        cookies.append(asked.headers.get("cookie", ""))
        return "<title>leaf</title>"

    class Session(Spider):
        def parse(self, response: Response) -> Request:
            return response.follow("/login", self.parse_login)

        def parse_login(self, response: Response) -> Iterator[Request]:
            for n in range(6):
                yield response.follow(f"/leaf{n}", self.parse_leaf, headers={"X-Own": str(n)})

        def parse_leaf(self, response: Response) -> None:
            assert response.request.headers["X-Own"] == response.url[-1]

    site_pages = {"/": "front", "/login": Answer("in", 200, {"Set-Cookie": "sid=7"})}
    with local_site(site_pages | {f"/leaf{n}": seen for n in range(6)}) as site:
        spider = Session()
        spider.start_urls = [site.url]
        report = result(spider)
        own = sorted(each.headers["x-own"] for each in site.log if each.path.startswith("/leaf"))
    assert (report.pages, report.failed) == (8, 0)
    assert cookies == ["sid=7"] * 6
    assert own == list("012345")
    assert len(remote) == 7


class Mortal(Tree):
    """Ends its process at a page, the first times."""

    def __init__(self, site: LocalSite, times: int) -> None:
        super().__init__(site)
        self.deaths: list[str] = []
        self.times = times

    def parse(self, response: Response) -> Iterator[Any]:
        if response.url.endswith("/3") and len(self.deaths) < self.times:
            self.deaths.append(response.url)
            raise Death
        yield from super().parse(response)


def test_a_page_whose_process_ends_is_fetched_again_and_then_kept(
    use_threads: list[ThreadLauncher], remote: list[str]
) -> None:
    with local_site(pages()) as site:
        report = result(Mortal(site, 2))
        asked = len(site.asked("/3"))
    assert (report.pages, report.items, report.failed, report.retries) == (1 + LEAVES, 1 + LEAVES, 0, report.retries)
    assert use_threads[0].started == 4
    assert asked == 2  # the first process has the page from then on, so the second death costs no request
    assert remote.count("/3") == 1


def test_a_page_that_ends_each_process_fails_alone() -> None:
    with local_site(pages()) as site:
        report = result(Mortal(site, 99))
        assert len(site.asked("/3")) == 2
    assert report.kinds == {"callback_error.parse": 1}
    assert report.items == LEAVES


class Counting(Tree):
    """Changes one value of its state for each page."""

    def parse(self, response: Response) -> Iterator[Any]:
        self.state["parsed"] = self.state.get("parsed", 0) + 1
        yield from super().parse(response)


def test_a_page_with_an_outdated_value_is_handled_again_without_a_request(remote: list[str]) -> None:
    with local_site(pages()) as site:
        spider = Counting(site)
        report = result(spider, 3)
        assert len(site.log) == report.requests
    assert spider.state["parsed"] == report.items == 1 + LEAVES
    assert len(remote) == LEAVES


class Asking(Tree):
    """Fetches in place, and waits."""

    async def parse(self, response: Response) -> Any:  # type: ignore[override]
        if response.depth == 0:
            return list(super().parse(response))
        assert response.wire is not None
        assert response.wire.status == 200
        other = await self.crawl.fetch(Request(response.urljoin(f"/extra{response.url[-1]}")))
        return {"path": response.url, "title": other.text}


def test_callbacks_that_wait_hold_no_token_of_their_lane(remote: list[str]) -> None:
    site_pages = {"/": "<a href='/1'>1</a><a href='/2'>2</a>", "/1": "1", "/2": "2"}
    with local_site(site_pages | {"/extra1": "a", "/extra2": "b"}) as site:
        settings = Settings(processes=2, per_host=1, workers=4)
        report = run(Asking(site), settings=settings)
    assert (report.items, report.failed) == (3, 0)
    assert sorted(remote) == ["/1", "/2"]


def test_refusals_and_broken_responses_are_decided_as_in_one_process() -> None:
    refused = [Answer("later", 429, {"Retry-After": "0"}), Answer("<title>at last</title>")]
    broken = Answer("cut", 200, {"Content-Encoding": "gzip"})
    site_pages = pages(refused=refused, broken=broken)
    reports = []
    for processes in (1, 2):
        with local_site(site_pages) as site:
            report = result(Tree(site), processes)
            assert len(site.asked("/refused")) == 2
            reports.append((counts(report), sum(lane["refusals"] for lane in lanes(report))))
    assert reports[0] == reports[1]
    assert reports[0][1] == 1
    assert reports[0][0]["kinds"] == {"broken_exchange.bad_coding": 1}


def lanes(report: Report) -> list[dict[str, Any]]:
    """Return the figures of all lanes."""
    return [lane if isinstance(lane, dict) else {"refusals": lane.refusals} for lane in report.lanes.values()]


class Parsing(Plugin):
    """Looks at each page in the first process."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def parse(self, response: Response) -> Item:
        self.sizes.append(len(response.body))
        return {"size": len(response.body)}


def test_pages_that_a_hook_reads_and_those_of_a_paced_lane_are_fetched_here(remote: list[str]) -> None:
    with local_site(pages()) as site:
        parsing = Parsing()
        result(Tree(site), 2, parsing)
        assert min(parsing.sizes) > 10
        result(Tree(site), 2, delay=0.001)
    assert remote == []


def test_large_bodies_stay_in_the_memory_that_they_may_use(remote: list[str]) -> None:
    with local_site(pages(large="x" * 3_000_000, huge="y" * 4_000_000)) as site:
        report = result(Tree(site), 2, max_active_size=4_000_000, max_body=3_500_000)
    assert report.kinds == {"body_too_large": 1}
    assert report.pages == 2 + LEAVES
    assert {"/large", "/huge"} <= set(remote)
