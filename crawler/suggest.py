"""`did_you_mean`: the closest known name, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str], *, form: str = "{}", cutoff: float = 0.6) -> str:
    """The closest of `known` as a question to put behind an error message, or nothing."""
    written = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), list(written), n=1, cutoff=cutoff)
    return f" (did you mean {form.format(written[close[0]])}?)" if close else ""
