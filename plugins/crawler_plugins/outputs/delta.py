"""`Delta`: items in a Delta Lake table, a folder on a disk or in an object store."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs

from crawler import ConfigError, Crawl, Row
from crawler.sinks import Cursor, Held, IfExists, KeyedSink
from crawler_plugins.outputs.columns import RESCUED, learn, table_of

__all__ = ["Delta"]

KEY: Final = "_key"
PAGE: Final = "_page"
OWN: Final = {KEY: "string", PAGE: "string"}
"""The columns of a table without items."""
PREFIX: Final = "delta+"
"""Begins the schemes of tables in object stores."""
REASON: Final = re.compile(r"<(?:Code|Message)>([^<]++)</")
"""The message of an error of S3."""
BACKTRACE: Final = re.compile(r"\n *0: .*", re.DOTALL)
"""The end of a message if the environment has ``RUST_BACKTRACE``."""
ARROW: Final = re.compile(r"\x1b\[\d+m|↳")
KINDS: Final = {"string": "string", "long": "wide", "double": "double", "boolean": "bool"}
"""Kinds of columns by the types of Delta. A column of whole numbers stays one: ``wide`` takes no fractions."""
BRIEF: Final = {"max_retries": "2", "retry_timeout": "10s"}
"""Options of an object store: an unreachable server is an error soon, and the sink tries again."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Maximum size of the items of a commit as JSON, in bytes: its rows are in memory."""


