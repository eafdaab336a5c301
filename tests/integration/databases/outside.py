"""Outputs to servers: PostgreSQL and MariaDB, MongoDB, and the object stores S3, Google Cloud Storage and Azure.

::

    with outside() as servers:
        with everywhere(folder, seed=1, hosts=4, pages=60, elsewhere=servers.places("one")) as crawl:
            ...
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import pymongo
import pytest
from crawler_plugins.outputs.objects import ObjectFolder
from integration.databases.servers import Server, azure, mariadb, mongodb, postgresql
from integration.kills.results import Item
from obstore.store import from_url
from support.databases import Database
from support.objectstore import S3, GoogleStorage

from crawler.sinks import SqlSink, open_output

__all__ = ["Outside", "Read", "Restarts", "outside", "with_options"]

STORES: Mapping[str, Callable[[], Any]] = {"s3": S3, "gs": GoogleStorage, "az": azure}
"""Servers of object stores by scheme."""
Read = Callable[[], list[Item]]
"""Returns the items of an output."""


class Restarts(Protocol):
    """A server that can be stopped and started again."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Outside:
    """The servers."""

    tables: list[Server]
    documents: Server
    stores: Mapping[str, Any]
    """By scheme."""

    @property
    def all(self) -> list[Restarts]:
        """All of them."""
        return [*self.tables, self.documents, *self.stores.values()]

    def places(self, name: str) -> Mapping[str, Read]:
        """Return outputs that no other crawl has, by a name, with functions that return their items."""
        urls = [server.url for server in self.tables]
        documents = self.documents.url
        # The name has the scheme: the servers of S3 and Google are one in this process, with the same objects.
        objects = {
            f"{scheme}://bucket/{scheme}/{name}.jsonl?rows=13&seconds=0.1": _objects_in(
                f"{scheme}://bucket", f"{scheme}/{name}.jsonl"
            )
            for scheme in self.stores
        }
        return {
            **{with_options(url, table=name): _rows_in(url, name) for url in urls},
            with_options(documents, collection=name): _documents_in(documents, name),
            **objects,
        }


@contextmanager
def outside() -> Iterator[Outside]:
    """Run the servers until the block is left. The environment has what outputs need."""
    with ExitStack() as stack:
        tables = [stack.enter_context(start()) for start in (postgresql, mariadb)]
        documents = stack.enter_context(mongodb())
        stores = {scheme: stack.enter_context(start()) for scheme, start in STORES.items()}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for store in stores.values():
            for name, value in store.variables.items():
                patch.setenv(name, value)
        yield Outside(tables, documents, stores)


def with_options(url: str, **options: Any) -> str:
    """Return the URL of a database with options of an output."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(options)}"


def _rows_in(url: str, table: str) -> Read:
    def make(**options: Any) -> SqlSink:
        sink = open_output(with_options(url, **options))
        assert isinstance(sink, SqlSink)
        return sink

    return lambda: [(url, n) for url, n in Database(make, table).select("url", "n")]


def _documents_in(url: str, collection: str) -> Read:
    def read() -> list[Item]:
        with pymongo.MongoClient[dict[str, Any]](url) as client:
            found = client.get_default_database()[collection].find()
            return [(document["url"], document["n"]) for document in found]

    return read


def _objects_in(bucket: str, prefix: str) -> Read:
    """Return a function that returns the items of a folder of objects, each of which must be complete."""

    def read() -> list[Item]:
        folder = ObjectFolder(bucket, from_url(bucket), prefix)
        lines = [line for name in folder.names() for line in (folder.read(name) or b"").splitlines(keepends=True)]
        assert all(line.endswith(b"\n") for line in lines)
        return [(item["url"], item["n"]) for item in map(json.loads, lines)]

    return read
