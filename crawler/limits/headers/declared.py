"""Declared limits: the vocabulary into which every header dialect is translated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["NOTHING", "AttemptReport", "Declared", "Observation", "TimeRange", "intersect", "merge"]

MAX_OBSERVATIONS: Final = 64
"""Observations kept of one response."""

TimeRange = tuple[float, float]
"""The earliest and the latest value that a time can have, in seconds."""


class Observation(Struct, frozen=True, kw_only=True):
    """The values that one response states of one policy. `None` means that a value is not stated."""

    policy: str
    """Name of the policy, the same in every response of one server."""
    limit: float | None = None
    """Units per window."""
    remaining: float | None = None
    """Units left after this response's own request, at least 0."""
    reset: TimeRange | None = None
    """When units are restored, in seconds since the epoch by our clock: not before the first value and not after the
    second."""
    unusable_reset: bool = False
    """Whether a reset is stated that says nothing, such as 0 seconds while units are left. `reset` is then `None`."""
    window: float | None = None
    """Length of one window in seconds."""
    rate: float | None = None
    """Units restored per second."""
    unit: str = "requests"
    """The unit that is counted: ``requests``, ``tokens``, ``points``, ``content-bytes``, …"""
    has_id: bool = False
    """Whether the name is an id of the server, by which several lanes may share one quota."""


class Declared(Struct, frozen=True, kw_only=True):
    """The limits that one response declares."""

    observations: tuple[Observation, ...] = ()
    """One observation per policy."""
    retry_after: float | None = None
    """Seconds to wait, counted from receipt of the response: the longest wait that a refusal states."""
    concurrency: int | None = None
    """Requests that may be in flight at once. `None` means that no such limit is stated."""
    violated: tuple[str, ...] = ()
    """Names of the policies that the response says were violated."""

    def __bool__(self) -> bool:
        return self is not NOTHING and self != NOTHING


NOTHING = Declared()
"""The response declares nothing."""


class AttemptReport(Struct, frozen=True, kw_only=True, eq=False):
    """The result of one attempt, as far as limits are concerned."""

    sent: float
    """When the request was sent, in seconds since the epoch."""
    received: float
    """When the response arrived or the attempt failed, in seconds since the epoch."""
    first_byte: float | None = None
    """Seconds from sending to the first byte of the response. `None` means that there was no response."""
    status: int = 0
    """HTTP status. 0 means that there was no response."""
    refused: bool = False
    """Whether the server refused the request because of a limit: status 429, 503, or one that the user's rules add."""
    overloaded: bool = False
    """Whether the failure is one of an overloaded server: status 503, a timeout, a reset connection."""
    declared: Declared = NOTHING
    """The limits that the response declares."""


def intersect(first: TimeRange, second: TimeRange) -> TimeRange:
    """Return the intersection of two ranges, or `first` if they do not overlap."""
    low, high = max(first[0], second[0]), min(first[1], second[1])
    return (low, high) if low <= high else first


def merge(parts: Iterable[Declared]) -> Declared:
    """Merge what the parts of one response declare.

    Each policy keeps one observation with the smallest remainder, the longest wait counts, and the lowest concurrency.
    A wait is stated to the millisecond by some bodies, and rounded up to whole seconds in the header section.
    """
    observations: dict[str, Observation] = {}
    violated: dict[str, None] = {}
    waits: list[float] = []
    limits: list[int] = []
    for part in parts:
        for new in part.observations:
            known = observations.get(new.policy)
            if known is not None:
                observations[new.policy] = _merge_observations(known, new)
            elif len(observations) < MAX_OBSERVATIONS:
                observations[new.policy] = new
        violated.update(dict.fromkeys(part.violated))
        waits += () if part.retry_after is None else (part.retry_after,)
        limits += () if part.concurrency is None else (part.concurrency,)
    return Declared(
        observations=tuple(observations.values()),
        retry_after=_longest_wait(waits),
        concurrency=min(limits, default=None),
        violated=tuple(violated),
    )


def _longest_wait(waits: Sequence[float]) -> float | None:
    """Return the longest wait; one that lies less than a second below a whole number is the same, not rounded up."""
    longest = max(waits, default=None)
    if longest is None or not longest.is_integer():
        return longest
    return max((wait for wait in waits if longest - 1.0 < wait < longest), default=longest)


def _merge_observations(first: Observation, second: Observation) -> Observation:
    """Merge two observations of one policy; where both state a limit, window or rate, the first counts."""
    remaining = [x for x in (first.remaining, second.remaining) if x is not None]
    resets = [x for x in (first.reset, second.reset) if x is not None]
    return replace(
        first,
        limit=second.limit if first.limit is None else first.limit,
        remaining=min(remaining, default=None),
        reset=intersect(resets[0], resets[-1]) if resets else None,
        unusable_reset=not resets and (first.unusable_reset or second.unusable_reset),
        window=second.window if first.window is None else first.window,
        rate=second.rate if first.rate is None else first.rate,
    )
