"""`Address`: the URL of a job in Redis or Valkey."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

import attrs

from crawler import ConfigError
from crawler.store import JobUrl

__all__ = ["Address"]

FORM: Final = "redis://host:6379/DATABASE/JOB"
INCOMPLETE: Final = f"names no server and job: use {FORM}, or redis://host/JOB"
PORT: Final = 6379


@attrs.frozen(kw_only=True)
class Address:
    """Where a job is.

    The last segment of the path is the name of the job. The one before it is the number of the database, 0 if it is
    left out. The query may have ``lease``, ``cluster`` and ``replicas``; the scheme ``rediss`` means TLS.
    """

    shown: str
    """The URL as it may be shown."""
    host: str
    port: int
    username: str | None = attrs.field(repr=False)
    password: str | None = attrs.field(repr=False)
    tls: bool
    database: int
    job: str
    """The name of the job."""
    lease: float
    """Seconds after its last call in which a worker loses its groups."""
    silence: float
    """Seconds after which a connection whose other end acknowledges nothing is given up."""
    cluster: bool
    """Whether the server is a node of a cluster."""
    replicas: int
    """Number of replicas that must have what was written."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return the address that a URL names."""
        job = JobUrl.parse(url, FORM, INCOMPLETE)
        parts, options = job.parts, dict(job.options)
        if not parts.hostname or not (job.database or "0").isdecimal():
            raise ConfigError(f"job {job.shown} {INCOMPLETE}")
        cluster, replicas = options.pop("cluster", "no"), options.pop("replicas", "0")
        if options:
            raise ConfigError(
                f"job {job.shown}: there is no option {next(iter(options))!r}; use lease, cluster and replicas"
            )
        if cluster not in ("yes", "no") or not replicas.isdecimal():
            raise ConfigError(f"job {job.shown}: cluster must be yes or no, and replicas a number")
        return cls(
            shown=job.shown,
            host=parts.hostname,
            port=parts.port or PORT,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
            database=int(job.database or 0),
            job=job.job,
            lease=job.lease,
            silence=job.silence,
            cluster=cluster == "yes",
            replicas=int(replicas),
        )
