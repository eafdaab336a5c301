"""Decide whether a response refuses a request because of a limit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from crawler.limits.headers.declared import Declared
from crawler.limits.headers.field_names import limit_fields

__all__ = [
    "AMBIGUOUS_STATUSES", "FORBIDDEN", "REFUSAL_STATUSES", "UNAVAILABLE", "UNCERTAIN_STATUSES", "is_refusal",
]  # fmt: skip

REFUSAL_STATUSES: Final = frozenset({420, 429, 503, 509, 529})
"""Statuses that always mean that a limit was exceeded."""
FORBIDDEN: Final = 403
UNAVAILABLE: Final = 503
"""Sent by overloaded servers, and by broken pages."""
AMBIGUOUS_STATUSES: Final = frozenset({FORBIDDEN, UNAVAILABLE})
"""Statuses sent when a limit was exceeded, but also for pages that are forbidden or broken."""
UNCERTAIN_STATUSES: Final = frozenset({400, FORBIDDEN})
"""Statuses of refusals by some vendors, which mark them by a word of the body or a header field."""


def is_refusal(
    status: int, declared: Declared, headers: Sequence[tuple[str, str]] = (), *, statuses: Collection[int] = ()
) -> bool:
    """Return whether a response refuses the request because a limit was exceeded.

    A 400 needs a violated policy as evidence; a 403 that, a policy with nothing left, or a time to come back.
    """
    if status in REFUSAL_STATUSES or status in statuses:
        return True
    if status in UNCERTAIN_STATUSES and declared.violated:
        return True
    return status == FORBIDDEN and (
        declared.retry_after is not None
        or any(observation.remaining == 0 for observation in declared.observations)
        or any(field.role == "retry" for field, _ in limit_fields(headers))
    )
