"""Open a job in PostgreSQL: create its tables, or check that they are those of this crawl and this version."""

from __future__ import annotations

import secrets
from importlib.resources import files
from typing import Final

import msgspec
import psycopg

from crawler import JobError
from crawler.store import Identity, accepted
from crawler_plugins.stores.postgres.connection import Connection
from crawler_plugins.stores.postgres.server import Server

__all__ = ["check_version", "job_exists", "open_job"]

VERSION: Final = "3"
"""Version of the tables and functions of a job."""
PARTS: Final = ("tables", "leases", "pages", "jobs")
"""The files that create a job, in their order."""
SOURCE: Final = "\n".join(files(__package__).joinpath("functions", f"{part}.sql").read_text() for part in PARTS)
LOCK: Final = "SELECT pg_advisory_xact_lock(1668440439, hashtext($1))"
"""The lock of a job, which `reap` takes as well."""
LOOK: Final = """
SELECT current_setting('server_encoding'), to_regnamespace(quote_ident($1)) IS NOT NULL,
    to_regclass(quote_ident($1) || '.meta') IS NOT NULL AND to_regclass(quote_ident($1) || '.worker') IS NOT NULL
"""
META: Final = "SELECT name, value FROM meta"
SET: Final = "INSERT INTO meta VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value"


async def open_job(server: Server, identity: Identity | None, *, override: bool) -> str:
    """Connect to a job, which is created if it does not exist, and return the name that was drawn for it."""
    connection = await server.connect()
    try:
        await connection.run_script("BEGIN")
        await connection.run(LOCK, [server.address.schema])
        if not await job_exists(server, connection):
            schema = server.address.schema
            await connection.run_script(f'CREATE SCHEMA "{schema}"; SET search_path TO "{schema}"; {SOURCE}')
            await connection.run(SET, ["version", VERSION.encode()])
            await connection.run(SET, ["name", secrets.token_hex(6).encode()])
        await server.begin()
        meta = await check_version(server, connection)
        if identity is not None:
            kept = msgspec.json.decode(meta["identity"]) if "identity" in meta else None
            stored = accepted(identity, kept, server.address.shown, override=override)
            await connection.run(SET, ["identity", msgspec.json.encode(stored)])
        await connection.run_script("COMMIT")
    except psycopg.Error as error:
        raise JobError(f"cannot use {server.address.shown} as a job: {server.describe(error)}") from None
    return meta["name"].decode()


async def check_version(server: Server, connection: Connection) -> dict[str, bytes]:
    """Return the table `meta` of a job."""
    meta: dict[str, bytes] = dict(await connection.run(META))
    version = meta.get("version", b"").decode()
    if version != VERSION:
        raise JobError(
            f"{server.address.shown} has job format {version or 'unknown'}, and this version of crawler reads "
            f"{VERSION}: start a new job"
        )
    return meta


async def job_exists(server: Server, connection: Connection) -> bool:
    """Return whether the job exists."""
    [(encoding, has_schema, is_job)] = await connection.run(LOOK, [server.address.schema])
    if encoding != "UTF8":
        raise JobError(f"{server.address.shown}: the encoding of the database is not UTF8: create one that has it")
    if has_schema and not is_job:
        raise JobError(f"{server.address.shown}: the schema {server.address.schema} has no job: give it another name")
    return bool(is_job)
