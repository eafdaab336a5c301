"""`cores`: which cores the processes for callbacks use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from crawler.engine.processes.cores import PINNED, pin_to_core, usable_cores


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[set[int]]]:
    """The cores that processes on a machine with the cores 4 to 7 were kept to."""
    found: list[set[int]] = []
    token = PINNED.set(True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 6, 7}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: found.append(cores), raising=False)
    yield found
    PINNED.reset(token)


def test_usable_cores_are_those_of_this_process() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_each_of_as_many_processes_as_cores_has_one(kept: list[set[int]]) -> None:
    for place in range(4):
        pin_to_core(place, 4)
    assert kept == [{4}, {5}, {6}, {7}]


def test_the_processes_of_a_program_run_anywhere(kept: list[set[int]]) -> None:
    PINNED.set(False)
    pin_to_core(0, 4)
    assert kept == []


def test_more_processes_than_cores_share_them(kept: list[set[int]]) -> None:
    for place in range(6):
        pin_to_core(place, 6)
    assert kept == [{4}, {5}, {6}, {7}, {4}, {5}]


def test_fewer_processes_than_cores_run_anywhere(kept: list[set[int]]) -> None:
    for place in range(3):
        pin_to_core(place, 3)
    assert kept == []


def test_a_system_that_forbids_it_or_cannot_do_it_is_accepted(
    kept: list[set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(_: int, cores: set[int]) -> None:
        kept.append(cores)
        raise PermissionError("not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    pin_to_core(0, 4)
    assert kept == [{4}]
    monkeypatch.delattr(os, "sched_setaffinity")
    monkeypatch.delattr(os, "sched_getaffinity")
    pin_to_core(0, 4)
    assert kept == [{4}]
    assert usable_cores() == os.cpu_count()
