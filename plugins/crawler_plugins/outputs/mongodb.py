"""`MongoDB`: items as documents of a MongoDB collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import msgspec

from crawler import ConfigError, Row
from crawler.sinks import Cursor, IfExists, KeyedSink

if TYPE_CHECKING:
    import pymongo

__all__ = ["MongoDB"]

ID: Final = "_id"
OTHER_ID: Final = "_id_"
"""The field `_id` of an item that does not identify its document."""
PAGE: Final = "_page"
CURSORS: Final = "crawler_cursor"
"""The collection of the cursors."""
TYPE: Final = "%(type)s"
UNSAFE: Final = re.compile(r"\W+")
MAX_INTEGER: Final = 2**63
MAX_DEPTH: Final = 90
"""Maximum depth of nested lists and objects: MongoDB allows 100."""
MAX_BATCH: Final = 1000
"""Documents of one write."""
CLIENT: Final[dict[str, Any]] = {
    "appname": "crawler",
    "connectTimeoutMS": 10_000,
    "serverSelectionTimeoutMS": 10_000,
    "socketTimeoutMS": 60_000,
    "w": "majority",
    "maxPoolSize": 1,
}
"""Options that detect a lost server in time, and survive its crash; the URL may set others."""


class MongoDB(KeyedSink):
    """Items as documents of a MongoDB collection, one each.

    A document is identified by the field `_id` of the item, or by the field that ``id_field`` names, so that a later
    crawl replaces it; an item without that field, by ``row.key``. The field ``_page`` is the URL of the page that the
    item came from. Whole numbers beyond 64 bits become text, lists and objects within 90 others JSON text, and ``$`` at
    the beginning of a name U+FF04.

    Parameters:
        url: ``mongodb://user:password@host:27017/database`` or ``mongodb+srv://…``, with the options of MongoDB in its
            query.
        collection: The collection. With ``%(type)s`` in its name, each class of items has a collection of its own.
        id_field: Name of the field that identifies a document; its values are strings or numbers.
        if_exists: What to do if the collection has documents: ``error``, ``overwrite`` (delete them), or ``append``.
        retry: Seconds for which to reconnect to a lost server.

    Raises:
        ConfigError: The URL names no database, or an option is wrong.
    """

    name = "mongodb"
    guarantee = "exactly once: documents are replaced by their identifier, and the database keeps the progress"
    requires = {"pymongo": "trio-crawler[mongodb]"}
    url_options = frozenset(
        {
            "appName", "authMechanism", "authMechanismProperties", "authSource", "compressors", "connectTimeoutMS",
            "directConnection", "heartbeatFrequencyMS", "journal", "loadBalanced", "localThresholdMS", "maxIdleTimeMS",
            "readConcernLevel", "readPreference", "readPreferenceTags", "replicaSet", "retryReads", "retryWrites",
            "serverMonitoringMode", "serverSelectionTimeoutMS", "socketTimeoutMS", "srvMaxHosts", "srvServiceName",
            "ssl", "timeoutMS", "tls", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames", "tlsCAFile",
            "tlsCRLFile", "tlsCertificateKeyFile", "tlsCertificateKeyFilePassword", "tlsDisableOCSPEndpointCheck",
            "tlsInsecure", "w", "wTimeoutMS", "zlibCompressionLevel",
        }
    )  # fmt: skip

    def __init__(
        self,
        url: str,
        *,
        collection: str = "items",
        id_field: str = ID,
        if_exists: IfExists = "error",
        retry: float = 150.0,
    ) -> None:
        super().__init__(url, retry=retry)
        database = unquote(urlsplit(url).path.removeprefix("/"))
        if not database or "/" in database:
            raise ConfigError(f"{self.place}: name a database, as in mongodb://HOST/DATABASE")
        plain = collection.replace(TYPE, "")
        if not collection or "%(" in plain or "\0" in plain or "$" in plain or plain.startswith("system."):
            raise ConfigError(f"{self.place}: {collection!r} is not the name of a collection")
        if not id_field:
            raise ConfigError(f"{self.place}: id_field must be the name of a field")
        self.collection = collection
        self.id_field = id_field
        self.name = f"{self.name}:{collection}"
        self._url = url
        self._database = database
        self._if_exists = if_exists

    def connect(self) -> pymongo.MongoClient[dict[str, Any]]:
        """Connect, and ask the server for an answer."""
        import pymongo  # noqa: PLC0415 - an extra

        given = {name.lower() for name, _ in parse_qsl(urlsplit(self._url).query)}
        options = {name: value for name, value in CLIENT.items() if name.lower() not in given}
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(self._url, **options)
        with ExitStack() as stack:
            stack.callback(client.close)
            with _one_line():
                client.admin.command("ping")
            stack.pop_all()
        return client

    def close(self, connection: Any) -> None:
        """Close a connection."""
        connection.close()

    def is_lost(self, error: Exception) -> bool:
        """Return whether the connection has ended, or another one may work."""
        from pymongo.errors import ConnectionFailure, PyMongoError  # noqa: PLC0415 - an extra

        if isinstance(error, ConnectionFailure):  # with all of its kinds: no server, no primary, a timeout
            return True
        return isinstance(error, PyMongoError) and (error.timeout or error.has_error_label("RetryableWriteError"))

    # Collections

    def _collections(self, connection: Any) -> Iterator[Any]:
        """Yield the collections of the output that exist.

        Raises:
            ConfigError: The collection has documents of another origin.
        """
        database = connection[self._database]
        before, _, after = self.collection.partition(TYPE)
        pattern = re.compile(re.escape(before) + (r"\w+" if TYPE in self.collection else "") + re.escape(after))
        for name in sorted(database.list_collection_names()):
            if name == CURSORS or not pattern.fullmatch(name):
                continue
            first = database[name].find_one()
            if first is None or PAGE in first:
                yield database[name]
            elif name == self.collection:
                raise ConfigError(
                    f"{self.place}: the collection {name} has documents without {PAGE}: name another collection"
                )

    def check_place(self, connection: Any) -> None:
        """Refuse collections with documents, or with documents of another origin."""
        for found in list(self._collections(connection)):
            if self._if_exists == "error" and found.find_one() is not None:
                how = "--overwrite deletes them, --append adds to them (in Python: if_exists)"
                raise ConfigError(f"{self.place}: the collection {found.name} has documents already: {how}")

    def begin(self, connection: Any, cursor: Cursor) -> None:
        """Store the first cursor, and delete the documents under ``overwrite``."""
        self.check_place(connection)
        if self._if_exists == "overwrite":
            for found in list(self._collections(connection)):
                found.delete_many({})
        self._save(connection, cursor)

    def cursor(self, connection: Any, name: str) -> Cursor | None:
        """Return a cursor."""
        found = connection[self._database][CURSORS].find_one({ID: name})
        return None if found is None else Cursor(name, found["stored"], found["chain"])

    def _save(self, connection: Any, cursor: Cursor) -> None:
        values = attrs.asdict(cursor)
        connection[self._database][CURSORS].replace_one({ID: cursor.id}, {ID: values.pop("id"), **values}, upsert=True)

    # Documents

    def write(self, connection: Any, rows: Sequence[Row], cursor: Cursor) -> None:
        """Replace documents, then the cursor: rows that come again replace the same documents."""
        from pymongo import ReplaceOne  # noqa: PLC0415 - an extra

        by_collection: dict[str, dict[Any, dict[str, Any]]] = {}
        for row in rows:
            document = self._document(row)
            by_collection.setdefault(self._collection_of(row), {})[document[ID]] = document  # the last one counts
        for name, documents in by_collection.items():
            target = connection[self._database][name]
            changes = [ReplaceOne({ID: key}, document, upsert=True) for key, document in documents.items()]
            for start in range(0, len(changes), MAX_BATCH):
                with _one_line():
                    target.bulk_write(changes[start : start + MAX_BATCH], ordered=False)
        with _one_line():
            self._save(connection, cursor)

    def _collection_of(self, row: Row) -> str:
        return self.collection.replace(TYPE, UNSAFE.sub("_", row.type) or "item")

    def _document(self, row: Row) -> dict[str, Any]:
        item = {name: _value(value) for name, value in _fields(row.item.items())}
        key = item.get(self.id_field)
        is_key = isinstance(key, (str, int, float)) and not isinstance(key, bool)
        if ID in item and not (is_key and self.id_field == ID):
            item[OTHER_ID] = item[ID]
        return {PAGE: row.page} | item | {ID: key if is_key else row.key}


@contextmanager
def _one_line() -> Iterator[None]:
    """Shorten the error of an unreachable server, whose message describes the topology and all timeouts."""
    from pymongo.errors import AutoReconnect  # noqa: PLC0415 - an extra

    try:
        yield
    except AutoReconnect as error:
        raise AutoReconnect(str(error).partition(" (configured")[0]) from error


def _fields(fields: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield fields with names that MongoDB takes: they end at a NUL, and ``$`` begins an operator."""
    for name, value in fields:
        name = name.replace("\0", "\N{REPLACEMENT CHARACTER}")
        yield f"\N{FULLWIDTH DOLLAR SIGN}{name[1:]}" if name.startswith("$") else name, value


def _value(value: Any, depth: int = 1) -> Any:
    """Return a JSON value as BSON has it: whole numbers have 64 bits, and what is too deep is JSON text."""
    if isinstance(value, int):
        return value if -MAX_INTEGER <= value < MAX_INTEGER else str(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth > MAX_DEPTH:
        return msgspec.json.encode(value).decode()
    if isinstance(value, dict):
        return {name: _value(inner, depth + 1) for name, inner in _fields(value.items())}
    return [_value(inner, depth + 1) for inner in value]
