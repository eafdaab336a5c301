"""How a quota comes back: what a moving end is, and what it is not."""

from __future__ import annotations

import pytest

from crawler.limits.quotas.replenishment import Restoration
from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import Bracket

LIMIT = 20.0


def spend(end_of, *, answers: int = 15) -> Restoration:
    """Twenty units, of which one goes each tenth of a second; `end_of` gives what is stated, by what is missing."""
    restoration, ends, heard = Restoration(), Bracket(0.0, 0.0), 100.0
    for missing in range(1, answers + 1):
        now, before = 100.0 + missing / 10, LIMIT - missing + 1
        stated = now + end_of(missing)
        answer = QuotaSample(
            left=before - 1,
            ends=Bracket(stated - 1.0, stated),
            sent=now - 0.01,
            received=now,
            cost=1.0,
            inflight=0.0,
            causal=True,
            refused=False,
            broken=False,
        )
        if missing > 1:
            restoration.judge(answer, before=before, heard=heard, ends=ends, limit=LIMIT, interval=0.25)
            restoration.measure(answer, LIMIT)
        ends, heard = answer.ends, now
    return restoration


def test_an_end_that_moves_with_what_is_missing_is_the_time_until_all_is_restored():
    restoration = spend(lambda missing: missing * 2.0 + 0.5)
    assert restoration.kind == "continuous"
    assert restoration.rate == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("answers", range(3, 16))
def test_an_end_that_only_stays_ahead_is_no_such_time_for_long(answers):
    """It says five seconds again and again: had it been that time, one missing unit would have come at once."""
    restoration = spend(lambda missing: 5.0, answers=answers)
    if answers > 4:
        assert restoration.rate is None
        assert restoration.kind == "unknown"
