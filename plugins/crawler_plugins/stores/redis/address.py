"""`Address`: the URL of a job in Redis or Valkey."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from crawler import ConfigError
from crawler.store import checked_name, hide_userinfo, lease_of

__all__ = ["Address"]

FORM: Final = "redis://host:6379/DATABASE/JOB"
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
    cluster: bool
    """Whether the server is a node of a cluster."""
    replicas: int
    """Number of replicas that must have what was written."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Return the address that a URL names.

        Raises:
            ConfigError: The URL does not name a server and a job, or an option is wrong.
        """
        shown = hide_userinfo(url).partition("?")[0]
        try:
            parts = urlsplit(url)
            port = parts.port or PORT
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigError(f"job {shown} is not a URL of the form {FORM}") from None
        database, _, job = parts.path[1:].rpartition("/")
        if not parts.hostname or not job or not (database or "0").isdecimal():
            raise ConfigError(f"job {shown} names no server and job: use {FORM}, or redis://host/JOB")
        job = checked_name(unquote(job))
        lease, cluster, replicas = (
            query.pop(name, default) for name, default in (("lease", ""), ("cluster", "no"), ("replicas", "0"))
        )
        if query:
            raise ConfigError(f"job {shown}: there is no option {next(iter(query))!r}; use lease, cluster and replicas")
        if cluster not in ("yes", "no") or not replicas.isdecimal():
            raise ConfigError(f"job {shown}: cluster must be yes or no, and replicas a number")
        return cls(
            shown=shown,
            host=parts.hostname,
            port=port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
            database=int(database or 0),
            job=job,
            lease=lease_of(lease, shown),
            cluster=cluster == "yes",
            replicas=int(replicas),
        )
