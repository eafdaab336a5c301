"""`Address`: the URL of a job in PostgreSQL."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import attrs

from crawler import ConfigError
from crawler.store import JobUrl

__all__ = ["Address"]

FORM: Final = "postgresql://HOST/DATABASE/JOB"
INCOMPLETE: Final = f"names no database and job: use {FORM}"
CONNECTION: Final = {
    "connect_timeout": "10", "keepalives_idle": "5", "keepalives_interval": "3", "keepalives_count": "3",
    "client_encoding": "UTF8", "application_name": "crawler",
}  # fmt: skip
"""Parameters of libpq that detect a lost server in time; the URL may set others."""


@attrs.frozen
class Address:
    """Where a job is. The query of its URL has the parameters of libpq, and ``lease``."""

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
        """Return the address that a URL names."""
        job = JobUrl.parse(url, FORM, INCOMPLETE)
        if not job.database or "/" in job.database:
            raise ConfigError(f"job {job.shown} {INCOMPLETE}")
        parameters = CONNECTION | {"tcp_user_timeout": f"{1000 * job.silence:.0f}"} | job.options
        conninfo = f"postgresql://{job.parts.netloc}/{job.database}?{urlencode(parameters)}"
        return cls(conninfo, job.job, job.lease, job.shown)
