"""`MongoServer`: a server that speaks the wire protocol of MongoDB, for tests of its output.

It understands the messages that pymongo sends (``OP_MSG``, and ``OP_QUERY`` for the first ``hello``) and the commands
of the output, and keeps its documents in memory. It is no MongoDB: it shows the commands of the output, and how the
output copes with a server that goes away.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import bson

__all__ = ["MongoServer", "mongo_server"]

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADER = struct.Struct("<iiii")
HELLO = {
    "ismaster": True,
    "isWritablePrimary": True,
    "helloOk": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "ok": 1.0,
}


class MongoServer:
    """The documents of a server, by database and collection, which outlive its connections."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, dict[Any, dict[str, Any]]]] = {}
        self.commands: list[str] = []
        """Names of the commands, in order."""
        self.die_after: int | None = None
        """Number of ``update`` commands after which all connections end and no new one is accepted."""
        self.loses_answer = False
        """Whether the command that ends the connections is carried out, and its answer lost."""
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"mongodb://127.0.0.1:{self.port}/shop"

    def documents(self, collection: str = "items", database: str = "shop") -> list[dict[str, Any]]:
        """Return the documents of a collection."""
        return list(self.data.get(database, {}).get(collection, {}).values())

    def start(self) -> None:
        """Listen, at the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """End all connections, and accept no new ones."""
        listener, self._listener = self._listener, None
        for one in [*([listener] if listener else []), *self._connections]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, struct.error, ConnectionError):
            while True:
                size, request, _, code = HEADER.unpack(_read(connection, HEADER.size))
                body = _read(connection, size - HEADER.size)
                if code == OP_QUERY:
                    reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO)
                    connection.sendall(HEADER.pack(HEADER.size + len(reply), 0, request, OP_REPLY) + reply)
                    continue
                assert code == OP_MSG, code
                with self._lock:
                    answer = self._carry_out(_command(body))
                if answer is None:
                    self.stop()
                    return
                reply = struct.pack("<ib", 0, 0) + bson.encode(answer)
                connection.sendall(HEADER.pack(HEADER.size + len(reply), 0, request, OP_MSG) + reply)

    def _carry_out(self, command: dict[str, Any]) -> dict[str, Any] | None:
        name = next(iter(command))
        self.commands.append(name)
        if name == "update" and self.die_after is not None:
            self.die_after -= 1
            if self.die_after < 0:
                self.die_after = None
                if self.loses_answer:
                    self._update(command)
                return None
        method = getattr(self, f"_{name.lower()}", None)
        if method is None:
            return {"ok": 0.0, "errmsg": f"no such command: {name}", "code": 59}
        return {**method(command), "ok": 1.0}

    def _hello(self, command: dict[str, Any]) -> dict[str, Any]:
        return HELLO

    _ismaster = _hello

    def _ping(self, command: dict[str, Any]) -> dict[str, Any]:
        return {}

    _endsessions = _ping

    def _collection(self, command: dict[str, Any]) -> dict[Any, dict[str, Any]]:
        return self.data.setdefault(command["$db"], {}).setdefault(next(iter(command.values())), {})

    def _update(self, command: dict[str, Any]) -> dict[str, Any]:
        found = self._collection(command)
        for update in command["updates"]:
            [(field, key)] = update["q"].items()
            assert (field, update["upsert"]) == ("_id", True)
            assert not any(name.startswith("$") for name in update["u"]), "an operator in a replacement"
            found[key] = {"_id": key, **update["u"]}
        return {"n": len(command["updates"]), "nModified": 0}

    def _delete(self, command: dict[str, Any]) -> dict[str, Any]:
        assert command["deletes"] == [{"q": {}, "limit": 0}]
        found = self._collection(command)
        count = len(found)
        found.clear()
        return {"n": count}

    def _find(self, command: dict[str, Any]) -> dict[str, Any]:
        found, wanted = self._collection(command), command.get("filter", {})
        rows = [document for document in found.values() if all(document.get(k) == v for k, v in wanted.items())]
        first = rows[: command.get("limit", 101)]
        return {"cursor": {"id": 0, "ns": "x.y", "firstBatch": first}}

    def _listcollections(self, command: dict[str, Any]) -> dict[str, Any]:
        names = [name for name, documents in self.data.get(command["$db"], {}).items() if documents]
        batch = [{"name": name, "type": "collection"} for name in names]
        return {"cursor": {"id": 0, "ns": "x.y", "firstBatch": batch}}


def _command(body: bytes) -> dict[str, Any]:
    """Return the command of an ``OP_MSG``, with the documents of its sequences."""
    command: dict[str, Any] = {}
    at = 4
    while at < len(body):
        kind = body[at]
        [size] = struct.unpack_from("<i", body, at + 1)
        section = body[at + 1 : at + 1 + size]
        if kind == 0:
            command = {**bson.decode(section), **command}
        else:
            name, _, documents = section[4:].partition(b"\0")
            command[name.decode()] = bson.decode_all(documents)
        at += 1 + size
    return command


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


@contextmanager
def mongo_server() -> Iterator[MongoServer]:
    """Run a server."""
    server = MongoServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
