"""`Connection`: calls the functions of a job in Redis or Valkey, and waits while the server cannot be reached."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from importlib.resources import files
from typing import Any, Final, Self

import coredis
import msgspec
import trio
from coredis.connection import TCPLocation
from coredis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
    UnblockedError,
)
from coredis.pool import ClusterConnectionPool, ConnectionPool
from coredis.retry import NoRetryPolicy

from crawler import JobError
from crawler.store import get_logger
from crawler_plugins.stores.redis.address import Address

__all__ = ["Connection"]

PREFIX: Final = "crawler_job_6_"
"""Of the names of all functions. Its number is that of the form of their calls, so that versions can share a server."""
PARTS: Final = ("base", "groups", "owners", "status", "requests", "calls_leases", "calls_pages", "calls_jobs")
"""The files of the library, in their order."""
FIRST_PAUSE: Final = 0.1
LAST_PAUSE: Final = 2.0
OUT_OF_SERVICE: Final = (BusyLoadingError, ClusterDownError, ReadOnlyError, TryAgainError, UnblockedError)
"""Errors of a server that is starting, has no data yet, or is giving its place to another one."""
OUT_OF_SERVICE_CODES: Final = ("MASTERDOWN", "BUSY")
"""Beginnings of such errors for which coredis has no class."""
CONNECT_TIMEOUT: Final = 5
"""Seconds."""
OPEN_TIMEOUT: Final = 15
"""Seconds in which a server must have answered the first commands."""
CLOSE_TIMEOUT: Final = 2
"""Seconds."""
LONGEST_SLEEP: Final = 5
"""Seconds between two checks of the job, at most."""
KEEP_TIMEOUT: Final = 10_000
"""Milliseconds in which the disk and the replicas must have what was written; then the call is repeated."""
MAX_CONNECTIONS: Final = 65_536
"""Size of the pool. coredis never frees the place of a connection that breaks while it is in use."""
NO_EVICTION: Final = "noeviction"
LONGEST_CALL: Final = "proto-max-bulk-len"
"""The setting of a server for the bytes of one argument. A longer one breaks the connection, each time."""
USUAL_LONGEST: Final = 512 * 1024**2
"""Its default."""
READS: Final = frozenset({"open", "more", "has_body", "read", "resume"})
log = get_logger("crawler.store")


class Connection:
    """Connections to the server of a job. It is an asynchronous context manager."""

    def __init__(self, address: Address, *, power: bool) -> None:
        self.address = address
        self._power = power
        self._client: Any = None
        self._opened, self._closing, self._closed = trio.Event(), trio.Event(), trio.Event()
        self._failure: Exception | None = None
        self._longest = USUAL_LONGEST
        self._key = f"{{crawler:{address.job}}}"

    async def __aenter__(self) -> Self:
        self._client = self._make_client()
        trio.lowlevel.spawn_system_task(self._run_client)
        try:
            with trio.move_on_after(OPEN_TIMEOUT) as scope:
                await self._open()
                return self
            raise self._silent()
        except (RedisError, OSError) as error:
            self._closing.set()
            await trio.lowlevel.checkpoint_if_cancelled()  # noqa: ASYNC120 - to coredis, a cancellation is a lost connection
            raise self._silent() if scope.cancel_called else self._describe(error) from error
        except BaseException:
            self._closing.set()
            raise

    async def _open(self) -> None:
        await self._opened.wait()
        if self._failure is not None:
            raise self._failure
        await self._check_server()
        if not self.address.cluster:  # the setting is one of a server
            with suppress(ResponseError):  # a hosted server may hide it
                found = await self._client.config_get([LONGEST_CALL])
                self._longest = int(found.get(LONGEST_CALL.encode(), USUAL_LONGEST))
        await self._load()

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True):
            await self._closed.wait()

    async def _run_client(self) -> None:
        """Keep the client open. Its tasks are not children of the crawl: a worker that is cancelled can still leave."""
        try:
            async with self._client:
                self._opened.set()
                await self._closing.wait()
        except Exception as error:
            self._failure = error
        finally:
            self._opened.set()
            self._closed.set()

    def _make_client(self) -> Any:
        place = self.address
        options: dict[str, Any] = {
            "username": place.username, "password": place.password, "connect_timeout": CONNECT_TIMEOUT,
            "socket_keepalive": True, "socket_keepalive_options": _keepalive(place.silence),
            "ssl_context": ssl.create_default_context() if place.tls else None, "max_connections": MAX_CONNECTIONS,
        }  # fmt: skip
        node = TCPLocation(place.host, place.port)
        if place.cluster:
            nodes = ClusterConnectionPool(startup_nodes=[node], **options)
            return coredis.RedisCluster(connection_pool=nodes, retry_policy=NoRetryPolicy())
        pool = ConnectionPool(location=node, db=place.database, **options)
        return coredis.Redis(connection_pool=pool, retry_policy=NoRetryPolicy())

    async def _check_server(self) -> None:
        """Check that the server keeps what it is given."""
        memory = await self._client.info("memory", "persistence")
        if memory.get("loading"):  # it does not say yet how it keeps what it is given
            raise JobError(f"cannot use {self.address.shown} yet: the server is loading its data")
        policy = memory.get("maxmemory_policy", NO_EVICTION)
        if policy != NO_EVICTION:
            raise JobError(
                f"{self.address.shown}: the server has the policy {policy}, with which it deletes requests when its "
                f"memory is full; set maxmemory-policy to {NO_EVICTION}"
            )
        if self.address.replicas:
            found = await self._client.info("replication")
            connected = found.get("connected_slaves", 0)
            if connected < self.address.replicas:
                raise JobError(
                    f"{self.address.shown}: replicas is {self.address.replicas}, and the server has {connected}: "
                    "no commit would be complete"
                )
        if not memory.get("aof_enabled"):
            lost = "what was committed since its last snapshot is lost if the server ends; set appendonly to yes"
            if self._power:
                raise JobError(f"{self.address.shown}: durability is power, but {lost}")
            log.warning("%s: %s", self.address.shown, lost)

    async def _load(self) -> None:
        """Load the functions into each server. Those of another version have other names."""
        await self._client.function_load(self._source(), replace=True)

    def _source(self) -> str:
        """Return the library of functions."""
        folder = files(__package__).joinpath("functions")
        return "\n".join(folder.joinpath(f"{part}.lua").read_text() for part in PARTS)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a function. While the server cannot be reached, wait and try again."""
        pause = FIRST_PAUSE
        text = msgspec.json.encode(arguments)
        if len(text) > self._longest:
            raise JobError(
                f"{self.address.shown}: a page with items and links of {len(text) / 1e6:.0f} MB cannot be stored: the "
                f"server takes {self._longest / 1e6:.0f} MB at once; yield smaller items, or raise {LONGEST_CALL} there"
            )
        while True:
            try:
                answer = await self._call(name, text)
            except (RedisError, OSError) as error:
                await self._handle(error)
            else:
                return answer
            await trio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    async def _call(self, name: str, text: bytes) -> Any:
        """Call a function, and wait until what it has written is where it has to be."""
        client, copies, kept = self._client, self.address.replicas, nullcontext()
        if name not in READS and self._power:
            kept = client.ensure_persistence(1, copies, KEEP_TIMEOUT)
        elif name not in READS and copies:
            kept = client.ensure_replication(copies, KEEP_TIMEOUT)
        with kept:
            return await client.fcall(PREFIX + name, [self._key], [text])

    async def woken(self, owner: str) -> None:
        """Wait until a call of another owner wakes this one, at most `LONGEST_SLEEP` seconds."""
        try:
            await self._client.blpop([f"{self._key}:wake:{owner}"], timeout=LONGEST_SLEEP)
        except (RedisError, OSError):
            await trio.sleep(LAST_PAUSE)  # the next call finds out what has happened

    async def _handle(self, error: Exception) -> None:
        """Return if the call may be repeated; the heartbeat of the worker reports that the store is unreachable."""
        if isinstance(error, ResponseError):
            text = str(error)
            if "Function not found" in text:
                await self._reload()
                return
            if not isinstance(error, OUT_OF_SERVICE) and not text.startswith(OUT_OF_SERVICE_CODES):
                raise self._describe(error) from error
            if isinstance(error, ReadOnlyError) and not self.address.cluster:
                self._client.connection_pool.disconnect()  # the address may lead to the new primary by now
        log.debug("%s cannot be reached: %s", self.address.shown, error)

    async def _reload(self) -> None:
        with suppress(RedisError, OSError):
            await self._load()

    def _silent(self) -> JobError:
        return JobError(f"{self.address.shown}: cannot connect: the server does not answer in {OPEN_TIMEOUT} s")

    def _describe(self, error: Exception) -> JobError:
        if isinstance(error, (AuthenticationError, AuthorizationError)):
            return JobError(f"{self.address.shown}: the server refuses the user or password ({error})")
        if "unknown command" in str(error):
            return JobError(f"{self.address.shown}: the server has no functions: Redis 7 or Valkey is needed")
        if not isinstance(error, ResponseError):
            cause = str(error.__cause__ or "").partition("\n")[0]
            return JobError(f"{self.address.shown}: cannot connect: {error}{f' ({cause})' if cause else ''}")
        return JobError(f"{self.address.shown}: {error}")


def _keepalive(seconds: float) -> dict[int, int]:
    """Return options of a socket that is closed when the other end has acknowledged nothing for some seconds."""
    values = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": int(1000 * seconds)}
    return {getattr(socket, name): value for name, value in values.items() if hasattr(socket, name)}
