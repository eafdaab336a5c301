"""`SqlSink`: the base class of sinks for SQL databases with a driver for the DB-API (PEP 249).

Each field of an item has a column, which is added when a field first has a value. A column whose type does not fit a
later value gets a wider type: integers become floats, everything else becomes text. Fields beyond the columns that a
table may have are kept as JSON in a column of their own.
"""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from itertools import chain
from typing import Any, ClassVar, Final

import msgspec

from crawler.errors import ConfigError
from crawler.messages import Row
from crawler.sinks.if_exists import IfExists
from crawler.sinks.keyed import Cursor, KeyedSink

__all__ = ["SqlSink"]

KEY: Final = "_key"
PAGE: Final = "_page"
RESCUED: Final = "_rescued_data"
"""The column of the fields that have no column of their own: a JSON object."""
OWN: Final = (KEY, PAGE, RESCUED)
CURSORS: Final = "crawler_cursor"
"""The table of the cursors."""
TYPE: Final = "%(type)s"
UNSAFE: Final = re.compile(r"\W+")
TEXTS: Final = {str, type(None)}


class SqlSink(KeyedSink):
    """Base class of sinks for SQL databases.

    A subclass provides the SQL of its database: `types`, `quote`, `placeholder`, `upsert`, `columns` and `tables`, and
    the methods `connect` and `is_lost` of `KeyedSink`.

    Parameters:
        place: The database, for messages.
        table: The table of the items. With ``%(type)s`` in its name, each class of items has a table of its own. It is
            created with the columns ``_key`` (unique), ``_page`` (the URL that the item came from) and those of the
            items.
        if_exists: What to do if the table has rows: ``error``, ``overwrite`` (delete the table), or ``append``.
        retry: Seconds for which to reconnect to a lost server before the crawl fails.

    Raises:
        ConfigError: The name of the table is empty or has another field.
    """

    types: ClassVar[dict[str, str]] = {
        "bool": "BOOLEAN", "int": "BIGINT", "float": "DOUBLE PRECISION", "text": "TEXT", "key": "TEXT"
    }  # fmt: skip
    """SQL types of columns; that of ``key`` must allow a primary key."""
    max_name: ClassVar[int] = 63
    """Bytes of the longest name of a column or table."""
    max_columns: ClassVar[int] = 1000
    """Maximum number of columns of a table. Further fields are kept as a JSON object in the column
    ``_rescued_data``."""
    table_options: ClassVar[str] = ""
    """SQL that follows the columns in a ``CREATE TABLE``."""
    placeholder: ClassVar[str] = "%s"
    """The placeholder of the driver."""
    schema: ClassVar[str] = "current_schema()"
    """SQL for the schema of the tables, as ``information_schema`` names it."""

    def __init__(
        self, place: str, *, table: str = "items", if_exists: IfExists = "error", retry: float = 150.0
    ) -> None:
        super().__init__(place, retry=retry)
        if not table.replace(TYPE, "") and TYPE not in table:
            raise ConfigError(f"{self.place}: the name of a table must not be empty")
        if "%(" in table.replace(TYPE, "") or "\0" in table:
            raise ConfigError(f"{self.place}: no such field in the name of a table: {table!r}; use {TYPE}")
        self.table = table
        self.name = f"{self.name}:{table}"
        self._if_exists = if_exists
        self._columns: dict[str, dict[str, str]] = {}  # by table: SQL types by column

    def columns(self, connection: Any, table: str) -> dict[str, str]:
        """Return the columns of a table with their SQL types, in order; nothing if it does not exist."""
        statement = (
            "SELECT column_name, data_type FROM information_schema.columns "
            f"WHERE table_schema = {self.schema} AND table_name = {self.placeholder} ORDER BY ordinal_position"
        )
        return dict(self.execute(connection, statement, [(table,)]))

    def tables(self, connection: Any) -> Iterable[str]:
        """Return the names of all tables."""
        statement = f"SELECT table_name FROM information_schema.tables WHERE table_schema = {self.schema}"
        return [name for (name,) in self.execute(connection, statement)]

    @abstractmethod
    def upsert(self, table: str, columns: Sequence[str]) -> str:
        """Return the statement that inserts a row, or replaces the one with the same key. All names are quoted."""

    def quote(self, name: str) -> str:
        """Return a name as SQL."""
        return '"' + name.replace('"', '""') + '"'

    def value(self, value: Any, kind: str) -> Any:
        """Return a value as the driver takes it.

        Parameters:
            value: A number or a truth value. Strings stay as they are.
            kind: The kind of the column; `other` for a type that no column of the crawl has.
        """
        return value

    def widen(self, table: str, column: str, kind: str) -> str:
        """Return the statement that widens the type of a column; empty if columns take any value. Names are quoted."""
        kind = self.types[kind]
        return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING CAST({column} AS {kind})"

    def add(self, table: str, columns: Mapping[str, str]) -> Iterable[str]:
        """Return the statements that add columns with their SQL types to a table. Names are quoted."""
        changes = ", ".join(f"ADD COLUMN {column} {kind}" for column, kind in columns.items())
        return [f"ALTER TABLE {table} {changes}"] if changes else []

    def start(self, connection: Any) -> None:
        """Begin a transaction, unless the driver begins it."""

    def execute(self, connection: Any, statement: str, rows: Sequence[Sequence[Any]] | None = None) -> list[Any]:
        """Execute a statement, once or for each row of values, and return what it selects."""
        cursor = connection.cursor()
        try:
            if rows is None:
                cursor.execute(statement)
            elif len(rows) == 1:
                cursor.execute(statement, rows[0])
            else:
                cursor.executemany(statement, rows)
            return list(cursor.fetchall()) if cursor.description is not None else []
        finally:
            cursor.close()

    def insert(self, connection: Any, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, or replace those with the same keys."""
        quoted = [self.quote(name) for name in (table, *columns)]
        if self.placeholder == "%s":
            quoted = [name.replace("%", "%%") for name in quoted]
        self.execute(connection, self.upsert(quoted[0], quoted[1:]), rows)

    def close(self, connection: Any) -> None:
        """Close a connection."""
        connection.close()

    # Tables

    def _own_tables(self, connection: Any) -> Iterator[str]:
        """Yield the tables of the output that exist."""
        before, _, after = self.table.partition(TYPE)
        pattern = re.compile(re.escape(before) + (r"\w+" if TYPE in self.table else "") + re.escape(after))
        for name in self.tables(connection):
            if pattern.fullmatch(name) and name != CURSORS and KEY in self.columns(connection, name):
                yield name
            elif name == self.table:
                raise ConfigError(f"{self.place}: the table {name} has no column {KEY}: name another table")

    def check_place(self, connection: Any) -> None:
        """Refuse tables with rows, or of another form."""
        for name in list(self._own_tables(connection)):
            if self._if_exists == "error" and self.execute(connection, f"SELECT 1 FROM {self.quote(name)} LIMIT 1"):
                how = "--overwrite replaces it, --append adds to it (in Python: if_exists)"
                raise ConfigError(f"{self.place}: the table {name} has rows already: {how}")

    def begin(self, connection: Any, cursor: Cursor) -> None:
        """Create the table of cursors, and delete the tables of the items under ``overwrite``."""
        self.check_place(connection)
        self._create_cursors(connection)
        self.start(connection)
        if self._if_exists == "overwrite":
            for name in list(self._own_tables(connection)):
                self.execute(connection, f"DROP TABLE {self.quote(name)}")
        self._save(connection, cursor)
        connection.commit()

    def _create_cursors(self, connection: Any) -> None:
        """Create the table of cursors. Another crawl may do so at the same time, and PostgreSQL reports that."""
        key, count, text = self.types["key"], self.types["int"], self.types["text"]
        self.start(connection)
        try:
            self.execute(
                connection,
                f"CREATE TABLE IF NOT EXISTS {self.quote(CURSORS)} "
                f"({self.quote('id')} {key} PRIMARY KEY, {self.quote('stored')} {count}, {self.quote('chain')} {text})"
                f" {self.table_options}",
            )
            connection.commit()
        except Exception:
            with suppress(Exception):  # there may be no transaction
                connection.rollback()
            if CURSORS not in self.tables(connection):
                raise

    def cursor(self, connection: Any, name: str) -> Cursor | None:
        """Return a cursor."""
        if CURSORS not in self.tables(connection):
            return None
        self.start(connection)
        columns = ", ".join(map(self.quote, ("id", "stored", "chain")))
        where = f"{self.quote('id')} = {self.placeholder}"
        rows = self.execute(connection, f"SELECT {columns} FROM {self.quote(CURSORS)} WHERE {where}", [(name,)])
        connection.commit()
        return Cursor(*rows[0]) if rows else None

    def _save(self, connection: Any, cursor: Cursor) -> None:
        self.insert(connection, CURSORS, ("id", "stored", "chain"), [(cursor.id, cursor.stored, cursor.chain)])

    # Rows

    def write(self, connection: Any, rows: Sequence[Row], cursor: Cursor) -> None:
        """Store rows and the cursor in one transaction. Columns are added before."""
        by_table: dict[str, list[tuple[Row, dict[str, Any]]]] = {}
        for row in rows:
            by_table.setdefault(self._table_of(row), []).append((row, msgspec.json.decode(row.data)))
        self.start(connection)
        try:
            # Some databases commit when a table changes, so all tables change before the first row is written.
            names = {table: self._fit(connection, table, [item for _, item in its]) for table, its in by_table.items()}
            for table, its in by_table.items():
                self._write_table(connection, table, its, names[table])
            self._save(connection, cursor)
            connection.commit()
        except BaseException:
            self._columns.clear()  # another crawl may have changed the table, or the change is undone
            raise

    def _table_of(self, row: Row) -> str:
        kind = UNSAFE.sub("_", row.type) or "item"
        return self._short(self.table.replace(TYPE, kind))

    def _write_table(
        self, connection: Any, table: str, records: Sequence[tuple[Row, dict[str, Any]]], names: dict[str, str]
    ) -> None:
        columns = [
            self._values([item.get(name) for _, item in records], self._kind(self._columns[table][column]))
            for name, column in names.items()
        ]
        pages = [_text(row.page) for row, _ in records]
        names_of_columns = [KEY, PAGE, *names.values()]
        if any(rescued := [_rescued(item, names) for _, item in records]):
            names_of_columns.append(RESCUED)
            columns.append(rescued)
        values = list(zip([row.key for row, _ in records], pages, *columns, strict=True))
        self.insert(connection, table, names_of_columns, values)

    def _values(self, values: list[Any], kind: str) -> list[Any]:
        """Return the values of a column as the driver takes them. Most columns have values of one type."""
        if set(map(type, values)) <= TEXTS:
            return [value if value is None or "\0" not in value else _text(value) for value in values]
        return [self._value(value, kind) for value in values]

    def _value(self, value: Any, kind: str) -> Any:
        if value is None:
            return None
        if (kind == "text" and not isinstance(value, str)) or isinstance(value, (dict, list)):
            value = msgspec.json.encode(value).decode()
        return _text(value) if isinstance(value, str) else self.value(value, kind)

    def _fit(self, connection: Any, table: str, items: Sequence[dict[str, Any]]) -> dict[str, str]:
        """Create or change a table so that items fit, and return the columns of the fields that have one."""
        columns = dict(self._columns.get(table) or self.columns(connection, table))
        if not columns:
            key, text = self.types["key"], self.types["text"]
            self.execute(
                connection,
                f"CREATE TABLE {self.quote(table)} "
                f"({self.quote(KEY)} {key} PRIMARY KEY, {self.quote(PAGE)} {text}) {self.table_options}",
            )
            columns = self.columns(connection, table)
        used = {column.casefold(): column for column in (*OWN, *columns)}
        names: dict[str, str] = {}
        taken: set[str] = set()
        new: dict[str, str] = {}
        for field, kind in _kinds(items).items():
            column = self._column(field, used, taken)
            if column not in columns and len(columns) + len(new) >= self.max_columns:
                if RESCUED not in columns:
                    new[RESCUED] = self.types["text"]
                continue
            names[field] = used[column.casefold()] = column
            taken.add(column)
            quoted = self.quote(column)
            if column not in columns:
                new[column] = self.types[kind]
                continue
            wider = _wider(self._kind(columns[column]), kind)
            if wider != self._kind(columns[column]):
                statement = self.widen(self.quote(table), quoted, wider)
                if statement:
                    self.execute(connection, statement)
                    columns[column] = self.types[wider]
        for statement in self.add(self.quote(table), {self.quote(column): kind for column, kind in new.items()}):
            self.execute(connection, statement)
        self._columns[table] = columns | new
        return names

    def _column(self, field: str, used: Mapping[str, str], taken: Container[str]) -> str:
        """Return the column of a field. Names of columns are short and differ in more than case."""
        name = self._short(_text(field) or "_")
        if name in OWN or used.get(name.casefold(), name) != name or name in taken:
            digest = hashlib.blake2b(field.encode(), digest_size=4).hexdigest()
            return self._short(f"{name}_{digest}", field)
        return name

    def _short(self, name: str, whole: str = "") -> str:
        """Return a name that is not too long, and differs from other long names."""
        if len(name.encode()) <= self.max_name:
            return name
        digest = hashlib.blake2b((whole or name).encode(), digest_size=4).hexdigest()
        return f"{name.encode()[: self.max_name - 9].decode(errors='ignore')}_{digest}"

    def _kind(self, declared: str) -> str:
        """Return the kind of column that an SQL type is; `other` if the crawl makes no such columns."""
        written = declared.casefold()
        return next((kind for kind, name in self.types.items() if name.casefold() == written), "other")


def _text(text: str) -> str:
    """Return a text that databases can store: they end at a NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _rescued(item: dict[str, Any], names: dict[str, str]) -> str | None:
    """Return the fields of an item that have no column, as JSON; `None` if all have one."""
    if item.keys() <= names.keys():
        return None
    rest = {field: value for field, value in item.items() if field not in names and value is not None}
    return _text(msgspec.json.encode(rest).decode()) if rest else None


def _kinds(items: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the kind of column that each field of some items needs. Fields that are `None` everywhere need none."""
    kinds = {
        field: _kind_of_values([item.get(field) for item in items])
        for field in dict.fromkeys(chain.from_iterable(items))
    }
    return {field: kind for field, kind in kinds.items() if kind}


def _kind_of_values(values: Sequence[Any]) -> str:
    """Return the kind of column that values need; empty if all are `None`."""
    if set(map(type, values)) <= TEXTS:
        return "text" if any(value is not None for value in values) else ""
    return reduce(_wider, {_kind_of(value) for value in values if value is not None})


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "text"
    return "float" if isinstance(value, float) else "text"


def _wider(one: str, other: str) -> str:
    """Return the kind of column that takes the values of two kinds."""
    if one in (other, "other"):
        return one
    return "float" if {one, other} == {"int", "float"} else "text"
