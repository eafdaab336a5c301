"""Throttles with known times, and requests that they let start."""

from __future__ import annotations

import random
from typing import Any

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared, Observation
from crawler.limits.in_flight import Grant
from crawler.limits.pace import Pace
from crawler.limits.throttle import Throttle

NOW = 1_800_000_000.0


def said(left: float, end: float, *, policy: str = "p", limit: float = 60.0, **values: Any) -> Declared:
    """Return one declared policy; `end` is the exact reset in seconds after `NOW`."""
    words = Observation(policy=policy, limit=limit, remaining=left, reset=(NOW + end, NOW + end), window=60.0)
    return Declared(observations=(words,), **values)


def limits(rng: random.Random | None = None, **pace: Any) -> Throttle:
    """Return the limits of a lane without a delay."""
    usual = Pace(concurrency=8, delay=0.0, jitter=0.0)
    return Throttle("https://a.test", Pace(**pace).over(usual), rng or random.Random(1))


def settle(
    throttle: Throttle, grant: Grant, received: float, declared: Declared = NOTHING, *, status: int = 200
) -> list[QuotaEvent]:
    """Settle a start with a response, and return the events."""
    refused = status in (429, 503)
    report = AttemptReport(sent=grant.at, received=received, status=status, refused=refused, declared=declared)
    return throttle.settle(grant, report, inflight=1)


def ask(throttle: Throttle, at: float, declared: Declared = NOTHING, *, status: int = 200) -> list[QuotaEvent]:
    """Make one request `at` seconds after `NOW` that takes 0.1 s."""
    return settle(throttle, throttle.take(NOW + at), NOW + at + 0.1, declared, status=status)


def kinds(events: list[QuotaEvent]) -> list[str]:
    """Return the kinds of events."""
    return [event.kind for event in events]
