"""`KeyedSink`: connections that end, rows that come again, and what is refused before the crawl."""

from __future__ import annotations

import itertools
import threading
import traceback
from types import SimpleNamespace

import pytest
import trio
from support.crawls import CRAWL
from support.databases import rows_of

from crawler import Settings, Spider, crawl
from crawler.errors import ConfigError, CrawlFailed, JobError
from crawler.sinks import Cursor, Held, KeyedSink
from crawler.testing import FakeSite


class Gone(Exception):
    """The connection has ended."""


class Pauses(threading.Event):
    """Pauses that take no time."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return False


class Dictionary(KeyedSink):
    """Stores rows in a dict, which is its own server. `faults` are raised by the next calls of connect and write."""

    def __init__(self, stored=None, cursors=None, **options):
        super().__init__("dict://user:secret@here", **options)
        self.stored = {} if stored is None else stored
        self.cursors = {} if cursors is None else cursors
        self._ending = Pauses()
        self.faults = []
        self.connections = 0
        self.open = 0
        self.writes = 0

    def _fail(self, where):
        if self.faults and self.faults[0][0] == where:
            raise self.faults.pop(0)[1]

    def connect(self):
        self._fail("connect")
        self.connections += 1
        self.open += 1
        return self

    def close(self, connection):
        self.open -= 1

    def begin(self, connection, cursor):
        self.cursors[cursor.id] = cursor

    def cursor(self, connection, name):
        return self.cursors.get(name)

    def write(self, connection, rows, cursor):
        self._fail("write")
        self.writes += 1
        self.stored |= {row.key: row.item["n"] for row in rows}
        self.cursors[cursor.id] = cursor
        self._fail("written")

    def is_lost(self, error):
        return isinstance(error, Gone)


async def run(sink, *batches):
    async with sink.lifespan(CRAWL):
        return [sink.persist(rows_of(*({"n": n} for n in batch), first=batch[0])) for batch in batches]


async def test_the_password_of_a_place_is_not_shown():
    assert "secret" not in Dictionary().name


async def test_a_server_that_goes_away_is_connected_to_again():
    sink = Dictionary()
    sink.faults = [("write", Gone()), ("connect", Gone()), ("connect", Gone())]
    await run(sink, [0, 1], [2])
    assert sink.stored == {"k000": 0, "k001": 1, "k002": 2}
    assert sink._ending.seconds == [0.1, 0.2, 0.4]
    assert sink.open == 0


@pytest.mark.parametrize("retry", [0, 1, 30.0])
async def test_attempts_end_after_the_time_to_retry(retry):
    sink = Dictionary(retry=retry)
    sink.faults = [("write", Gone("bye"))] + [("connect", Gone("bye"))] * 1000
    with pytest.raises(CrawlFailed, match=f"here has taken no items for {retry:g} s .bye.; a job continues"):
        await run(sink, [0])
    assert sum(sink._ending.seconds) == pytest.approx(retry)
    assert max(sink._ending.seconds, default=0) <= 2.0


async def test_an_outage_of_thirty_seconds_is_reported_once_and_nothing_is_lost_or_stored_twice(caplog):
    sink = Dictionary()
    sink.faults = [("written", Gone("bye")), *[("connect", Gone("refused"))] * 19]
    await run(sink, [0, 1], [2])
    assert sum(sink._ending.seconds) > 30
    assert sink.stored == {"k000": 0, "k001": 1, "k002": 2}
    assert sink.writes == 2
    assert [record.message for record in caplog.records] == [
        "dict://***@here takes no items (bye): they wait for it, up to 150 s",
        "dict://***@here takes items again",
    ]


async def test_attempts_that_take_long_end_too(monkeypatch):
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr("crawler.sinks.keyed.time", SimpleNamespace(monotonic=lambda: next(clock)))
    sink = Dictionary(retry=60)
    sink.faults = [("write", Gone("bye"))] + [("connect", Gone("bye"))] * 1000
    with pytest.raises(CrawlFailed):
        await run(sink, [0])
    assert len(sink._ending.seconds) == 5


async def test_the_crawl_waits_for_a_server_that_is_away():
    """Items are in memory up to `sink_lag` while it is."""
    site = FakeSite({f"/{n}": "x" for n in range(300)})
    visits = []

    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(300)]
        settings = Settings(obey_robots=False, workers=4, sink_lag=10)

        def parse(self, response):
            yield {"n": int(response.url.rpartition("/")[2])}

    class Watched(Pauses):
        def wait(self, timeout=None):
            trio.from_thread.run(trio.testing.wait_all_tasks_blocked)  # nothing moves until the server is back
            visits.append(len(site.log))
            return super().wait(timeout)

    sink = Dictionary()
    sink._ending = Watched()
    sink.faults = [("write", Gone("bye")), *[("connect", Gone("refused"))] * 5]
    report = await crawl(Numbers(), outputs=[sink], transport=site.transport)
    assert len(visits) == 6
    assert len(set(visits)) == 1
    assert visits[0] < 120  # those that lag, and two commits
    assert report.items == 300
    assert sorted(sink.stored.values()) == list(range(300))


async def test_other_errors_are_raised_at_once_and_the_next_call_connects_again():
    sink = Dictionary()
    async with sink.lifespan(CRAWL):
        sink.faults = [("write", ValueError("no such column"))]
        with pytest.raises(OSError, match="^no such column$"):
            sink.persist(rows_of({"n": 0}))
        sink.persist(rows_of({"n": 0}))
        sink.faults = [("write", CrawlFailed("the table was dropped"))]
        with pytest.raises(CrawlFailed, match="the table was dropped"):
            sink.persist(rows_of({"n": 1}, first=1))
    assert sink.stored == {"k000": 0}
    assert sink._ending.seconds == []
    assert sink.open == 0


async def test_a_commit_whose_answer_was_lost_is_not_repeated():
    sink = Dictionary()
    sink.faults = [("written", Gone())]
    await run(sink, [0], [1])
    assert sink.writes == 2


async def test_rows_that_come_again_are_held_until_they_are_recognized():
    first = Dictionary()
    positions = await run(first, [0, 1], [2], [3])
    again = Dictionary(first.stored, first.cursors)
    again.resumes, again.position = True, positions[0]
    again.verify(lambda: iter(()))
    found = await run(again, [2], [3, 4], [5])
    assert isinstance(found[0], Held)
    assert found[0].rows == 1
    assert again.writes == 2  # 4, then 5
    assert found[-1]["stored"] == 6


async def test_rows_that_come_again_and_fail_come_again_as_they_were():
    stored, cursors = {}, {}
    first = Dictionary(stored, cursors)
    await run(first, [0, 1, 2])
    again = Dictionary(stored, cursors)
    again.position = {"id": first._cursor.id, "stored": 0, "chain": ""}
    again.verify(lambda: iter(()))
    batches = [rows_of({"n": 0}), rows_of(*({"n": n} for n in range(1, 6)), first=1)]
    async with again.lifespan(CRAWL):
        assert again.persist(batches[0]).rows == 1
        for fault in (ValueError("full"), ValueError("full")):
            again.faults = [("write", fault)]
            with pytest.raises(OSError, match="full"):
                again.persist(batches[1])
        assert again.persist(batches[1])["stored"] == 6
    assert stored == {f"k00{n}": n for n in range(6)}
    assert cursors[first._cursor.id] == first._cursor.after(rows_of(*({"n": n} for n in range(3, 6)), first=3))


async def test_rows_that_the_job_has_lost_are_replaced_at_the_end_of_the_crawl():
    first = Dictionary()
    [start, *_] = await run(first, [0], [1, 2, 3])
    again = Dictionary(first.stored, first.cursors)
    again.resumes, again.position = True, start
    again.verify(lambda: iter(()))
    async with again.lifespan(CRAWL):
        assert again.persist(rows_of({"n": 7}, first=1)).rows == 1
        assert again.flush()["stored"] == 2
    assert again.stored == {"k000": 0, "k001": 7, "k002": 2, "k003": 3}


async def test_a_store_that_knows_less_than_the_job_is_refused():
    sink = Dictionary()
    sink.resumes, sink.position = True, {"id": "x", "stored": 5, "chain": "y"}
    for known, have in ((None, 0), (Cursor("x", 4, "y"), 4), (Cursor("x", 5, "z"), 5)):
        sink.cursors = {"x": known}
        with pytest.raises(JobError, match=rf"here has lost items that the job wrote to it \({have} of 5\)"):
            sink.verify(lambda: iter(()))
    assert sink.open == 0


async def test_an_exception_of_a_library_before_the_crawl_is_a_configuration_error():
    sink = Dictionary()
    sink.faults = [("connect", Gone("wrong password\nfor user"))]
    with pytest.raises(ConfigError, match="cannot connect to .*here: wrong password$"):
        sink.check()


@pytest.mark.parametrize("where", ["connect", "write"])
async def test_an_error_of_a_library_that_repeats_the_password_is_shown_without_it(where, caplog):
    sink = Dictionary(retry=0)
    sink.faults = [(where, kind("cannot use user:secret")) for kind in (Gone, ValueError) for _ in range(3)]
    for _ in range(3):
        with pytest.raises((ConfigError, OSError, CrawlFailed)) as caught:
            sink.check()
            await run(sink, [1])
        assert "cannot use user:***" in str(caught.value)
        assert "secret" not in "".join(traceback.format_exception(caught.value)).replace("Dictionary", "")
    assert "secret" not in caplog.text


async def test_a_call_that_hangs_does_not_hold_the_end_of_a_crawl(autojump_clock):
    sink = Dictionary()
    async with sink.lifespan(CRAWL):
        sink._calling.acquire()
    assert trio.current_time() <= 1.1
    sink._calling.release()
