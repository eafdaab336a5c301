"""`MySQL`: items in a table of a MySQL or MariaDB database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from crawler import ConfigError
from crawler.sinks import IfExists, SqlSink

if TYPE_CHECKING:
    import pymysql

__all__ = ["MySQL"]

GONE: Final = frozenset({1040, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055})
"""Errors that another connection may not meet: connection refused or lost, shutdown, too many connections, deadlock."""
PORT: Final = 3306
CONNECT_TIMEOUT: Final = 10
"""Seconds for the connection, and for each message of the server until the login is complete."""
READ_TIMEOUT: Final = 60
"""Seconds for the result of a statement."""


class MySQL(SqlSink):
    """Items in a table of a MySQL or MariaDB database, one row each; fields become columns.

    Lists and objects are stored as JSON text, truth values as 0 and 1.

    Parameters:
        url: ``mysql://user:password@host:3306/database``.
        unix_socket: Path of the server's socket, instead of host and port.
        ssl_ca: File with the certificates that the server's must be signed by; TLS is required then.
    """

    name = "mysql"
    requires = {"pymysql": "trio-crawler[mysql]"}
    types = {"bool": "TINYINT", "int": "BIGINT", "float": "DOUBLE", "text": "LONGTEXT", "key": "VARCHAR(191)"}
    table_options = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    max_name = 60
    schema = "DATABASE()"
    max_columns = 190  # InnoDB refuses a table whose row could take more than 8 kB, of which a text takes 41 bytes

    def __init__(
        self,
        url: str,
        *,
        table: str = "items",
        if_exists: IfExists = "error",
        retry: float = 150.0,
        unix_socket: str | None = None,
        ssl_ca: str | None = None,
    ) -> None:
        super().__init__(url, table=table, if_exists=if_exists, retry=retry)
        parts = urlsplit(url)
        try:
            port = parts.port or PORT
        except ValueError:
            raise ConfigError(
                f"{self.place}: the port must be a number up to 65535; a password with / or @ has to be percent-encoded"
            ) from None
        database = unquote(parts.path.removeprefix("/"))
        if not database or "/" in database:
            raise ConfigError(f"{self.place}: name a database, as in mysql://HOST/DATABASE")
        self._arguments: dict[str, Any] = {
            "host": parts.hostname or "localhost", "port": port, "unix_socket": unix_socket,
            "user": unquote(parts.username or "") or None, "password": unquote(parts.password or ""),
            "database": database, "ssl_ca": ssl_ca, "charset": "utf8mb4", "autocommit": False,
            "connect_timeout": CONNECT_TIMEOUT, "read_timeout": CONNECT_TIMEOUT, "write_timeout": READ_TIMEOUT,
        }  # fmt: skip

    def connect(self) -> pymysql.Connection[Any]:
        """Connect. A transaction begins with the first statement."""
        import pymysql  # noqa: PLC0415 - an extra

        connection = pymysql.connect(**self._arguments)
        connection._read_timeout = READ_TIMEOUT  # noqa: SLF001 - its one timeout is that of the login, too
        return connection

    def is_lost(self, error: Exception) -> bool:
        """Return whether the connection has ended, or another one may work."""
        import pymysql  # noqa: PLC0415 - an extra

        if isinstance(error, pymysql.InterfaceError):
            return True
        return isinstance(error, pymysql.OperationalError) and error.args[0] in GONE

    def quote(self, name: str) -> str:
        """Return a name in backticks."""
        return "`" + name.replace("`", "``") + "`"

    def widen(self, table: str, column: str, kind: str) -> str:
        """Return a ``MODIFY COLUMN``."""
        return f"ALTER TABLE {table} MODIFY COLUMN {column} {self.types[kind]}"

    def upsert(self, table: str, columns: Sequence[str]) -> str:
        """Return a ``REPLACE``."""
        marks = ", ".join(["%s"] * len(columns))
        return f"REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
