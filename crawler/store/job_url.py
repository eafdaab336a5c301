"""The common parts of the URLs of jobs in databases: the name of the job, and its lease."""

from __future__ import annotations

import re
from typing import Final

from crawler.errors import ConfigError

__all__ = ["checked_name", "lease_of", "silence"]

NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,47}")
"""A name of a job. PostgreSQL makes it part of the name of a schema, which has at most 63 bytes."""
LEASE: Final = 60.0
"""Seconds, unless the URL sets another value."""
MIN_LEASE: Final = 0.5
MAX_LEASE: Final = 86_400.0
LONGEST_SILENCE: Final = 15.0
"""Seconds."""


def checked_name(job: str) -> str:
    """Return the name of a job.

    Raises:
        ConfigError: It cannot be one.
    """
    if not NAME.fullmatch(job):
        raise ConfigError(
            f"{job!r} cannot be the name of a job in a database: use at most 48 of the characters a-z, 0-9 and _"
        )
    return job


def lease_of(text: str, shown: str) -> float:
    """Return the seconds of a lease; the default if the URL says nothing.

    Parameters:
        text: The parameter ``lease`` of the URL; empty if it has none.
        shown: The URL as it may be shown.

    Raises:
        ConfigError: It is not a number of seconds, or out of range.
    """
    try:
        lease = float(text) if text else LEASE
    except ValueError:
        lease = 0.0
    if not MIN_LEASE <= lease <= MAX_LEASE:
        raise ConfigError(
            f"job {shown}: lease must be a number of seconds from {MIN_LEASE:g} to {MAX_LEASE:.0f}, not {text!r}"
        )
    return lease


def silence(lease: float) -> float:
    """Return the seconds after which a connection whose other end acknowledges nothing is given up.

    By default, TCP waits for minutes, and after a network failure it tries again when the lease has ended.
    """
    return min(max(lease / 4, 1.0), LONGEST_SILENCE)
