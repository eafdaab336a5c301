"""Open a job in Redis: check whose it is, join it as a worker, and leave it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import trio

from crawler import JobError
from crawler.store import Identity, accepted
from crawler_plugins.stores.redis.address import Address
from crawler_plugins.stores.redis.connection import Connection
from crawler_plugins.stores.redis.reading import pairs
from crawler_plugins.stores.redis.redis_store import RedisStore

__all__ = ["check_version", "open_store"]

VERSION: Final = "1"
"""Version of the format of a job."""
LEAVING: Final = 2.0
"""Seconds that the end of a crawl waits for the server."""


@asynccontextmanager
async def open_store(
    url: str, identity: Identity | None = None, *, power: bool = False, override: bool = False
) -> AsyncIterator[RedisStore]:
    """Join a job as one of its workers, and leave it at the end."""
    address = Address.parse(url)
    async with Connection(address, power=power) as connection:
        stored = await _identity(connection, identity, override=override)
        host = f"{socket.gethostname()} {os.getpid()}"
        kept = power or address.replicas > 0  # what it is answered is known after a crash, or a failover
        call = {"version": VERSION, "lease": address.lease, "name": secrets.token_hex(6), "host": host, "kept": kept}
        store = RedisStore(connection, await connection.call("join", call | stored))
        try:
            yield store
        finally:
            with trio.CancelScope(deadline=trio.current_time() + LEAVING, shield=True), suppress(JobError):
                # without it, the others remove this owner when its lease ends
                await connection.call("leave", {"job": store.job_name, "me": str(store.owner)})


def check_version(meta: Mapping[str, Any], shown: str) -> None:
    """Raise `JobError` if the job belongs to another version."""
    version = meta.get("version", VERSION)
    if version != VERSION:
        raise JobError(
            f"{shown} has job format {version}, and this version of crawler reads {VERSION}: start a new job"
        )


async def _identity(connection: Connection, identity: Identity | None, *, override: bool) -> dict[str, str]:
    """Check the version and the identity of a job, and return the identity to store."""
    values, _ = await connection.call("open", {})
    meta = dict(pairs(values))
    check_version(meta, connection.address.shown)
    if identity is None:
        return {}
    kept = msgspec.json.decode(meta["identity"]) if "identity" in meta else None
    stored = accepted(identity, kept, connection.address.shown, override=override)
    return {"identity": msgspec.json.encode(stored).decode()}
