"""A disk that gets full while a crawl runs: it stops fetching at once, and completes when there is space again."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock

from crawler import CrawlFailed, Plugin, Produced, Request, Response, Settings, Spider, crawl
from crawler.sinks.file_sink import FileSink
from crawler.store.spool import Spool
from crawler.store.sqlite import SqliteStore
from crawler.testing import FakeSite

PAGES = 200


class Numbers(Spider):
    start_urls = [f"https://site.test/{n}" for n in range(PAGES)]
    settings = FREE | Settings(delay=1.0, per_host=1)

    def parse(self, response: Response) -> Produced:
        self.state["text"] = self.state.get("text", "") + "x" * 1000  # so the database grows, too
        yield {"url": response.url, "text": "x" * 1000}


Fill = Callable[[pytest.MonkeyPatch], None]


def full_after(owner: Any, name: str, calls: int) -> Fill:
    """Return what makes a method fail after some calls, as on a full disk."""

    def fill(patch: pytest.MonkeyPatch) -> None:
        method = getattr(owner, name)
        left = iter(range(calls))

        def write(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return method(*args, **kwargs)

        patch.setattr(owner, name, write)

    return fill


def full_database(patch: pytest.MonkeyPatch) -> None:
    """Let the database have no further page: SQLite says what it says if the disk is full."""
    method = SqliteStore._load

    def load(store: SqliteStore, *args: Any) -> None:
        method(store, *args)
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count={pages + 12}")

    patch.setattr(SqliteStore, "_load", load)


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize(
    ("fill", "name"),
    [
        (full_database, "job.sqlite"),
        (full_after(Spool, "write", 20), "items.spool"),
        (full_after(Spool, "sync", 2), "items.spool"),
        (full_after(FileSink, "put", 20), "items.jsonl"),
    ],
    ids=["database", "log", "log at a checkpoint", "output"],
)
async def test_a_full_disk_stops_fetching_at_once_and_the_job_completes_later(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Fill, name: str, durability: str
) -> None:
    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(PAGES)), "x"))

    async def run(spider: Spider) -> None:
        settings = Settings(durability=durability)
        outputs, job = [tmp_path / "items.jsonl"], tmp_path / "job"
        await crawl(spider, outputs=outputs, job=job, settings=settings, transport=site.transport)

    with monkeypatch.context() as patch:
        fill(patch)
        spider = Numbers()
        with pytest.raises(CrawlFailed) as caught:
            await run(spider)
    stored = len((tmp_path / "items.jsonl").read_text().splitlines())
    output = spider.crawl.plugins[-1]
    assert isinstance(output, FileSink)
    assert stored + output.behind == spider.crawl.stats.items
    line = str(caught.value)
    assert line.startswith(f"cannot write {tmp_path}")
    assert f"{name}: the disk is full" in line
    assert line.endswith("free some space, then run it again")
    assert len(site.log) < PAGES
    assert site.log[-1].at >= trio.current_time() - 1.5
    await run(Numbers())
    items = [json.loads(line)["url"] for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert sorted(items) == sorted(Numbers.start_urls)


@pytest.mark.parametrize("where", ["callback", "fetch hook", "refine hook", "persist hook", "SQLite"])
async def test_a_full_disk_in_the_code_of_users_stops_fetching_at_once_and_loses_nothing(
    autojump_clock: MockClock, tmp_path: Path, where: str
) -> None:
    is_full = True

    def write(place: str) -> None:
        if is_full and place == where:
            raise OSError(errno.ENOSPC, "No space left on device", "/data/x")

    def insert() -> None:
        if is_full and where == "SQLite":
            database = sqlite3.connect(":memory:")
            database.execute("PRAGMA max_page_count=1")
            with closing(database):
                database.execute("CREATE TABLE t (x)")
                database.execute("INSERT INTO t VALUES (zeroblob(100000))")

    class Writes(Plugin):
        async def fetch(self, request: Request, send: Any) -> None:
            write("fetch hook")

        async def refine(self, item: Any, response: Response) -> None:
            write("refine hook")

        async def persist(self, batch: Any) -> None:
            write("persist hook")
            insert()

    class Site(Numbers):
        def parse(self, response: Response) -> Produced:
            write("callback")
            yield {"url": response.url}

    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(PAGES)), "x"))

    async def run() -> Any:
        outputs, job = [tmp_path / "items.jsonl"], tmp_path / "job"
        return await crawl(Site(), plugins=[Writes()], outputs=outputs, job=job, transport=site.transport)

    with pytest.raises(CrawlFailed, match="free some space, then run it again"):
        await run()
    assert len(site.log) <= 5
    is_full = False
    report = await run()
    assert (report.items, report.failed) == (PAGES, 0)
    items = [json.loads(line)["url"] for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert sorted(items) == sorted(Numbers.start_urls)
