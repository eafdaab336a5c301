"""The plugin `recrawl`: what a second crawl fetches, handles and reports."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from crawler_plugins.recrawl import Recrawl
from support.trees import FREE, Follow
from support.walls import CHALLENGE
from trio.testing import MockClock

from crawler import (
    ConfigError,
    JobError,
    Plugin,
    Produced,
    Report,
    Request,
    Response,
    Retry,
    Settings,
    SitemapSpider,
    Spider,
    crawl,
)
from crawler.hooks.load import construct
from crawler.store.sqlite import SqliteStore
from crawler.testing import FakeSite, Page

HOST = "https://site.test"
DAY = 86_400.0
BEGAN = 1_800_000_000.0


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets the time, in days."""

    def set_time(days: float) -> None:
        monkeypatch.setattr("crawler.clock.time", SimpleNamespace(time=lambda: BEGAN + days * DAY))

    set_time(0)
    return set_time


def tagged(body: str, tag: str = '"1"', **fields: str) -> Any:
    """Return a page whose server answers 304 to its entity tag."""

    def page(request: httpx.Request) -> Page:
        if request.headers.get("if-none-match") == tag:
            return Page(b"", 304)
        return Page(body, headers={"ETag": tag} | fields)

    return page


def small_site() -> FakeSite:
    """Return a site whose pages lead from one to the next; not all have validators."""
    return FakeSite(
        {
            "/": tagged("<a href=/a>a</a><a href=/b>b</a>"),
            "/a": tagged("<a href=/c>c</a>"),
            "/b": "b",
            "/c": tagged("<a href=/d>d</a>"),
            "/d": "d",
        }
    )


