"""Jobs in PostgreSQL, which many workers share. This module can be imported without psycopg."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, Final

from crawler_plugins.stores.postgres.address import Address

if TYPE_CHECKING:
    from crawler import Row
    from crawler.store import Identity, SharedJob, Store

__all__ = ["PostgreSQL"]


class PostgreSQL:
    """The store of jobs whose URL begins with ``postgresql://``. See `crawler.store.StoreType`."""

    requires: ClassVar[Mapping[str, str]] = {"psycopg": "trio-crawler[postgres]"}
    check: Final = staticmethod(Address.parse)

    @staticmethod
    def open(
        url: str,
        identity: Identity,
        *,
        power: bool,  # noqa: ARG004 - the server decides
        override: bool,
    ) -> AbstractAsyncContextManager[Store]:
        """Join a job, and leave it at the end of the block. Each commit is as durable as the server is set up to be."""
        from crawler_plugins.stores.postgres.store import PostgresStore  # noqa: PLC0415 - an extra

        return PostgresStore.open(url, identity, override=override)

    @staticmethod
    async def inspect(url: str) -> SharedJob:
        """Return the state of a job."""
        from crawler_plugins.stores.postgres.inspect import inspect_job  # noqa: PLC0415 - an extra

        return await inspect_job(url)

    @staticmethod
    async def retry_failed(url: str) -> int:
        """Queue all requests again that failed permanently."""
        from crawler_plugins.stores.postgres.inspect import retry_failed  # noqa: PLC0415 - an extra

        return await retry_failed(url)

    @staticmethod
    def items(url: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[list[Row]]]]:
        """Open the items of a job."""
        from crawler_plugins.stores.postgres.inspect import items_of  # noqa: PLC0415 - an extra

        return items_of(url)
