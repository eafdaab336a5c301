"""`refuses`: whether an answer means that we asked too much."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from crawler.limits.headers.declared import Declared
from crawler.limits.headers.field_names import telling

__all__ = ["AMBIGUOUS", "FORBIDDEN", "REFUSALS", "refuses"]

REFUSALS: Final = frozenset({420, 429, 503, 509, 529})
"""Statuses that mean: you ask too much."""
FORBIDDEN: Final = 403
AMBIGUOUS: Final = frozenset({FORBIDDEN, 503})
"""Said by servers that are asked too much, and by pages that are forbidden or broken."""

Pairs = Sequence[tuple[str, str]]


def refuses(status: int, declared: Declared, headers: Pairs = (), *, statuses: Collection[int] = ()) -> bool:
    """Whether an answer means that we asked too much, or at the wrong time.

    Parameters:
        status: HTTP status.
        declared: what the answer says of limits.
        headers: its fields.
        statuses: what else means so at this server, such as 400, 430, 477, 999, or 200 with an error in the body.

    403 needs evidence: nothing is left of something, or it names a time to come back.
    """
    if status in REFUSALS or status in statuses:
        return True
    return status == FORBIDDEN and (
        declared.retry_after is not None
        or bool(declared.violated)
        or any(observation.remaining == 0 for observation in declared.observations)
        or any(field.role == "retry" for field, _ in telling(headers))
    )
