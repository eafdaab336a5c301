"""Outputs outside of the folder of a crawl: tables in PostgreSQL and MariaDB, and objects in S3.

::

    with outside() as places:
        with everywhere(folder, seed=1, hosts=4, pages=60, elsewhere=places("one")) as crawl:
            ...
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from crawler_plugins.outputs.objects import ObjectFolder
from integration.databases.servers import mariadb, postgresql
from integration.kills.results import Item
from obstore.store import from_url
from support.databases import Database
from support.objectstore import S3

from crawler.sinks import SqlSink, open_output

__all__ = ["Places", "outside", "with_options"]

Places = Callable[[str], Mapping[str, Callable[[], list[Item]]]]
"""Returns outputs that no other crawl has, by a name, with functions that return their items."""


@contextmanager
def outside() -> Iterator[Places]:
    """Run the servers until the block is left. The environment has what outputs need."""
    with ExitStack() as stack:
        urls = [stack.enter_context(start()).url for start in (postgresql, mariadb)]
        store = stack.enter_context(S3())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in store.variables.items():
            patch.setenv(name, value)

        def places(name: str) -> Mapping[str, Callable[[], list[Item]]]:
            tables = {with_options(url, table=name): _rows_in(url, name) for url in urls}
            objects = f"s3://bucket/{name}.jsonl"
            return {**tables, f"{objects}?rows=13&seconds=0.1": lambda: _objects_in(objects)}

        yield places


def with_options(url: str, **options: Any) -> str:
    """Return the URL of a database with options of an output."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(options)}"


def _rows_in(url: str, table: str) -> Callable[[], list[Item]]:
    def make(**options: Any) -> SqlSink:
        sink = open_output(with_options(url, **options))
        assert isinstance(sink, SqlSink)
        return sink

    return lambda: [(url, n) for url, n in Database(make, table).select("url", "n")]


def _objects_in(url: str) -> list[Item]:
    """Return the items of a folder of objects, each of which must be complete."""
    folder = ObjectFolder(url, from_url("s3://bucket"), url.removeprefix("s3://bucket/"))
    lines = [line for name in folder.names() for line in (folder.read(name) or b"").splitlines(keepends=True)]
    assert all(line.endswith(b"\n") for line in lines)
    return [(item["url"], item["n"]) for item in map(json.loads, lines)]
