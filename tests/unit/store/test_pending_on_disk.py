"""Pending requests in a temporary file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.stores import A, paths, requests

from crawler.errors import CrawlFailed
from crawler.frontier import Pending
from crawler.frontier.ticket import START
from crawler.messages import Request
from crawler.store.pending_on_disk import PendingOnDisk


@pytest.fixture
def disk() -> Iterator[PendingOnDisk]:
    with closing(PendingOnDisk()) as made:
        yield made


def add(disk: PendingOnDisk, *made: Request, lane: int = 0) -> None:
    for number, request in enumerate(made):
        disk.add(lane, Pending((-request.priority, number), request, A))


def test_requests_come_back_in_order(disk: PendingOnDisk) -> None:
    add(disk, *requests("1", "2", "3"), *requests("first", priority=5))
    add(disk, *requests("elsewhere"), lane=1)
    assert paths(disk.requests_after(0, A, START, 9)) == ["first", "1", "2", "3"]
    assert paths(disk.requests_after(0, A, (0, 0), 1)) == ["2"]
    assert disk.requests_after(2, A, START, 9) == []


def test_a_request_comes_back_with_all_its_fields(disk: PendingOnDisk) -> None:
    made = Request(
        f"{A}/1", "parse_item", method="POST", body=b"\xff", meta={"page": [1]}, cb_kwargs={"n": 1}, dont_filter=True,
        headers={"X": "a"}, priority=-7, quotas={"key": 2},
    )  # fmt: skip
    add(disk, made)
    [found] = disk.requests_after(0, A, START, 9)
    assert found.request == made
    assert (found.order, found.group, found.attempts) == ((7, 0), A, 0)


def test_the_next_attempt_is_stored(disk: PendingOnDisk) -> None:
    add(disk, *requests("1"))
    assert disk.put_off(0, (0, 0), 2, 99.0)
    assert not disk.put_off(0, (0, 1), 2, 99.0)
    [found] = disk.requests_after(0, A, START, 9)
    assert (found.attempts, found.not_before) == (2, 99.0)


def test_a_request_is_removed_once(disk: PendingOnDisk) -> None:
    add(disk, *requests("1", "2"))
    assert disk.remove(0, (0, 0))
    assert not disk.remove(0, (0, 0))
    assert paths(disk.requests_after(0, A, START, 9)) == ["2"]


def test_the_file_has_no_name_and_ends_with_its_user() -> None:
    before = open_files()
    with closing(PendingOnDisk()) as disk:
        disk._execute("PRAGMA cache_size=1")
        add(disk, *requests(*("x" * 2000 + str(n) for n in range(300))))
        [name] = open_files() - before
        assert name.endswith(" (deleted)")
        assert len(disk.requests_after(0, A, START, 1000)) == 300
    assert open_files() == before


def open_files() -> set[str]:
    """Return the regular files that this process has open."""
    names = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing itself
            names.add(str(link.readlink()))
    return {name for name in names if name.startswith("/") and not name.startswith("/dev/")}


def test_a_full_disk_says_what_to_do(disk: PendingOnDisk) -> None:
    disk._execute("PRAGMA max_page_count=8")
    with pytest.raises(CrawlFailed, match=r"temporary file \(database or disk is full\): set TMPDIR .*, or use --job"):
        add(disk, *requests(*("x" * 2000 + str(n) for n in range(100))))
