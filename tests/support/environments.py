"""The environment of a child process that a test starts."""

from __future__ import annotations

import os

__all__ = ["environment"]


def environment(*, limited: bool = False, **extra: str) -> dict[str, str]:
    """Return the environment of this process, without variables that configure a crawl; warnings are errors.

    Parameters:
        limited: whether the size of files is limited in the child. If so, the child does not measure coverage, whose
            data file would exceed the limit, and writes no bytecode, which Python 3.11 leaves cut at the limit.
        extra: additional variables.
    """
    left_out = ("CRAWLER_", "COVERAGE_") if limited else ("CRAWLER_",)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    unwritten = {"PYTHONDONTWRITEBYTECODE": "1"} if limited else {}
    return kept | {"PYTHONWARNINGS": "error"} | unwritten | extra
