"""Servers that state a time which is wrong by far: obeyed at first, doubted once it has proved wrong."""

from __future__ import annotations

import pytest
from support.limit_drive import WAYS, drive
from support.limit_families import draw
from support.noticed_servers import NOTICED


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", [1, 2])
def test_an_end_that_is_stated_a_day_ahead_is_not_obeyed(seed, way):
    """A crawl took two thousand times the least time."""
    for server in (draw("stated reset a day ahead", seed), draw("a stated reset a day ahead", seed, NOTICED)):
        run = drive(server, way)
        assert run.lost == 0
        assert run.refused <= 11
        assert run.seconds <= 10.0 * run.least


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", [1, 2])
def test_ends_by_a_clock_that_is_off_are_not_obeyed(seed, way):
    """Without a `Date`, clocks cannot be compared. A crawl took up to forty times the least time."""
    run = drive(draw("a clock that is off, without Date", seed, NOTICED), way)
    assert run.lost == 0
    assert run.seconds <= 3.0 * run.least
