"""What a server says of its limits: the words that dialects are translated into and the governor understands."""

from __future__ import annotations

import attrs

__all__ = ["NOTHING", "AttemptReport", "Declared", "Observation"]


@attrs.frozen(kw_only=True)
class Observation:
    """What one answer says of one policy; what is not said is `None`."""

    policy: str
    """Names the policy, the same in every answer of one server."""
    limit: float | None = None
    """Units in one window."""
    remaining: float | None = None
    """Units that are left, this answer's own already taken; not negative."""
    reset: tuple[float, float] | None = None
    """Seconds since the epoch by our own clock: not before the first and not after the second of these something is
    restored."""
    window: float | None = None
    """Seconds of one window."""
    rate: float | None = None
    """Units that are restored a second, where the server says so."""
    unit: str = "requests"
    """What is counted: ``requests``, ``tokens``, ``points``, ``content-bytes``, …"""


@attrs.frozen(kw_only=True)
class Declared:
    """What one answer says."""

    observations: tuple[Observation, ...] = ()
    """By policy."""
    retry_after: float | None = None
    """Seconds from the receipt of the answer: the longest wait that it names for being refused."""
    concurrency: int | None = None
    """Requests in flight at once, where the server names a limit of them."""
    violated: tuple[str, ...] = ()
    """Policies that it says were violated."""

    def __bool__(self) -> bool:
        return self is not NOTHING and self != NOTHING


NOTHING = Declared()
"""Not a word."""


@attrs.frozen(kw_only=True)
class AttemptReport:
    """One request and what came of it, as far as limits are concerned."""

    sent: float
    """Seconds since the epoch: when it went out."""
    received: float
    """Seconds since the epoch: when its answer, or its failure, was there."""
    first_byte: float | None = None
    """Seconds between sending and the first byte of the answer; `None`: there was no answer."""
    status: int = 0
    """HTTP status; 0: there was no answer."""
    refused: bool = False
    """Whether the server refused it since it was asked too much: 429, 503, or what a rule calls so."""
    overloaded: bool = False
    """Whether it failed as servers fail that are asked too much: 503, a timeout, a reset."""
    declared: Declared = NOTHING
    """What the answer says of limits."""
