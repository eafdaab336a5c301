"""`Address`: the URL of a job in PostgreSQL."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import attrs

from crawler import ConfigError
from crawler.store import checked_name, hide_userinfo, lease_of, silence

__all__ = ["Address"]

FORM: Final = "postgresql://HOST/DATABASE/JOB"
CONNECTION: Final = {
    "connect_timeout": "10", "keepalives_idle": "5", "keepalives_interval": "3", "keepalives_count": "3",
    "client_encoding": "UTF8", "application_name": "crawler",
}  # fmt: skip
"""Parameters of libpq that detect a lost server in time; the URL may set others."""


@attrs.frozen
class Address:
    """Where a job is.

    The last segment of the path is the name of the job, and the one before it that of the database. The query has the
    parameters of libpq, and ``lease``.
    """

    conninfo: str = attrs.field(repr=False)
    """The server and the database, as a URL for libpq. It may contain a password."""
    job: str
    """The name of the job."""
    lease: float
    """Seconds after its last call in which a worker loses its groups."""
    shown: str
    """The URL as it may be shown."""

    @property
    def schema(self) -> str:
        """The schema of the job's tables."""
        return f"crawler_{self.job}"

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return the address that a URL names.

        Raises:
            ConfigError: The URL does not name a database and a job, or its lease is not a number of seconds.
        """
        shown = hide_userinfo(url).partition("?")[0]
        try:
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigError(f"job {shown} is not a URL of the form {FORM}") from None
        path, _, job = parts.path.rpartition("/")
        job = unquote(job)
        if not job or not path.strip("/") or "/" in path.strip("/"):
            raise ConfigError(f"job {shown} names no database and job: use {FORM}")
        checked_name(job)
        lease = lease_of(query.pop("lease", ""), shown)
        parameters = CONNECTION | {"tcp_user_timeout": f"{1000 * silence(lease):.0f}"} | query
        return cls(f"postgresql://{parts.netloc}{path}?{urlencode(parameters)}", job, lease, shown)
