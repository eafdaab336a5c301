"""`Pace`: the limits that a user sets for one lane or budget, and the globs by which it is found."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs

from crawler.lazy_pattern import lazy_pattern

__all__ = ["Pace", "first_match", "parse_rate"]

T = TypeVar("T")

UNITS = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
MODES = ("auto", "smooth", "burst")
NUMBERS: dict[str, tuple[type, ...]] = {
    "concurrency": (int,),
    "delay": (int, float),
    "jitter": (int, float),
    "burst": (int,),
}
RATE = lazy_pattern(r"\s*+(\d++(?:\.\d++)?)\s*+/\s*+(\d++(?:\.\d++)?)?\s*+([a-z]++)\s*+", re.IGNORECASE | re.ASCII)


def parse_rate(text: str) -> tuple[float, float]:
    """Return the requests and seconds of a rate: ``"100/min"`` is (100, 60), ``"20/5s"`` is (20, 5)."""
    match = RATE.fullmatch(text)
    unit = match[3].lower() if match else ""
    if match is None or unit not in UNITS or not float(match[1]) > 0 or not float(match[2] or 1) > 0:
        raise ValueError(f"not a rate: {text!r} (write requests/unit, such as '100/min' or '20/5s')")
    return float(match[1]), float(match[2] or 1) * UNITS[unit]


def first_match(globs: Mapping[str, T], name: str) -> T | None:
    """Return the value of the first glob that matches a lane or budget. Case does not matter."""
    name = name.lower()
    authority = name.rpartition("://")[2]
    host = authority if authority.endswith("]") else authority.rpartition(":")[0] or authority
    names = (name, authority, host)
    for glob, value in globs.items():
        pattern = glob.lower()
        # As a pattern, the brackets of an IPv6 address would stand for one of the characters between them.
        if pattern in names or any(fnmatch.fnmatchcase(one, pattern) for one in names):
            return value
    return None


def _rates(value: Any) -> tuple[str, ...]:
    rates = (value,) if isinstance(value, str) else value
    if not isinstance(rates, Sequence) or not all(isinstance(rate, str) for rate in rates):
        raise ValueError(f"rate must be text such as '100/min', or several of them, not {value!r}")
    return tuple(rates)


def _statuses(value: Any) -> tuple[int, ...]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise ValueError(f"refusals must be a list of HTTP statuses, not {value!r}")  # noqa: TRY004 - as all that is wrong with a pace
    return tuple(value)


@attrs.frozen(kw_only=True)
class Pace:
    """How fast requests may be sent on one lane. Fields that are left out come from the settings.

    Raises:
        ValueError: A value is out of range, of the wrong type, or not a rate.
    """

    concurrency: int | None = None
    """Requests in flight, at least 1. `None` means `Settings.per_host`."""
    delay: float | None = None
    """Seconds between two starts. `None` means `Settings.delay`."""
    jitter: float | None = None
    """Share of the delay that is added at random, 0 to 1. `None` means `Settings.jitter`."""
    rate: tuple[str, ...] = attrs.field(default=(), converter=_rates)
    """Requests per time, such as ``"100/min"``. Several rates are all kept."""
    burst: int = 1
    """Requests of a rate that may start together after a pause, at least 1."""

    mode: Literal["auto", "smooth", "burst"] | None = None
    """How a declared quota is spent: ``smooth`` spreads the remaining units over the window, ``burst`` spends them at
    once and then waits, ``auto`` spreads them if more requests wait than units remain. `None` means ``auto``."""
    slow_start: bool | Literal["first"] | None = None
    """Whether the lane starts with one request at a time and adds more while the server keeps up, up to `concurrency`.
    ``first``: one request goes first, and its response, or half a second, lets so many go at once. `None` means
    `Settings.slow_start`."""
    refusals: tuple[int, ...] = attrs.field(default=(), converter=_statuses)
    """Statuses that mean a refusal because of a limit on this server, in addition to 420, 429, 503, 509 and 529."""

    bodies: bool = False
    """Whether all JSON bodies of this server are searched for limits (Stack Exchange, Slack, MediaWiki …). Those of
    refusals always are, and in a crawl those of GraphQL."""

    def over(self, usual: Pace) -> Pace:
        """Return this pace, with the fields that it leaves out taken from `usual`."""
        names = ("concurrency", "delay", "jitter", "mode", "slow_start")
        silent = {name: getattr(usual, name) for name in names if getattr(self, name) is None}
        if not self.rate:
            silent |= {"rate": usual.rate, "burst": usual.burst if self.burst == 1 else self.burst}
        return attrs.evolve(self, **silent)

    def __attrs_post_init__(self) -> None:
        for name, kinds in NUMBERS.items():
            value = getattr(self, name)
            if (value is None and name != "burst") or (isinstance(value, kinds) and not isinstance(value, bool)):
                continue
            raise ValueError(f"{name} must be a number, not {value!r}")
        if self.concurrency is not None and self.concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {self.concurrency}")
        if self.delay is not None and not 0 <= self.delay < math.inf:
            raise ValueError(f"delay must be 0 seconds or more, not {self.delay}")
        if self.jitter is not None and not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be between 0 and 1, not {self.jitter}")
        if self.burst < 1:
            raise ValueError(f"burst must be at least 1, not {self.burst}")
        for rate in self.rate:
            parse_rate(rate)
        if self.mode not in (None, *MODES):
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        if self.slow_start not in (None, "first") and not isinstance(self.slow_start, bool):
            raise ValueError(f"slow_start must be true, false or first, not {self.slow_start!r}")
        if not isinstance(self.bodies, bool):
            raise ValueError(f"bodies must be true or false, not {self.bodies!r}")  # noqa: TRY004
        if not all(type(status) is int and 200 <= status <= 999 for status in self.refusals):
            raise ValueError(f"refusals must be HTTP statuses, not {self.refusals!r}")
