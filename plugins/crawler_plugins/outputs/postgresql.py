"""`PostgreSQL`: items in a table of a PostgreSQL database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from crawler.sinks import IfExists, SqlSink

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgreSQL"]

CONNECTION: Final = {"connect_timeout": "10", "keepalives_idle": "10", "tcp_user_timeout": "30000"}
"""Parameters of libpq that detect a lost server in time; the URL may set others."""
GONE: Final = ("08", "40", "53", "57")
"""Classes of SQLSTATE that another connection may not meet: connection, rollback, resources, operator intervention."""
DISK_FULL: Final = "53100"


class PostgreSQL(SqlSink):
    """Items in a table of a PostgreSQL database, one row each; fields become columns.

    Lists and objects are stored as JSON text. The password may be in the URL, in ``PGPASSWORD`` or in ``~/.pgpass``.

    Parameters:
        url: ``postgresql://user@host:5432/database``, with the parameters of libpq in its query.
    """

    name = "postgresql"
    requires = {"psycopg": "trio-crawler[postgres]"}
    max_columns = 300  # a row takes at most 8 kB, of which a text takes up to 24 bytes before it is stored elsewhere
    url_options = frozenset(
        {
            "application_name", "channel_binding", "connect_timeout", "dbname", "gssencmode", "host", "hostaddr",
            "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "options",
            "passfile", "password", "port", "require_auth", "service", "sslcert", "sslcrl", "sslkey", "sslmode",
            "sslpassword", "sslrootcert", "sslsni", "target_session_attrs", "tcp_user_timeout", "user",
        }
    )  # fmt: skip

    def __init__(self, url: str, *, table: str = "items", if_exists: IfExists = "error", retry: float = 150.0) -> None:
        super().__init__(url, table=table, if_exists=if_exists, retry=retry)

    def connect(self) -> psycopg.Connection[Any]:
        """Connect. A transaction begins with the first statement."""
        import psycopg  # noqa: PLC0415 - an extra
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

        psycopg.logger.setLevel(logging.ERROR)  # it reports what a lost connection leaves behind
        return psycopg.connect(make_conninfo("", **(CONNECTION | conninfo_to_dict(self._address))))

    def is_lost(self, error: Exception) -> bool:
        """Return whether the connection has ended, or another one may work."""
        import psycopg  # noqa: PLC0415 - an extra

        if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            return False
        return error.sqlstate is None or (error.sqlstate.startswith(GONE) and error.sqlstate != DISK_FULL)

    def upsert(self, table: str, columns: Sequence[str]) -> str:
        """Return an ``INSERT … ON CONFLICT … DO UPDATE``."""
        key, *others = columns
        marks = ", ".join(["%s"] * len(columns))
        changes = ", ".join(f"{column} = EXCLUDED.{column}" for column in others)
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {changes}"
        )