class Rounds:
    """Crawls a site repeatedly with the same job, and returns what each round adds."""

    def __init__(self, folder: Path, site: FakeSite, spider: type[Spider] = Follow, *, job: bool = False) -> None:
        self.folder, self.site, self.spider, self.job = folder, site, spider, job
        self.report: Report

    async def run(self, *others: Plugin, settings: Settings | None = None, **options: Any) -> Rounds:
        given: dict[str, Any] = {"changes": self.folder / "changes.jsonl", "max_interval": 0.0}
        if not self.job:
            given["path"] = self.folder / "pages.sqlite"
        self.items_before, self.changes_before = len(self._items()), len(self._changes())
        self.log_before = len(self.site.log)
        (self.folder / "items.jsonl").touch()
        self.report = await crawl(
            self.spider(),
            settings=settings,
            plugins=[*others, Recrawl(**given | options)],
            outputs=[Lines(self.folder / "items.jsonl")] if not self.job else [self.folder / "out.jsonl"],
            job=self.folder / "job" if self.job else None,
            transport=self.site.transport,
        )
        return self

    def _items(self) -> list[Any]:
        path = self.folder / ("out.jsonl" if self.job else "items.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _changes(self) -> list[Any]:
        path = self.folder / "changes.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def items(self) -> dict[str, str]:
        return {item["url"].removeprefix(HOST): item.get("change") for item in self._items()[self.items_before :]}

    @property
    def changes(self) -> dict[str, str]:
        lines = self._changes()[self.changes_before :]
        return {line["url"].removeprefix(HOST): line["change"] for line in lines}

    @property
    def fetched(self) -> list[str]:
        return sorted(visit.url.removeprefix(HOST) for visit in self.site.log[self.log_before :])


class Lines(Plugin):
    """Appends items to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def persist(self, batch: Any) -> None:
        with self.path.open("ab") as file:
            file.writelines(row.data + b"\n" for row in batch)


@pytest.mark.parametrize("job", [True, False])
async def test_a_second_round_asks_all_pages_and_handles_those_that_were_sent(
    autojump_clock: MockClock, tmp_path: Path, job: bool
) -> None:
    rounds = Rounds(tmp_path, small_site(), job=job)
    first = await rounds.run()
    assert first.items == first.changes == dict.fromkeys(("/", "/a", "/b", "/c", "/d"), "new")
    rounds.site.pages[f"{HOST}/d"] = "<a href=/e>e</a>"  # behind pages that have not changed
    rounds.site.pages[f"{HOST}/e"] = "e"
    second = await rounds.run()
    assert second.fetched == ["/", "/a", "/b", "/c", "/d", "/e"]
    assert second.items == {"/b": "unchanged", "/d": "changed", "/e": "new"}
    assert second.changes == {"/d": "changed", "/e": "new"}
    report = second.report
    assert (report.finished, report.pages, report.filtered["unchanged"], report.exit_code()) == ("finished", 3, 3, 0)
    assert report.counters == {"unchanged": 4, "changed": 1, "new": 1}
    third = await rounds.run(changed_only=True)
    assert (third.items, third.changes, third.report.filtered["unchanged"]) == ({}, {}, 6)
    assert (third.report.pages, third.report.exit_code()) == (0, 0)


async def test_a_page_that_is_gone_yields_one_item_and_may_return(autojump_clock: MockClock, tmp_path: Path) -> None:
    rounds = await Rounds(tmp_path, small_site()).run()
    page = rounds.site.pages[f"{HOST}/d"]
    rounds.site.pages[f"{HOST}/d"] = Page("no", 404)
    await rounds.run(changed_only=True)
    assert rounds.items == rounds.changes == {"/d": "gone"}
    await rounds.run(changed_only=True)
    assert rounds.items == rounds.changes == {}
    rounds.site.pages[f"{HOST}/d"] = page
    await rounds.run(changed_only=True)
    assert rounds.items == rounds.changes == {"/d": "new"}


async def test_a_page_that_could_not_be_fetched_is_tried_again_in_the_next_round(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site = small_site()
    site.pages[f"{HOST}/d"] = Page("", 500)
    site.pages[f"{HOST}/b"] = Page("", 404)
    rounds = await Rounds(tmp_path, site).run()
    assert (rounds.report.failed, rounds.items) == (1, dict.fromkeys(("/", "/a", "/c"), "new"))
    site.pages[f"{HOST}/d"] = "d"
    site.pages[f"{HOST}/b"] = "b"
    await rounds.run()
    assert rounds.items == rounds.changes == {"/b": "new", "/d": "new"}
    site.pages[f"{HOST}/d"] = Page("", 503)
    await rounds.run(changed_only=True)
    assert rounds.items == rounds.changes == {}  # it is not gone
    site.pages[f"{HOST}/d"] = "other"
    await rounds.run(changed_only=True)
    assert rounds.items == {"/d": "changed"}


async def test_a_page_whose_callback_fails_counts_as_not_seen(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Picky(Follow):
        broken = False

        def parse(self, response: Response) -> Produced:
            if self.broken and response.url.endswith("/d"):
                raise ValueError("broken")
            return super().parse(response)

    rounds = await Rounds(tmp_path, small_site(), Picky).run()
    rounds.site.pages[f"{HOST}/d"] = tagged("changed")
    Picky.broken = True
    await rounds.run(changed_only=True)
    assert (rounds.report.failed, rounds.changes) == (1, {})
    Picky.broken = False
    await rounds.run(changed_only=True)
    assert rounds.items == rounds.changes == {"/d": "changed"}


@pytest.mark.parametrize("status", [301, 302])
async def test_a_redirect_is_followed_in_each_round(autojump_clock: MockClock, tmp_path: Path, status: int) -> None:
    site = small_site()
    site.pages[f"{HOST}/b"] = Page("", status, headers={"Location": "/x"})
    site.pages[f"{HOST}/x"] = "x"
    site.pages[f"{HOST}/y"] = "y"
    rounds = await Rounds(tmp_path, site).run()
    assert rounds.changes["/x"] == "new"
    assert "/b" not in rounds.changes
    site.pages[f"{HOST}/b"] = Page("", status, headers={"Location": "/y"})
    await rounds.run(changed_only=True)
    assert rounds.changes == {"/y": "new"}
    site.pages[f"{HOST}/a"] = Page("", status, headers={"Location": "/y"})
    await rounds.run(changed_only=True)
    assert rounds.changes == ({"/a": "gone"} if status == 301 else {})


async def test_a_redirect_does_not_inherit_the_conditions(autojump_clock: MockClock, tmp_path: Path) -> None:
    rounds = await Rounds(tmp_path, small_site()).run()
    rounds.site.pages[f"{HOST}/a"] = Page("", 302, headers={"Location": "/moved"})
    rounds.site.pages[f"{HOST}/moved"] = tagged("m", '"1"')
    await rounds.run()
    assert rounds.changes == {"/moved": "new"}


async def test_servers_that_lie_cost_no_page(autojump_clock: MockClock, tmp_path: Path) -> None:
    numbers = iter(range(1000))
    future = "Fri, 01 Jan 2100 00:00:00 GMT"

    def counted(request: httpx.Request) -> Page:
        return Page("same", headers={"ETag": f'"{next(numbers)}"'})

    def far(request: httpx.Request) -> Page:
        asked = "if-modified-since" in request.headers
        return Page(b"", 304) if asked else Page(f"{next(numbers)}", headers={"Last-Modified": future})

    site = FakeSite(
        {"/": "".join(f"<a href=/{x}>x</a>" for x in ("counted", "far", "always")), "/counted": counted, "/far": far}
    )
    site.pages[f"{HOST}/always"] = Page(b"", 304)  # without any condition
    rounds = await Rounds(tmp_path, site).run()
    assert rounds.changes == dict.fromkeys(("/", "/counted", "/far"), "new")
    await rounds.run(changed_only=True)
    assert rounds.changes == rounds.items == {"/far": "changed"}
    site.pages[f"{HOST}/always"] = "a page"
    await rounds.run(changed_only=True)
    assert rounds.changes == {"/far": "changed", "/always": "new"}


async def test_requests_that_are_not_kept_are_made_by_their_pages_each_time(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Posts(Spider):
        start_urls = [f"{HOST}/"]
        settings = FREE

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}
            if response.url == f"{HOST}/":
                yield Request(f"{HOST}/a")
            if response.url == f"{HOST}/a":
                yield Request(f"{HOST}/search", method="POST", body="q")

    site = FakeSite({"/": tagged("start"), "/a": tagged("a"), "/search": "found"})
    rounds = await Rounds(tmp_path, site, Posts).run()
    for options in ({}, {"changed_only": True}):
        await rounds.run(**options)
        assert rounds.fetched == ["/", "/a", "/search"]
        assert rounds.items == {"/a": "unchanged", "/search": None}


async def test_an_inline_fetch_is_not_conditional_and_gets_the_body(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Twice(Spider):
        start_urls = [f"{HOST}/"]
        settings = FREE

        async def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "size": len((await self.crawl.fetch(response.request)).body)}
            yield {"url": f"{HOST}/other", "size": len((await self.crawl.fetch(Request(f"{HOST}/a"))).body)}

    rounds = await Rounds(tmp_path, FakeSite({"/": "start", "/a": tagged("a")}), Twice).run()
    await rounds.run()
    assert [item["size"] for item in rounds._items()] == [5, 1, 5, 1]
    assert rounds.items == {"/": "unchanged", "/other": "unchanged"}


async def test_a_page_is_due_by_its_rate_of_change(autojump_clock: MockClock, tmp_path: Path, day: Any) -> None:
    site = FakeSite({"/": "<a href=/never>n</a><a href=/always>a</a>", "/never": "same"})
    site.pages[f"{HOST}/always"] = [str(n) for n in range(100)]
    rounds, visits = Rounds(tmp_path, site), []
    for number in range(10):
        day(number + 0.01 * (number % 3))  # the hour varies a little
        await rounds.run(max_interval=7 * DAY)
        visits += [(number, url) for url in rounds.fetched if url != "/"]
    assert [number for number, url in visits if url == "/never"] == [0, 1, 2, 4, 8]
    assert [number for number, url in visits if url == "/always"] == list(range(10))
    assert rounds.report.filtered["not_due"] == 1  # the start page links to it


async def test_lastmod_of_a_sitemap_decides_when_it_is_given(
    autojump_clock: MockClock, tmp_path: Path, day: Any
) -> None:
    class Listed(SitemapSpider):
        sitemap_urls = [f"{HOST}/sitemap.xml"]
        settings = FREE

    def sitemap(**pages: float) -> Page:
        times = {name: datetime.fromtimestamp(BEGAN + at * DAY, UTC).isoformat() for name, at in pages.items()}
        entries = [f"<url><loc>{HOST}/{name}</loc><lastmod>{at}</lastmod></url>" for name, at in times.items()]
        return Page(f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{''.join(entries)}</urlset>")

    site = FakeSite({"/a": "a", "/b": "b", "/c": "c"})
    site.pages[f"{HOST}/sitemap.xml"] = sitemap(a=-9, b=-9, c=900)
    rounds = Rounds(tmp_path, site, Listed)
    await rounds.run(max_interval=7 * DAY)
    assert rounds.fetched == ["/a", "/b", "/c", "/sitemap.xml"]
    site.pages[f"{HOST}/sitemap.xml"] = sitemap(a=0.5, b=-9, c=900)
    day(1)
    await rounds.run(max_interval=7 * DAY)
    assert rounds.fetched == ["/a", "/c", "/sitemap.xml"]  # the date of c is not believed
    day(6.5)
    await rounds.run(max_interval=7 * DAY)
    assert rounds.fetched == ["/b", "/c", "/sitemap.xml"]


async def test_stored_bodies_yield_the_items_of_all_pages_in_each_round(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site = small_site()
    site.pages[f"{HOST}/d"] = "d" * 100_000
    rounds = await Rounds(tmp_path, site).run(bodies=True)
    await rounds.run(bodies=True)
    assert rounds.items == dict.fromkeys(("/", "/a", "/b", "/c", "/d"), "unchanged")
    assert rounds.report.pages == 5
    await rounds.run(bodies=True, min_interval=DAY, max_interval=DAY)
    assert rounds.fetched == ["/"]
    assert rounds.items == dict.fromkeys(("/", "/a", "/b", "/c", "/d"), "unchanged")


async def test_bodies_that_were_not_kept_are_fetched(autojump_clock: MockClock, tmp_path: Path) -> None:
    rounds = await Rounds(tmp_path, small_site()).run()
    await rounds.run(bodies=True)
    assert rounds.items == dict.fromkeys(("/", "/a", "/b", "/c", "/d"), "unchanged")


async def test_a_full_round_asks_without_conditions(autojump_clock: MockClock, tmp_path: Path) -> None:
    rounds = await Rounds(tmp_path, small_site()).run()
    await rounds.run(full=True, max_interval=7 * DAY)
    assert rounds.items == dict.fromkeys(("/", "/a", "/b", "/c", "/d"), "unchanged")


async def test_the_field_has_a_name_or_is_left_out(autojump_clock: MockClock, tmp_path: Path) -> None:
    rounds = await Rounds(tmp_path, FakeSite({"/": "x"})).run(field="state")
    assert rounds._items() == [{"url": f"{HOST}/", "state": "new"}]
    rounds.site.pages[f"{HOST}/"] = Page("", 410)
    await rounds.run(field="")
    assert (len(rounds._items()), rounds.changes) == (1, {"/": "gone"})


async def test_robots_txt_is_obeyed_and_a_page_that_it_forbids_is_not_gone(
    autojump_clock: MockClock, tmp_path: Path, day: Any
) -> None:
    site = small_site()
    rounds = await Rounds(tmp_path, site, job=True).run(settings=Settings(obey_robots=True))
    site.pages[f"{HOST}/robots.txt"] = Page("User-agent: *\nDisallow: /d", headers={"Content-Type": "text/plain"})
    day(3)
    await rounds.run(settings=Settings(obey_robots=True), changed_only=True)
    assert "/d" not in rounds.fetched
    assert (rounds.changes, rounds.report.filtered["robots"]) == ({}, 1)


async def test_a_request_opts_out(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Out(Spider):
        settings = FREE

        def start(self) -> Produced:
            yield Request(f"{HOST}/", plugins={"recrawl": False})

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}

    rounds = await Rounds(tmp_path, FakeSite({"/": tagged("x")}), Out).run()
    await rounds.run()
    assert rounds.items == {"/": None}


async def test_a_page_that_a_handler_wants_again_is_reported_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Again(Spider):
        start_urls = [f"{HOST}/"]
        settings = FREE

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url} if response.attempt > 1 else Retry("again")

    rounds = await Rounds(tmp_path, FakeSite({"/": "x"}), Again).run()
    assert (len(rounds._changes()), rounds.items) == (1, {"/": "new"})


# ---- kills -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_round_that_is_killed_at_any_commit_reports_everything_once(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The state of the files right before and after each commit is what a kill leaves: each is resumed."""
    work = tmp_path / "work"
    work.mkdir()
    site = small_site()
    rounds = await Rounds(work, site, job=True).run()
    site.pages[f"{HOST}/d"] = "<a href=/e>e</a>"
    site.pages[f"{HOST}/e"] = "e"
    site.pages[f"{HOST}/b"] = Page("", 404)
    commit, copies = SqliteStore.commit, 0

    async def copying(store: SqliteStore, *args: Any) -> Any:
        nonlocal copies
        copied = tmp_path / f"copy{copies}"
        copies += 1
        if moment == "before":
            shutil.copytree(work, copied)
        result = await commit(store, *args)
        if moment == "after":
            shutil.copytree(work, copied)
        return result

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "commit", copying)
        await rounds.run(settings=Settings(workers=1))
    wanted = Counter({"/d": 1, "/e": 1, "/b": 1})
    assert (Counter(rounds.changes), Counter(rounds.items)) == ({"/d": "changed", "/e": "new", "/b": "gone"},) * 2
    assert copies >= 6
    for number in range(copies):
        folder = tmp_path / f"copy{number}"
        resumed = Rounds(folder, site, job=True)
        await resumed.run(changed_only=True)
        for lines in (resumed._changes(), resumed._items()):
            found = Counter(line["url"].removeprefix(HOST) for line in lines[5:])
            assert found == wanted, (number, lines[5:])


