"""What every database output must do. The functions get a `Database`; the tests of each database call all of them.

::

    @pytest.mark.parametrize("check", CHECKS)
    async def test_database(check, tmp_path):
        await check(Database(lambda **options: SQLite(tmp_path / "items.sqlite", **options)))
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import trio
from support.crawls import CRAWL

from crawler import ConfigError, JobError, Row
from crawler.sinks import Held, SqlSink

__all__ = ["CHECKS", "Database", "full_disk", "rows_of", "store"]

TEXT = "ü\n'\"\\%s"
ALL_KINDS = {"text": TEXT, "int": 2**53, "float": 0.5, "yes": True, "no": False, "list": [1], "map": {"a": None}}


@dataclass
class Database:
    """A database under test."""

    make: Callable[..., SqlSink]
    """Returns a new sink for it. The arguments are options."""
    table: str = "items"
    """The table of the items."""

    def sink(self, **options: Any) -> SqlSink:
        """Return a new sink for the table."""
        return self.make(**({"table": self.table} | options))

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """Connect."""
        sink = self.sink()
        connection = sink.connect()
        try:
            yield sink, connection
        finally:
            sink.close(connection)

    def select(self, *columns: str, table: str | None = None) -> list[tuple[Any, ...]]:
        """Return columns of all rows, in the order of their keys."""
        with self.connected() as (sink, connection):
            names = ", ".join(map(sink.quote, columns))
            order = sink.quote("_key")
            return list(
                map(
                    tuple,
                    sink.execute(connection, f"SELECT {names} FROM {sink.quote(table or self.table)} ORDER BY {order}"),
                )
            )

    def execute(self, statement: str) -> None:
        """Execute a statement and commit it."""
        with self.connected() as (sink, connection):
            sink.start(connection)
            sink.execute(connection, statement)
            connection.commit()


def rows_of(*items: dict[str, Any], first: int = 0, kind: str = "") -> list[Row]:
    """Return rows with the keys ``k000``, ``k001``, …"""
    return [
        Row(msgspec.json.encode(item), f"k{number:03}", "http://site.test/", None, kind)
        for number, item in enumerate(items, first)
    ]


async def store(sink: SqlSink, *batches: Sequence[Row], position: Any = None) -> list[Any]:
    """Store batches as one run of a crawl does, and return the positions; the first is that before all batches."""
    sink.resumes, sink.position = position is not None, position
    if sink.resumes:
        sink.verify(lambda: iter(()))
    else:
        sink.check()
    async with sink.lifespan(CRAWL):
        positions = [sink.position]
        for batch in batches:
            positions.append(await trio.to_thread.run_sync(sink.persist, batch))  # noqa: PERF401
        positions.append(await trio.to_thread.run_sync(sink.flush))
    return positions


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file have more bytes than this: writing more fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def values_of_all_kinds_are_stored(database: Database) -> None:
    await store(database.sink(), rows_of(ALL_KINDS, {"text": "a\0b", "int": None}))
    [first, second] = database.select("_key", "_page", *ALL_KINDS)
    assert first == ("k000", "http://site.test/", TEXT, 2**53, 0.5, True, False, "[1]", '{"a":null}')
    assert second == ("k001", "http://site.test/", "a\N{REPLACEMENT CHARACTER}b", *[None] * 6)


async def columns_grow_with_the_items(database: Database) -> None:
    await store(database.sink(), rows_of({"a": "1"}), rows_of({"b": 2}, {"a": "3", "c": 0.5}, first=1))
    assert database.select("a", "b", "c") == [("1", None, None), (None, 2, None), ("3", None, 0.5)]


async def a_column_gets_a_wider_type(database: Database) -> None:
    batches = [{"n": 1, "t": 1, "b": True, "l": 5}, {"n": 0.5, "t": "007", "b": "no", "l": [1]}]
    await store(database.sink(), *(rows_of(item, first=number) for number, item in enumerate(batches)))
    [first, second] = database.select("n", "t", "b", "l")
    assert (first[0], str(first[1]), str(first[3])) == (1, "1", "5")
    assert first[2] in (True, "true", "1")
    assert second == (0.5, "007", "no", "[1]")
    await store(database.sink(if_exists="append"), rows_of({"n": 2**70, "t": {}}, first=2))
    assert [str(value) for value in database.select("n", "t")[2]] == [str(2**70), "{}"]


async def unusual_names_of_fields_are_columns(database: Database) -> None:
    names = ["", "A", "a", "_key", "_PAGE", 'q"`uo%s te', "x" * 200 + "1", "x" * 200 + "2", "select", "ü"]
    item = {name: number for number, name in enumerate(names)}
    await store(database.sink(), rows_of(item), rows_of({"a": 9}, first=1))
    with database.connected() as (sink, connection):
        columns = list(sink.columns(connection, database.table))
    assert len({column.casefold() for column in columns}) == len(columns) == len(names) + 2
    assert sorted(value for value in database.select(*columns)[0] if isinstance(value, int)) == list(range(len(names)))
    [column] = [name for name, value in zip(columns, database.select(*columns)[1], strict=True) if value == 9]
    assert database.select(column) == [(2,), (9,)]


async def each_class_of_items_has_a_table(database: Database) -> None:
    sink = database.sink(table=f"{database.table}_%(type)s")
    quotes = [rows_of({"a": number}, first=number, kind="Quote") for number in (0, 2)]
    await store(sink, quotes[0] + rows_of({"b": 1}, first=1) + quotes[1])
    assert database.select("_key", "a", table=f"{database.table}_Quote") == [("k000", 0), ("k002", 2)]
    assert database.select("_key", "b", table=f"{database.table}_item") == [("k001", 1)]


async def fields_beyond_the_columns_of_a_table_are_kept_as_json(database: Database) -> None:
    sink = database.sink()
    sink.max_columns = 4  # type: ignore[misc]  # two of them are its own
    await store(
        sink, rows_of({"a": 1, "b": "x", "c": [1], "d": None, "e": "a\0b"}), rows_of({"f": 0.5, "a": 2}, first=1)
    )
    with database.connected() as (other, connection):
        assert list(other.columns(connection, database.table)) == ["_key", "_page", "a", "b", "_rescued_data"]
    [first, second] = database.select("a", "b", "_rescued_data")
    assert (first[:2], msgspec.json.decode(first[2])) == ((1, "x"), {"c": [1], "e": "a\0b"})
    assert (second[:2], msgspec.json.decode(second[2])) == ((2, None), {"f": 0.5})
    await store(database.sink(if_exists="append"), rows_of({"_rescued_data": 3}, first=2))
    assert database.select("_rescued_data")[2] == (None,)


async def a_repeated_batch_changes_nothing(database: Database) -> None:
    first = database.sink()
    [start, *_] = await store(first, rows_of({"n": 1}, {"n": 2}), rows_of({"n": 3}, first=2))
    batches = [rows_of({"n": 1}), rows_of({"n": 2}, {"n": 3}, first=1), rows_of({"n": 4}, first=3)]
    positions = await store(database.sink(), *batches, position=start)
    assert database.select("_key", "n") == [("k000", 1), ("k001", 2), ("k002", 3), ("k003", 4)]
    assert isinstance(positions[1], Held)
    assert positions[-1]["stored"] == 4


async def rows_that_a_reader_has_taken_do_not_come_back(database: Database) -> None:
    """The job is behind the database, which knows that it has stored the rows."""
    [start, *_] = await store(database.sink(), rows_of({"n": 1}, {"n": 2}))
    database.execute(f"DELETE FROM {database.sink().quote(database.table)}")
    await store(database.sink(), rows_of({"n": 1}), rows_of({"n": 2}, {"n": 3}, first=1), position=start)
    assert database.select("n") == [(3,)]


async def rows_in_place_of_lost_ones_are_stored(database: Database) -> None:
    """A power failure took pages from the job; it has fetched them again, in another order or with other items."""
    [start, *_] = await store(database.sink(), rows_of({"n": 1}, {"n": 2}))
    await store(database.sink(), rows_of({"n": 7}), rows_of({"n": 8}, {"n": 9}, first=1), position=start)
    assert database.select("n") == [(7,), (8,), (9,)]
    [start, *_] = await store(database.sink(if_exists="overwrite"), rows_of({"n": 1}, {"n": 2}, {"n": 3}))
    await store(database.sink(), rows_of({"n": 5}), position=start)
    assert database.select("n") == [(5,), (2,), (3,)]


async def a_database_that_has_lost_rows_is_refused(database: Database) -> None:
    [*_, position] = await store(database.sink(), rows_of({"n": 1}))
    with pytest.raises(
        JobError, match=r"has lost items that the job wrote to it \(1 of 2\): restore it, or name another"
    ):
        await store(database.sink(), position=position | {"stored": 2})
    with pytest.raises(JobError, match=r"\(0 of 1\)"):
        await store(database.sink(), position=position | {"id": "other"})
    with pytest.raises(JobError, match=r"has lost items"):
        await store(database.sink(), position=position | {"chain": "other"})


async def an_existing_table_is_refused_replaced_or_extended(database: Database) -> None:
    await store(database.sink(), rows_of({"n": 1}))
    with pytest.raises(ConfigError, match=f"the table {database.table} has rows already: --overwrite"):
        await store(database.sink())
    await store(database.sink(if_exists="append"), rows_of({"n": 2}, first=1))
    assert database.select("n") == [(1,), (2,)]
    await store(database.sink(if_exists="overwrite"), rows_of({"m": 3}))
    assert database.select("_key", "m") == [("k000", 3)]
    await store(database.sink(table=f"{database.table}_2"), rows_of({"m": 4}))


async def workers_of_a_job_share_a_table(database: Database) -> None:
    """A worker that joins neither refuses the rows of the others nor deletes them; one of another job does."""
    for if_exists in ("error", "overwrite"):
        for n in (1, 2):
            worker = database.sink(if_exists=if_exists)
            worker.shared_job = if_exists
            await store(worker, rows_of({"n": n}, first=n))
        assert database.select("_key", "n") == [("k001", 1), ("k002", 2)]
    other = database.sink()
    other.shared_job = "other"
    with pytest.raises(ConfigError, match="has rows already"):
        await store(other)


async def a_table_of_another_form_is_refused(database: Database) -> None:
    database.execute(f"CREATE TABLE {database.sink().quote(database.table)} (a INTEGER)")
    for if_exists in ("error", "append", "overwrite"):
        with pytest.raises(ConfigError, match=f"the table {database.table} has no column _key: name another table"):
            await store(database.sink(if_exists=if_exists))


async def a_batch_that_fails_is_rolled_back(database: Database) -> None:
    sink = database.sink()
    write_rows = sink._write_table

    def fail(connection: Any, table: str, records: Any, names: Any) -> None:
        write_rows(connection, table, records, names)
        raise ValueError("failed")

    sink._write_table = fail  # type: ignore[method-assign]
    sink.check()
    async with sink.lifespan(CRAWL):
        with pytest.raises(OSError, match="failed"):
            await trio.to_thread.run_sync(sink.persist, rows_of({"n": 1}))
        sink._write_table = write_rows  # type: ignore[method-assign]
        await trio.to_thread.run_sync(sink.persist, rows_of({"n": 1}))
    assert database.select("n") == [(1,)]


async def a_commit_that_was_not_acknowledged_is_recognized(database: Database) -> None:
    """The connection ends when the database has committed."""
    sink = database.sink()
    write, writes = sink.write, 0

    def write_and_fail(connection: Any, rows: Sequence[Row], cursor: Any) -> None:
        nonlocal writes
        writes += 1
        write(connection, rows, cursor)
        if writes == 1:
            raise ConnectionError("reset by peer")

    sink.write = write_and_fail  # type: ignore[method-assign]
    is_lost = sink.is_lost
    sink.is_lost = lambda error: isinstance(error, ConnectionError) or is_lost(error)  # type: ignore[method-assign]
    await store(sink, rows_of({"n": 1}), rows_of({"n": 2}, first=1))
    assert writes == 2
    assert database.select("n") == [(1,), (2,)]


async def two_crawls_may_create_the_cursors_at_the_same_time(database: Database) -> None:
    """The database reports the table that the other crawl has just created."""
    sink = database.sink()
    execute = sink.execute

    def other_is_first(connection: Any, statement: str, *values: Any) -> list[Any]:
        found = execute(connection, statement, *values)
        if statement.startswith("CREATE TABLE IF NOT EXISTS"):
            connection.commit()
            raise ValueError("duplicate key value violates a unique constraint")
        return found

    sink.execute = other_is_first  # type: ignore[method-assign]
    await store(sink, rows_of({"n": 1}))
    assert database.select("n") == [(1,)]


CHECKS: list[Callable[[Database], Awaitable[None]]] = [
    values_of_all_kinds_are_stored,
    columns_grow_with_the_items,
    a_column_gets_a_wider_type,
    unusual_names_of_fields_are_columns,
    each_class_of_items_has_a_table,
    fields_beyond_the_columns_of_a_table_are_kept_as_json,
    a_repeated_batch_changes_nothing,
    rows_that_a_reader_has_taken_do_not_come_back,
    rows_in_place_of_lost_ones_are_stored,
    a_database_that_has_lost_rows_is_refused,
    an_existing_table_is_refused_replaced_or_extended,
    workers_of_a_job_share_a_table,
    a_table_of_another_form_is_refused,
    a_batch_that_fails_is_rolled_back,
    a_commit_that_was_not_acknowledged_is_recognized,
    two_crawls_may_create_the_cursors_at_the_same_time,
]
