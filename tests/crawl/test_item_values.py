"""Values of every type in every output: what JSON makes of them, or one clear line if it has no form for them."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crawler import Settings, Spider, run
from crawler.testing import FakeSite

LONG = "x" * 3_000_000


class Colour(Enum):
    RED = "red"


VALUES = {
    "decimal": (Decimal("1.50"), "1.50"),
    "aware": (datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=2))), "2026-01-02T03:04:05.000006+02:00"),
    "utc": (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
    "naive": (datetime(2026, 1, 2), "2026-01-02T00:00:00"),  # noqa: DTZ001 - items have such values
    "date": (date(2026, 1, 2), "2026-01-02"),
    "duration": (timedelta(seconds=90), "PT90S"),
    "bytes": (b"\0\xff", "AP8="),
    "set": ({1}, [1]),
    "tuple": ((1, "a"), [1, "a"]),
    "nested": ({"a": [{"b": None}, {}]}, {"a": [{"b": None}, {}]}),
    "integer keys": ({1: 2}, {"1": 2}),
    "nan": (float("nan"), None),
    "infinite": (float("-inf"), None),
    "surrogate": ("a\ud83d", "a\N{REPLACEMENT CHARACTER}"),
    "nul": ("a\0b", "a\0b"),
    "lines": ('a\r\nb,"c";\td', 'a\r\nb,"c";\td'),
    "formula": ("=1+1", "=1+1"),
    "uuid": (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "enum": (Colour.RED, "red"),
    "none": (None, None),
    "empty": ("", ""),
    "true": (True, True),
    "zero": (-0.0, -0.0),
    "large": (1e300, 1e300),
    "small": (5e-324, 5e-324),
    "whole": (2.0, 2.0),
    "exact": (2**53 + 1, 2**53 + 1),
    "least": (-(2**63), -(2**63)),
    "beyond": (2**70, 2**70),
    "list beyond": ([2**70, float("nan")], [2**70, None]),
    "long": (LONG, LONG),
    "list of long": ([LONG], [LONG]),
}
"""A value of an item, and the value that it has as JSON, by name."""
OUTPUTS = ["items.jsonl", "items.json", "items.csv", "items.jsonl.gz", "items.parquet", "items.arrows", "items.sqlite",
           "items.duckdb"]  # fmt: skip


class Weird(Spider):
    """Yields an item with each value, in a column of its own and in one that all share."""

    settings = Settings(obey_robots=False, per_host=1)
    start_urls = [f"https://site.test/{name}" for name in VALUES]

    def parse(self, response):
        name = response.meta.get("name") or response.url.rpartition("/")[2].replace("%20", " ")
        yield {"name": name, "all": VALUES[name][0], f"only {name}": VALUES[name][0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("values")
    site = FakeSite({f"/{name.replace(' ', '%20')}": "x" for name in VALUES})
    report = run(Weird(), outputs=[folder / output for output in OUTPUTS], transport=site.transport)
    assert (report.items, report.failed) == (len(VALUES), 0)
    return folder


def is_same(found, wanted):
    return (type(found), found) == (type(wanted), wanted)


def test_files_of_json_have_the_values_as_json(folder):
    lines = [json.loads(line) for line in (folder / "items.jsonl").read_text().split("\n")[:-1]]
    for items in (lines, json.loads((folder / "items.json").read_text())):
        found = {item["name"]: (item["all"], item[f"only {item['name']}"]) for item in items}
        assert found.keys() == VALUES.keys()
        for name, (_, wanted) in VALUES.items():
            assert is_same(found[name][0], wanted), name
            assert is_same(found[name][1], wanted), name


def test_csv_has_text_as_it_is_and_other_values_as_json(folder):
    before = csv.field_size_limit(2 * len(LONG))
    try:
        with (folder / "items.csv").open(newline="") as file:
            found = {row["name"]: row["all"] for row in csv.DictReader(file)}
    finally:
        csv.field_size_limit(before)
    for name, (_, wanted) in VALUES.items():
        if isinstance(wanted, str):
            assert found[name] == wanted
        elif wanted is None:
            assert found[name] == ""
        else:
            assert is_same(json.loads(found[name]), wanted), name


@pytest.mark.parametrize("output", ["items.parquet", "items.arrows"])
def test_arrow_tables_rescue_values_that_do_not_fit_a_column(folder, output):
    if output == "items.parquet":
        table = pq.read_table(folder / output)
    else:
        with pa.ipc.open_stream((folder / output).read_bytes()) as stream:
            table = stream.read_all()
    for row in table.to_pylist():
        _, wanted = VALUES[row["name"]]
        rescued = json.loads(row["_rescued_data"] or "{}")
        assert is_same(row["all"] if "all" not in rescued else rescued["all"], wanted), row["name"]
        found = row.get(column := f"only {row['name']}")
        if column in rescued:
            found = rescued[column]
        elif isinstance(wanted, (dict, list)) or row["name"] == "beyond":
            found = json.loads(found)
        assert is_same(found, wanted), row["name"]


def test_databases_have_json_in_columns_of_text(folder):
    with closing(sqlite3.connect(folder / "items.sqlite")) as sqlite, duckdb.connect(folder / "items.duckdb") as other:
        for database in (sqlite, other):
            found = dict(database.execute('SELECT name, "all" FROM items').fetchall())
            assert found.keys() == VALUES.keys()
            for name, (_, wanted) in VALUES.items():
                if isinstance(wanted, str):
                    assert found[name] == wanted.replace("\0", "\N{REPLACEMENT CHARACTER}")
                elif isinstance(found[name], str):
                    assert is_same(json.loads(found[name]), wanted), name
                else:
                    assert found[name] == wanted, name


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Path("x"), "its field 'v': Encoding objects of type PosixPath is unsupported"),
        (1j, "its field 'v': Encoding objects of type complex is unsupported"),
        (object(), "its field 'v': Encoding objects of type object is unsupported"),
        ({(1, 2): 3}, "its field 'v': Only dicts with str-like or number-like keys are supported"),
    ],
)
def test_a_value_without_a_form_in_json_fails_its_page_with_one_line(tmp_path, caplog, value, words):
    class One(Spider):
        settings = Settings(obey_robots=False)
        start_urls = ["https://site.test/1", "https://site.test/2"]

        def parse(self, response):
            yield {"v": value if response.url.endswith("1") else 2}

    output = tmp_path / "items.jsonl"
    report = run(One(), outputs=[output], transport=FakeSite({"/1": "x", "/2": "x"}).transport)
    assert (report.failed, output.read_text()) == (1, '{"v":2}\n')
    [record] = caplog.records
    assert record.message == f"one.parse failed for https://site.test/1: an item cannot be written as JSON: {words}"
