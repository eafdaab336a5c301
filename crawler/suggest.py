"""Names for error messages: the closest known one (`did_you_mean`), all of a few, and choices (`either`)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean", "did_you_mean_or_list", "either"]

MOST_LISTED = 12
"""Names that a message lists, at most."""


def did_you_mean(name: str, known: Iterable[str], *, form: str = "{}", cutoff: float = 0.6) -> str:
    """Return the closest known name as a question to append to an error message; empty if none is close."""
    import difflib  # noqa: PLC0415 - only for misspelt names

    written = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), list(written), n=1, cutoff=cutoff)
    return f" (did you mean {form.format(written[close[0]])}?)" if close else ""


def did_you_mean_or_list(name: str, known: Iterable[str], listed: str) -> str:
    """Return the closest known name as `did_you_mean` does, or all names if none is close and they are few."""
    names = [*known]
    hint = did_you_mean(name, names)
    return hint if hint or not 0 < len(names) <= MOST_LISTED else f" ({listed} {', '.join(names)})"


def either(choices: Iterable[object]) -> str:
    """Return choices as a sentence names them: ``a, b or c``."""
    *others, last = map(str, choices)
    return f"{', '.join(others)} or {last}" if others else last
