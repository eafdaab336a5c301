"""Learners with known times, and requests whose results they learn from."""

from __future__ import annotations

import math
import random

from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.learning.learner import LimitLearner

NOW = 1_800_000_000.0


def learner(*, served: float = 0.0) -> LimitLearner:
    """Return the limits of a server whose first request was sent at `NOW`, and that has served so many units."""
    return LimitLearner(flight=Flight(), rng=random.Random(1), since=NOW, served=served)


def ask(
    made: LimitLearner, at: float, status: int = 200, declared: Declared = NOTHING, *, share: float = 0.0
) -> list[QuotaEvent]:
    """Make one request `at` seconds after `NOW` that takes 0.1 s, and return the events."""
    grant = Grant(NOW + at, 1.0, -math.inf)
    refused = status in (403, 429, 503)
    report = AttemptReport(
        sent=NOW + at, received=NOW + at + 0.1, status=status, refused=refused, declared=declared
    )  # fmt: skip
    return made.record_refusal(grant, report, share=share) if refused else made.record_success(grant, report)