class Delta(KeyedSink):
    """Items in a Delta Lake table, which Spark, DuckDB, Polars and pandas read.

    The table is a folder, ``items.delta/``; ``delta+s3://bucket/items``, ``delta+gs://…`` and ``delta+az://…`` are
    folders in object stores, with credentials from the environment, as `objects` has them. Each commit adds the items
    of one interval, and the progress of the output (``txn``).

    Columns are ``_key`` (``row.key``), ``_page`` (the URL that the item came from) and the fields of the items, with
    the type of their first values: ``boolean``, ``long``, ``double`` or ``string``; lists and objects are JSON text. A
    new field adds a column. ``_rescued_data`` holds values that do not fit their columns, and those of fields whose
    names differ in case only from a column, as a JSON object.

    Parameters:
        place: The folder or URL.
        if_exists: ``error``, ``overwrite`` (a new version without the old rows) or ``append``.
        rows: Maximum number of items in a commit, at least 1. Items of 64 MiB as JSON are committed, too.
        seconds: Seconds after which items are committed, with the first one that comes then, from 0.
        retry: Seconds for which to retry a store that cannot be reached.

    Raises:
        ConfigError: An option is out of range, or the name has fields.
    """

    name = "delta"
    guarantee = "exactly once: a commit has the items, and the progress of the output"
    requires: ClassVar[Mapping[str, str]] = {"deltalake": "trio-crawler[delta]", "pyarrow": "trio-crawler[delta]"}

    def __init__(
        self,
        place: str,
        *,
        if_exists: IfExists = "error",
        rows: int = 50_000,
        seconds: float = 60.0,
        retry: float = 150.0,
    ) -> None:
        text = os.fspath(place)
        super().__init__(text, retry=retry)
        if "%(" in text:
            raise ConfigError(f"output {self.place}: the name of a Delta table has no fields")
        if rows < 1:
            raise ConfigError(f"output {self.place}: rows must be at least 1, not {rows}")
        if not seconds >= 0:
            raise ConfigError(f"output {self.place}: seconds must be at least 0, not {seconds:g}")
        self._table = text.removeprefix(PREFIX)
        if "://" in self._table:
            if "@" in self._table:
                raise ConfigError("output delta+…: leave out the user: credentials come from the environment")
            bucket, _, path = self._table.partition("://")[2].partition("/")
            if not bucket or not path.strip("/"):
                raise ConfigError(f"output {self.place}: name a bucket and a table in it: delta+s3://bucket/items")
        else:
            _check_folder(Path(text))
        self._if_exists = if_exists
        self._max_rows = rows
        self._seconds = seconds
        self._held: list[Row] = []
        self._bytes = 0
        self._began: float | None = None  # when the first row that is held came

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Prepare the table."""
        self.crawl = crawl  # an export has no other way to set it
        async with super().lifespan(crawl):
            yield

    # ---- intervals ---------------------------------------------------------------------------------------------------

    def persist(self, batch: Sequence[Row]) -> Any:
        """Collect rows, and commit them when there are enough of them or their time is over."""
        now, before = self.crawl.clock(), (len(self._held), self._bytes, self._began)
        self._held += [Row(row.data, row.key, row.page, None, row.type) for row in batch]
        self._bytes += sum(len(row.data) for row in batch)
        self._began = now if self._began is None else self._began
        is_full = len(self._held) >= self._max_rows or self._bytes >= MAX_BYTES
        if not is_full and now - self._began < self._seconds:
            return Held(len(self._held), attrs.asdict(self._cursor))
        try:
            return self._commit()
        except BaseException:  # the same batch comes again
            del self._held[before[0] :]
            self._bytes, self._began = before[1:]
            raise

    def flush(self) -> Any:
        """Commit the rows that are left."""
        self._commit()
        return super().flush()

    def _commit(self) -> Any:
        """Pass the rows on, in parts of at most `rows` items."""
        result: Any = attrs.asdict(self._cursor)
        for start in range(0, len(self._held), self._max_rows):
            result = super().persist(self._held[start : start + self._max_rows])
        self._held, self._bytes, self._began = [], 0, None
        return result

    # ---- the table ---------------------------------------------------------------------------------------------------

    def connect(self) -> Any:
        """Return the table; `None` if it does not exist."""
        from deltalake import DeltaTable, exceptions  # noqa: PLC0415 - an extra

        try:
            with _one_line():
                return DeltaTable(self._table, storage_options=BRIEF)
        except exceptions.TableNotFoundError:
            return None

    def close(self, connection: Any) -> None:
        """Do nothing: a table is not open."""

    def is_lost(self, error: Exception) -> bool:
        """Return whether a store may come back, or another program has changed the table meanwhile."""
        from deltalake import exceptions  # noqa: PLC0415 - an extra

        return "://" in self._table and isinstance(error, (OSError, exceptions.DeltaError))

    def check_place(self, connection: Any) -> None:
        """Refuse a table with rows, or with columns that no item has."""
        if connection is None or self._if_exists == "overwrite":
            return
        if self._if_exists == "error" and connection.count():
            how = "--overwrite replaces them, --append adds to them (in Python: if_exists)"
            raise ConfigError(f"{self.place} has rows already: {how}")
        columns = _columns(connection)
        for name, kind in columns.items():
            if kind is None:
                raise ConfigError(f"cannot append to {self.place}: its column {name!r} has a type that no item has")
        if not OWN.keys() <= columns.keys():
            raise ConfigError(f"cannot append to {self.place}: it has no columns {KEY} and {PAGE}: name another table")

    def begin(self, connection: Any, cursor: Cursor) -> None:
        """Create the table, or commit the first cursor to it."""
        import deltalake  # noqa: PLC0415 - an extra

        self.check_place(connection)
        if connection is None or self._if_exists == "overwrite":
            deltalake.DeltaTable.create(
                self._table,
                _table_of(OWN, []).schema,
                mode="error" if connection is None else "overwrite",
                storage_options=BRIEF,
                commit_properties=_transaction(cursor),
            )
        else:
            self._append(connection, OWN, [], cursor)

    def cursor(self, connection: Any, name: str) -> Cursor | None:
        """Return a cursor."""
        stored = None if connection is None else connection.transaction_version(name)
        if stored is None:
            return None
        halves = [connection.transaction_version(f"{name}:{half}") for half in ("high", "low")]
        return Cursor(name, stored, "" if None in halves else "".join(f"{half:08x}" for half in halves))

    def write(self, connection: Any, rows: Sequence[Row], cursor: Cursor) -> None:
        """Commit rows and the cursor. Rows that the table has, in place of which the job has others, are deleted."""
        items = [{**_fields(row.item), KEY: row.key, PAGE: row.page} for row in rows]
        if "://" not in self._table:
            _check_space(self._table, rows)
        with _one_line():
            connection.update_incremental()
            stored = connection.transaction_version(cursor.id) or 0
            if stored > cursor.stored - len(rows):
                keys = ", ".join("'" + row.key.replace("'", "''") + "'" for row in rows)
                connection.delete(f"{KEY} IN ({keys})")
            columns = {name: kind for name, kind in _columns(connection).items() if kind is not None}
            self._append(connection, _different(learn(columns, items)), items, cursor)

    def _append(self, connection: Any, types: Mapping[str, str], items: Sequence[Any], cursor: Cursor) -> None:
        import deltalake  # noqa: PLC0415 - an extra

        deltalake.write_deltalake(
            connection,
            _table_of(types, items),
            mode="append",
            schema_mode="merge",
            commit_properties=_transaction(cursor),
        )


def _fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an item under names that are not those of own columns, and have no NUL."""
    return {
        f"{name}_" if name in OWN else name.replace("\0", "\N{REPLACEMENT CHARACTER}"): value
        for name, value in item.items()
    }


