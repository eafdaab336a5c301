"""`PageStore`: pages now and a round before, in a file."""

from __future__ import annotations

import os
import sqlite3
import stat
import zlib
from contextlib import closing

import pytest
from crawler_plugins.recrawl.page_store import PageStore, Record
from crawler_plugins.recrawl.snapshot import Snapshot

from crawler import ConfigError

KEY = b"key"
OLD, NEW = Snapshot(status=200, digest=b"old"), Snapshot(status=200, digest=b"new")
NEVER = Snapshot()


def opened(path, spider="s"):
    return closing(PageStore(path, spider, sync=False))


def record(snapshot=None, key=KEY, content=None):
    return Record(key=key, handlers="parse missed", request=b"{}", snapshot=snapshot, content=content)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pages.sqlite"


def test_a_page_is_compared_with_the_round_before_however_often_it_is_visited(path):
    with opened(path) as pages:
        first = pages.begin_round()
        pages.write(first, record(OLD))
        assert pages.find(KEY, first) == NEVER
        pages.end_round()
        second = pages.begin_round()
        for snapshot in (NEW, Snapshot(status=200, digest=b"newer")):
            assert pages.find(KEY, second) == OLD
            pages.write(second, record(snapshot))
        pages.end_round()
        assert pages.find(KEY, pages.begin_round()).digest == b"newer"


def test_a_page_that_was_found_only_and_one_that_is_unknown_differ(path):
    with opened(path) as pages:
        pages.write(pages.begin_round(), record())
        assert pages.find(KEY, 1) == NEVER
        assert pages.find(b"other", 1) is None


def test_a_visit_without_a_page_changes_nothing(path):
    with opened(path) as pages:
        pages.write(pages.begin_round(), record(OLD))
        pages.end_round()
        second = pages.begin_round()
        pages.write(second, record(NEW))
        pages.write(second, record())  # the page was wanted again, and failed then
        assert [snapshot for _, snapshot in pages.unvisited(second)] == [OLD]


def test_a_round_that_was_not_ended_is_undone(path):
    with opened(path) as pages:
        pages.write(pages.begin_round(), record(OLD))
        pages.end_round()
        pages.write(pages.begin_round(), record(NEW))
    with opened(path) as pages:
        third = pages.begin_round()
        assert third == 3
        assert pages.find(KEY, third) == OLD
        assert [snapshot for _, snapshot in pages.unvisited(third)] == [OLD]


def test_pages_that_were_visited_or_found_during_the_round_are_not_unvisited(path):
    with opened(path) as pages:
        first = pages.begin_round()
        for n in range(1200):
            pages.write(first, record(OLD, key=b"%d" % n))
        pages.end_round()
        second = pages.begin_round()
        pages.write(second, record(NEW, key=b"7"))
        left = pages.unvisited(second)
        next(left)
        pages.write(second, record(key=b"found"))
        assert len(list(left)) == 1198


def test_pages_that_are_gone_are_forgotten_with_the_next_round(path):
    with opened(path) as pages:
        pages.write(pages.begin_round(), record(Snapshot(status=410)))
        assert pages.find(KEY, 2) is not None
        pages.end_round()
        assert pages.find(KEY, pages.begin_round()) is None


def test_reports_after_a_position_of_the_log_are_forgotten(path):
    with opened(path) as pages:
        first = pages.begin_round()
        pages.write(first, record(NEW), ("new", 100))
        pages.write(first, record(NEW))
        assert pages.reported(KEY, first) == ("new", 100)
        pages.forget_reports(first, 100)
        assert pages.reported(KEY, first) == ("new", 100)
        pages.forget_reports(first, 99)
        assert pages.reported(KEY, first) == ("", 0)
        assert pages.reported(KEY, first + 1) == ("", 0)


def test_bodies_of_this_round_and_of_the_one_before_are_kept(path):
    fields = [("Content-Type", "text/html")]
    with opened(path) as pages:
        for name in (b"one", b"two", b"three"):
            number = pages.begin_round()
            pages.write(number, record(Snapshot(status=200, digest=name), content=(fields, zlib.compress(name))))
            pages.end_round()
        assert pages.body(KEY, b"one") is None
        assert pages.body(KEY, b"two") == (fields, b"two")
        assert pages.body(KEY, b"three") == (fields, b"three")


def test_handlers_are_counted(path):
    with opened(path) as pages:
        pages.write(pages.begin_round(), record())
        pages.write(1, record(key=b"other"))
        assert pages.handlers() == {"parse": 2, "missed": 2}


def test_a_transaction_that_fails_changes_nothing(path):
    with opened(path) as pages:
        pages.begin_round()
        with pytest.raises(ZeroDivisionError), pages.transaction():
            pages.write(1, record(NEW))
            1 / 0  # noqa: B018
        assert pages.find(KEY, 1) is None


def test_only_its_owner_may_read_the_file(path):
    mask = os.umask(0)
    try:
        with opened(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_a_file_that_cannot_be_used_is_refused(path, tmp_path):
    with opened(path) as pages:
        pages.begin_round()
        with pytest.raises(ConfigError, match="is in use by another crawl"):
            PageStore(path, "s", sync=False)
    with pytest.raises(ConfigError, match="belongs to the spider s, not to other: name another file"):
        PageStore(path, "other", sync=False)
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to be one" * 100)
    with pytest.raises(ConfigError, match="is not a file of the plugin recrawl"):
        PageStore(text, "s", sync=False)
    with pytest.raises(ConfigError, match="cannot open"):
        PageStore(tmp_path / "none" / "x", "s", sync=False)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE x (y)")
    with pytest.raises(ConfigError, match="is not a file of this version of the plugin recrawl"):
        PageStore(other, "s", sync=False)
