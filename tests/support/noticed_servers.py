"""`NOTICED`: what a user of a real site notices of a limiter, as servers whose parameters are fixed.

Only the round trip, its jitter, and the phase of a window are drawn, as for the families.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from support.family_server import EPOCH, Nodes, Punishment
from support.limit_dialects import aligned, both, constant, fixed, legacy, retry_after, sliding
from support.limit_families import DAY, FORBIDDEN, Draw, Family, a_day_ahead
from support.server_limits import Limit

__all__ = ["NOTICED"]

MANY: Final = 2000
"""Pages where what matters is the rate: slow start is a small part."""


def _quick(one: Draw) -> dict[str, Any]:
    """Return a round trip that 20 requests a second do not fill."""
    return {"trip": one.rng.uniform(0.03, 0.2), "jitter": 0.2}


def _window(algorithm: Callable[..., Any], quota: int, length: float, **values: Any) -> Family:
    """Return a family with a silent window."""
    return lambda one: {"limits": algorithm(quota, length), "pages": 150} | _quick(one) | values


def _ban(one: Draw) -> dict[str, Any]:
    media, body = one.rng.choice(FORBIDDEN)
    ban = Punishment(seconds=600.0, after=5, status=403, body=body, says_wait=False)
    return _window(fixed, 20, 10.0, punishment=ban, type=media)(one)


def _day_ahead(one: Draw) -> dict[str, Any]:
    return _window(fixed, 20, 10.0, says=legacy(a_day_ahead), kind="wrong")(one)


def _box(one: Draw) -> dict[str, Any]:
    refuses = retry_after if one.rng.random() < 0.3 else constant()
    box = Punishment(seconds=one.rng.choice((30.0, 60.0, 120.0)), extends=True)
    return _window(fixed, 30, 10.0, punishment=box, refuses=refuses)(one)


def _no_date(one: Draw) -> dict[str, Any]:
    clock = one.rng.choice((-1, 1)) * one.rng.uniform(20.0, 90.0)
    return _window(fixed, 40, 30.0, says=legacy(), clock=clock, kind="in part", begin=EPOCH + one.rng.uniform(0, DAY))(
        one
    )


def _tiers(one: Draw) -> dict[str, Any]:
    return {"limits": both(fixed(10, 2.0), fixed(100, 60.0)), "pages": 350} | _quick(one)


def _odd(one: Draw) -> dict[str, Any]:
    kind, length = one.rng.choice((fixed, aligned, sliding)), one.rng.choice((17.0, 90.0))
    return _window(kind, 25, length)(one)


def _used(one: Draw) -> dict[str, Any]:
    used = {"used": one.rng.randint(20, 55), "used_before": one.rng.uniform(5.0, 50.0)}
    return _window(fixed, 60, 60.0, pages=250, **used)(one)


def _nodes(one: Draw) -> dict[str, Any]:
    def limits(rng: random.Random) -> list[Limit | Nodes]:
        return [Nodes(inner=[fixed(20, 30.0)(rng)[0] for _ in range(3)], rng=rng)]

    return {"limits": limits, "pages": 240} | _quick(one)


def _at_random(share: float) -> Family:
    return lambda one: (
        {"limits": lambda rng: [], "faults": lambda after: share, "kind": "random", "pages": MANY} | (_quick(one))
    )


def _storm(one: Draw) -> dict[str, Any]:
    return {
        "limits": lambda rng: [],
        "faults": lambda after: 1.0 if 5.0 <= after < 25.0 else 0.0,
        "kind": "random",
        "pages": MANY,
    } | _quick(one)


NOTICED: Final[dict[str, Family]] = {
    "five 429s, then 403 for ten minutes": _ban,
    "a stated reset a day ahead": _day_ahead,
    "Retry-After: 600 where 10 s are right": _window(
        fixed, 20, 10.0, refuses=constant(Retry_After="600"), kind="wrong"
    ),
    "a penalty box that each breach extends": _box,
    "a clock that is off, without Date": _no_date,
    "two silent limits at once": _tiers,
    "a window of 17 or 90 s": _odd,
    "a first window partly used": _used,
    "three nodes with a counter each": _nodes,
    "3 % random 429s": _at_random(0.03),
    "10 % random 429s": _at_random(0.1),
    "20 s of 429s, then calm": _storm,
}
"""The servers, by what they do."""