async def test_a_crawl_without_a_job_that_was_killed_begins_its_round_again(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site = small_site()
    rounds = await Rounds(tmp_path, site).run()

    def page_d(request: httpx.Request) -> Page:
        for ending in ("", "-wal"):  # as a kill after this round has visited the other pages leaves them
            shutil.copy(tmp_path / f"pages.sqlite{ending}", tmp_path / f"killed{ending}")
        return Page("changed")

    site.pages[f"{HOST}/b"] = "changed"
    site.pages[f"{HOST}/d"] = page_d
    await rounds.run(settings=Settings(workers=1))
    assert rounds.changes == {"/b": "changed", "/d": "changed"}
    for ending in ("", "-wal"):
        (tmp_path / f"killed{ending}").replace(tmp_path / f"pages.sqlite{ending}")
    await rounds.run()
    assert rounds.changes == {"/b": "changed", "/d": "changed"}


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "none/x.sqlite"}, "no such folder: none"),
        ({"changes": "none/x.jsonl"}, "no such folder: none"),
        ({"path": "."}, "is a folder, not a file"),
        ({"path": "x", "changes": "./x"}, "path and changes are the same file"),
        ({"changed_only": "true", "bodies": "true"}, "use either changed_only or bodies"),
        ({"compare": "links"}, "compare"),
        ({"min_interval": "-1"}, "intervals must be at least 0 seconds"),
        ({"min_interval": "9", "max_interval": "8"}, "min_interval at most max_interval, not 9 and 8"),
        ({"min_interval": "nan"}, "intervals must be at least 0 seconds"),
        ({"max_interval": "soon"}, "max_interval"),
        ({"bodys": "true"}, "did you mean 'bodies'|did you mean bodies"),
    ],
)
def test_a_wrong_option_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        construct(Recrawl, options, what="plugin recrawl")


