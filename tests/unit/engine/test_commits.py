"""`crawl.job.before_commit`: functions that run right before the requests that they belong to are settled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import Follow
from trio.testing import MockClock

from crawler import CrawlFailed, Plugin, Request, Response, Settings, Spider, crawl
from crawler.engine.commits import CommitCalls
from crawler.testing import FakeSite, Page, collect

PAGES = {"/": "<a href='/a'>x</a><a href='/b'>x</a>", "/a": "x", "/b": [Page("", 503), "x"]}


class Notes(Plugin):
    """Keeps the paths of settled requests in its state."""

    def __init__(self, fails_at: str = "") -> None:
        self.calls: list[list[str]] = []
        self.fails_at = fails_at

    async def fetch(self, request: Request, send: Any) -> Response:
        response: Response = await send(request)
        self.crawl.job.before_commit(self.note, f"{response.status} {request.url.removeprefix('https://site.test')}")
        return response

    def note(self, values: list[str]) -> None:
        self.calls.append(values)
        self.state["seen"] = [*self.state.get("seen", []), *values]
        if self.fails_at and self.fails_at in str(values):
            raise OSError("no space")


async def test_every_settled_attempt_is_noted_once_with_the_files_of_robots(autojump_clock: MockClock) -> None:
    notes = Notes()
    await collect(Follow(), FakeSite(PAGES), plugins=[notes], settings=Settings(obey_robots=True))
    assert sorted(notes.state["seen"]) == ["200 /", "200 /a", "200 /b", "404 /robots.txt", "503 /b"]


async def test_a_failing_function_ends_the_crawl_and_its_requests_are_not_settled(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site, job = FakeSite(PAGES), tmp_path / "job"
    with pytest.raises(CrawlFailed, match=r"Notes\.note failed before a commit: OSError: no space"):
        await crawl(Follow(), plugins=[Notes("200 /b")], job=job, transport=site.transport)
    notes = Notes()
    await crawl(Follow(), plugins=[notes], job=job, transport=site.transport)
    assert sorted(notes.state["seen"]) == ["200 /", "200 /a", "200 /b", "503 /b"]
    assert len(site.visits("/b")) == 3


async def test_the_call_of_an_interrupted_request_does_not_happen(autojump_clock: MockClock, tmp_path: Path) -> None:
    class Slow(Spider):
        start_urls = ["https://site.test/slow", "https://site.test/quick"]
        settings = Settings(obey_robots=False, grace=0.5, slow_start=False, per_host=2)

        async def parse(self, response: Response) -> None:
            if response.url.endswith("/slow"):
                self.crawl.stop("enough")
                await trio.sleep_forever()

    notes, site = Notes(), FakeSite({"/slow": Page("x", delay=1.0), "/quick": "x"})
    await crawl(Slow(), plugins=[notes], job=tmp_path / "job", transport=site.transport)
    assert notes.calls == [["200 /quick"]]


async def test_an_inline_fetch_belongs_to_its_page(autojump_clock: MockClock) -> None:
    class Inline(Spider):
        start_urls = ["https://site.test/"]

        async def parse(self, response: Response) -> Any:
            await self.crawl.fetch(Request("https://other.test/inline"))
            return {"url": response.url}

    notes = Notes()
    await collect(Inline(), FakeSite({"/": "x", "https://other.test/inline": "y"}), plugins=[notes])
    assert notes.calls[0][-3:] == ["404 https://other.test/robots.txt", "200 /", "200 https://other.test/inline"]


async def test_the_state_that_a_lifespan_writes_is_stored_before_the_first_request(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Begins(Plugin):
        seen: Any = None

        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            self.seen = self.state.get("begun")
            self.state["begun"] = True
            yield

    class Breaks(Spider):
        settings = Settings(obey_robots=False)

        def start(self) -> Iterator[Request]:
            raise SystemExit

    with pytest.raises(BaseException):  # noqa: B017 - the crawl dies before it commits anything
        await crawl(Breaks(), plugins=[Begins()], job=tmp_path / "job", transport=FakeSite({}).transport)
    again = Begins()
    with pytest.raises(BaseException):  # noqa: B017
        await crawl(Breaks(), plugins=[again], job=tmp_path / "job", transport=FakeSite({}).transport)
    assert again.seen is True


async def test_an_async_function_is_refused(autojump_clock: MockClock) -> None:
    class Wrong(Plugin):
        async def fetch(self, request: Request, send: Any) -> None:
            self.crawl.job.before_commit(self.later, 1)

        async def later(self, values: list[int]) -> None:
            """Never called."""

    found = await collect(Follow(), FakeSite({"/": "x"}), plugins=[Wrong()], settings=Settings(obey_robots=False))
    assert found.report.failures == {"hook_error": 1}


def test_calls_outside_of_a_request_run_at_the_next_commit() -> None:
    calls, got = CommitCalls(), []
    assert not calls
    calls.add(got.append, 1)
    calls.add(got.append, 2)
    assert calls
    calls.run(())
    assert got == [[1, 2]]
    assert not calls
