"""`JobUrl`: the URL of a job in a database."""

from __future__ import annotations

import re
from typing import Final, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

from crawler.errors import ConfigError
from crawler.redaction import hide_userinfo

__all__ = ["JobUrl"]

NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,47}")
"""A name of a job. PostgreSQL makes it part of the name of a schema, which has at most 63 bytes."""


@attrs.frozen(kw_only=True)
class JobUrl:
    """The parts of ``scheme://server/database/JOB?lease=60``."""

    shown: str
    """The URL as it may be shown."""
    parts: SplitResult = attrs.field(repr=False)
    """The parts of the URL, of which host and port are valid."""
    database: str
    """The path without its last segment and slashes at its ends."""
    job: str
    """The name of the job: the last segment of the path."""
    lease: float
    """Seconds after its last call in which a worker loses its groups."""
    options: dict[str, str] = attrs.field(repr=False)
    """The other parameters of the query."""

    @classmethod
    def parse(cls, url: str, form: str, incomplete: str) -> Self:
        """Return the parts of a URL.

        Parameters:
            url: The URL.
            form: What it has to look like, for messages.
            incomplete: What a message says of one without a job.

        Raises:
            ConfigError: It has no job, or the name of the job or its lease is not one.
        """
        shown = hide_userinfo(url).partition("?")[0]
        try:
            parts = urlsplit(url)
            _ = parts.port
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigError(f"job {shown} is not a URL of the form {form}") from None
        database, _, job = parts.path.rpartition("/")
        if not job:
            raise ConfigError(f"job {shown} {incomplete}")
        return cls(
            shown=shown,
            parts=parts,
            database=database.strip("/"),
            job=_checked(unquote(job)),
            lease=_lease(options.pop("lease", ""), shown),
            options=options,
        )

    @property
    def silence(self) -> float:
        """Seconds after which a connection whose other end acknowledges nothing is given up, well within a lease."""
        # By default, TCP waits for minutes, and after a network failure it tries again when the lease has
        # ended.
        return min(max(self.lease / 4, 1.0), 15.0)


def _checked(job: str) -> str:
    if not NAME.fullmatch(job):
        raise ConfigError(
            f"{job!r} cannot be the name of a job in a database: use at most 48 of the characters a-z, 0-9 and _"
        )
    return job


def _lease(text: str, shown: str) -> float:
    try:
        lease = float(text) if text else 60.0  # seconds
    except ValueError:
        lease = 0.0
    if not 0.5 <= lease <= 86_400.0:
        raise ConfigError(f"job {shown}: lease must be a number of seconds from 0.5 to 86400, not {text!r}")
    return lease
