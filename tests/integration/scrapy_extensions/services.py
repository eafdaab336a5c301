"""Services on the loopback that projects send something to: statsd, Redis, MongoDB and SFTP."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymongo
from integration.databases.servers import Server, ask_redis, mongodb, redis
from integration.scrapy_extensions.environment import environment_python

__all__ = ["SERVICES"]


class Statsd:
    """Receives datagrams."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.url = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def received(self) -> dict[str, float]:
        """Return what has been counted, by name: counters are added up, of gauges the last value counts."""
        found: dict[str, float] = {}
        try:
            while True:
                name, _, rest = self._socket.recv(65536).decode().partition(":")
                value, _, kind = rest.partition("|")
                key = name.replace(".", "/")
                found[key] = float(value) + (found.get(key, 0) if kind == "c" else 0)
        except TimeoutError:
            return found

    forget = received

    def close(self) -> None:
        """Receive nothing more."""
        self._socket.close()


class Mongo:
    """A server of MongoDB."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Any = pymongo.MongoClient(url)

    def received(self) -> dict[str, list[Any]]:
        """Return the documents of the collections of the shop, without their ids."""
        shop = self._client["shop"]
        return {name: sorted(shop[name].find({}, {"_id": 0}), key=json.dumps) for name in shop.list_collection_names()}

    def forget(self) -> None:
        """Delete them."""
        self._client.drop_database("shop")

    def close(self) -> None:
        """Disconnect."""
        self._client.close()


@contextmanager
def _statsd() -> Iterator[Statsd]:
    with closing(Statsd()) as statsd:
        yield statsd


@contextmanager
def _mongodb() -> Iterator[Mongo]:
    with mongodb() as server, closing(Mongo(server.url)) as mongo:
        yield mongo


class Redis:
    """A server of Redis."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self._server = server

    def received(self) -> dict[str, list[str]]:
        """Return its keys, with the elements of those that are lists, sorted."""
        found = {}
        for key in ask_redis(self._server, "keys", "redis_queue*").split():
            is_list = ask_redis(self._server, "type", key).strip() == "list"
            found[key] = sorted(ask_redis(self._server, "lrange", key, "0", "-1").splitlines()) if is_list else []
        return found

    def forget(self) -> None:
        """Delete them."""
        ask_redis(self._server, "flushall")


@contextmanager
def _redis() -> Iterator[Redis]:
    with redis() as server:
        yield Redis(server)


class Sftp:
    """A server of SFTP."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    def received(self) -> dict[str, list[str]]:
        """Return the lines of its files, sorted."""
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self._folder)): sorted(path.read_text().splitlines()) for path in files}

    def forget(self) -> None:
        """Delete the files."""
        for path in self._folder.iterdir():
            shutil.rmtree(path)


@contextmanager
def _sftp() -> Iterator[Sftp]:
    with TemporaryDirectory() as folder:
        command = [environment_python(), Path(__file__).with_name("sftp_server.py"), folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                yield Sftp(f"127.0.0.1:{server.stdout.readline().strip()}", Path(folder))
            finally:
                server.kill()


SERVICES = {"SFTP": _sftp, "REDIS": _redis, "STATSD": _statsd, "MONGODB": _mongodb}
"""What runs a service, by the environment variable that has its address."""
