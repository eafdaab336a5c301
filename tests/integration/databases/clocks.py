"""Clocks of jobs that tests put forward, so that leases end without waiting and never by a pause of the test.

::

    pass_time = redis_clock(monkeypatch, server)    # before the job is opened
    async with open_store(url) as store:
        await pass_time(url, 15.0)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import psycopg
import pytest
from crawler_plugins.stores.postgres import opening
from crawler_plugins.stores.postgres.address import Address as PostgresAddress
from crawler_plugins.stores.redis.address import Address
from crawler_plugins.stores.redis.connection import Connection
from integration.databases.servers import Server, ask_redis

__all__ = ["PassTime", "postgres_clock", "redis_clock"]

PassTime: TypeAlias = Callable[[str, float], Awaitable[None]]
"""Puts the clock of the job that a URL names forward by some seconds."""
REDIS_NOW = "return tonumber(t[1]) + tonumber(t[2]) / 1e6"
REDIS_AHEAD = f"{REDIS_NOW} + tonumber(redis.call('GET', P .. ':ahead') or 0)"
POSTGRES_NOW = """
CREATE FUNCTION clock() RETURNS double precision LANGUAGE sql AS
$$ SELECT extract(epoch FROM clock_timestamp())::double precision $$;
"""
POSTGRES_AHEAD = """
CREATE TABLE ahead (seconds double precision NOT NULL);
INSERT INTO ahead VALUES (0);
CREATE FUNCTION clock() RETURNS double precision LANGUAGE sql AS
$$ SELECT extract(epoch FROM clock_timestamp())::double precision + seconds FROM ahead $$;
"""


def redis_clock(monkeypatch: pytest.MonkeyPatch, server: Server) -> PassTime:
    """Give jobs that are opened on a server, or on a node of a cluster, a clock that can be put forward."""
    source = Connection._source

    def source_with_clock(connection: Connection) -> str:
        found = source(connection)
        assert REDIS_NOW in found
        return found.replace(REDIS_NOW, REDIS_AHEAD)

    monkeypatch.setattr(Connection, "_source", source_with_clock)

    async def pass_time(url: str, seconds: float) -> None:
        key = f"{{crawler:{Address.parse(url).job}}}:ahead"
        ask_redis(server, "-c", "incrbyfloat", key, str(seconds))

    return pass_time


def postgres_clock(monkeypatch: pytest.MonkeyPatch) -> PassTime:
    """Give jobs that are created in PostgreSQL a clock that can be put forward."""
    assert POSTGRES_NOW in opening.SOURCE
    monkeypatch.setattr(opening, "SOURCE", opening.SOURCE.replace(POSTGRES_NOW, POSTGRES_AHEAD))

    async def pass_time(url: str, seconds: float) -> None:
        address = PostgresAddress.parse(url)
        with psycopg.connect(address.conninfo, autocommit=True) as database:
            database.execute(f'UPDATE "{address.schema}".ahead SET seconds = seconds + {seconds}')

    return pass_time