def _different(types: Mapping[str, str]) -> dict[str, str]:
    """Return the columns without those whose names differ in case only from an earlier one: they are rescued."""
    names = {RESCUED.casefold(): RESCUED}
    found = {name: kind for name, kind in types.items() if names.setdefault(name.casefold(), name) == name}
    return found if len(found) == len(types) else found | {RESCUED: "string"}


def _table_of(types: Mapping[str, str], items: Sequence[Any]) -> Any:
    """Return items as an Arrow table. Only columns of JSON are marked: the marks of a column may not change."""
    import pyarrow  # noqa: PLC0415, ICN001 - an extra

    table = table_of(types, items)
    marks = [{"type": "json"} if types[field.name] == "json" else None for field in table.schema]
    fields = [field.with_metadata(mark) for field, mark in zip(table.schema, marks, strict=True)]
    return pyarrow.Table.from_arrays(table.columns, schema=pyarrow.schema(fields))


def _transaction(cursor: Cursor) -> Any:
    """Return the properties of a commit that keeps a cursor: a count, and the two halves of a hash."""
    import deltalake  # noqa: PLC0415 - an extra

    numbers = {cursor.id: cursor.stored}
    if cursor.chain:
        numbers |= {f"{cursor.id}:high": int(cursor.chain[:8], 16), f"{cursor.id}:low": int(cursor.chain[8:], 16)}
    transactions = [deltalake.Transaction(name, number) for name, number in numbers.items()]
    return deltalake.CommitProperties(app_transactions=transactions)


def _columns(connection: Any) -> dict[str, str | None]:
    """Return the kinds of the columns of a table; `None` for a type that no item has."""
    found: dict[str, str | None] = {}
    for field in connection.schema().fields:
        kind = KINDS.get(getattr(field.type, "type", ""))
        is_json = kind == "string" and field.metadata.get("type") == "json"
        found[field.name] = "json" if is_json else kind
    return found


@contextmanager
def _one_line() -> Iterator[None]:
    """Shorten the errors of deltalake, whose messages have many lines, to what the server or the system says."""
    from deltalake.exceptions import DeltaError  # noqa: PLC0415 - an extra

    try:
        yield
    except (OSError, DeltaError) as error:
        text = BACKTRACE.sub("", str(error))
        lines = [line for line in ARROW.sub("", text).splitlines() if line.strip()]
        if len(lines) < 2 and text == str(error):
            raise
        raise type(error)(": ".join(dict.fromkeys(REASON.findall(text))) or lines[-1].strip()) from error


def _check_space(folder: str, rows: Sequence[Row]) -> None:
    """Raise `OSError` if a disk has less space than rows take as text, which is more than they take as Parquet.

    Where it gets full while deltalake writes, a thread of that library panics, and says so on standard error.
    """
    if shutil.disk_usage(folder).free < sum(len(row.data) + len(row.key) + len(row.page) for row in rows):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def _check_folder(path: Path) -> None:
    """Check that a folder can be written.

    Raises:
        ConfigError: It cannot.
    """
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"no such folder: {path.parent} (for {path})")
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file, and a Delta table is a folder: name another output")
    if path.is_dir() and any(path.iterdir()) and not (path / "_delta_log").is_dir():
        raise ConfigError(f"{path} is a folder of other files: name another output")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"no permission to write {path}")
