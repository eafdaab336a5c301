"""`Clock`: the time of day on trio's clock, which may be virtual."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from crawler import clock as module
from crawler.clock import Clock, shared_clock


async def test_the_clock_starts_at_the_wall_clock_and_runs_with_trio(autojump_clock):
    clock = Clock()
    started = clock()
    assert started == pytest.approx(time.time(), abs=60)
    await trio.sleep(86_400)
    assert clock() - started == pytest.approx(86_400)


async def test_setting_the_wall_clock_later_changes_nothing(autojump_clock, monkeypatch):
    clock = Clock()
    before = clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 5.0))
    assert clock() == before


@pytest.mark.parametrize(("wall", "earliest", "shown"), [(100.0, 200.0, 200.0), (300.0, 200.0, 300.0)])
async def test_the_clock_never_falls_behind_an_earlier_process(monkeypatch, autojump_clock, wall, earliest, shown):
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: wall))
    clock = Clock(earliest)
    assert clock() == pytest.approx(shown)
    await trio.sleep(10)
    assert clock() == pytest.approx(shown + 10)


async def test_a_clock_for_shared_times_counts_the_suspension_of_the_machine(autojump_clock):
    asleep = 100.0
    clock = Clock(now=1_000.0, asleep=lambda: asleep)
    assert clock() == pytest.approx(1_000.0)
    await trio.sleep(10)
    asleep += 3_600
    assert clock() == pytest.approx(4_610.0)
    assert clock.from_trio(trio.current_time()) == pytest.approx(4_610.0)
    assert clock.to_trio(clock() + 5) == pytest.approx(trio.current_time() + 5)


@given(st.floats(0, 4e9))
def test_times_convert_to_the_clock_of_trio_and_back(at):
    async def main():
        clock = Clock()
        assert clock.to_trio(clock.from_trio(at)) == pytest.approx(at, abs=1e-5)
        assert clock.from_trio(trio.current_time()) == pytest.approx(clock(), abs=1e-2)

    trio.run(main)


def test_a_clock_can_only_be_created_inside_trio():
    with pytest.raises(RuntimeError):
        Clock()


def test_users_of_one_object_share_a_clock_even_if_the_wall_clock_was_set(monkeypatch):
    class Shared:
        pass

    one, other = Shared(), Shared()

    async def read():
        monkeypatch.setattr("time.time", lambda: 1_000.0)
        first = shared_clock(one)
        monkeypatch.setattr("time.time", lambda: 900.0)
        assert shared_clock(one) is first
        assert shared_clock(other)() < 950.0 <= first()
        return first

    first, second = trio.run(read), trio.run(read)
    assert second is not first


@pytest.mark.parametrize(("now", "earliest", "shown"), [(500.0, 0.0, 500.0), (500.0, 900.0, 900.0)])
async def test_another_clock_may_count_in_place_of_the_wall_clock(autojump_clock, now, earliest, shown):
    assert Clock(earliest, now)() == pytest.approx(shown)