async def test_without_a_job_a_path_is_needed(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x"})
    with pytest.raises(ConfigError, match="name the file that keeps the pages .option path., or make the crawl a job"):
        await crawl(Follow(), plugins=[Recrawl()], transport=site.transport)
    assert site.log == []


async def test_pages_whose_callback_is_gone_are_refused_before_the_first_request(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Named(Follow):
        name = "follow"

        def start(self) -> Produced:
            yield Request(f"{HOST}/", "parse_it")

        def parse_it(self, response: Response) -> Produced:
            yield {"url": response.url}

    rounds = await Rounds(tmp_path, small_site(), Named).run()
    rounds.spider = Follow
    with pytest.raises(ConfigError, match=r"1 pages in .* need the method parse_it\(\) of the spider"):
        await rounds.run()


async def test_changes_that_somebody_deleted_are_missed(autojump_clock: MockClock, tmp_path: Path) -> None:
    rounds = await Rounds(tmp_path, small_site(), job=True).run()
    (tmp_path / "changes.jsonl").unlink()
    with pytest.raises(JobError, match="has lost changes that the job wrote to it"):
        await rounds.run()


@pytest.mark.parametrize("options", [{}, {"bodies": True}, {"changed_only": True}])
@pytest.mark.parametrize("order", ["page first", "wall first"])
async def test_a_wall_with_status_200_is_no_version_of_a_page(
    autojump_clock: MockClock, tmp_path: Path, options: dict[str, Any], order: str
) -> None:
    pages = {"/": "<a href=/a>a</a>", "/a": "<p>a</p>"}
    rounds = Rounds(tmp_path, FakeSite(dict(pages)))
    answers = ["<p>a</p>", CHALLENGE] if order == "page first" else [CHALLENGE, "<p>a</p>"]
    changes: list[str | None] = []
    for answer in (*answers, "<p>a</p>", "<p>b</p>"):
        rounds.site.pages[f"{HOST}/a"] = answer
        await rounds.run(**options)
        changes.append(rounds.changes.get("/a"))
        assert ("wall.challenge" in rounds.report.filtered) == (answer is CHALLENGE)
        if options.get("bodies"):
            assert ("/a" in rounds.items) == (answer is not CHALLENGE)
    assert changes == (["new", None, None, "changed"] if order == "page first" else [None, "new", None, "changed"])
