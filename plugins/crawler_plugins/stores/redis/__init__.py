"""Jobs in Redis or Valkey, which many workers share. This module can be imported without coredis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, Final

from crawler_plugins.stores.redis.address import Address

if TYPE_CHECKING:
    from crawler import Row
    from crawler.store import Identity, SharedJob, Store

__all__ = ["Redis"]


class Redis:
    """The store of jobs whose URL begins with ``redis://`` or ``rediss://``. See `crawler.store.StoreType`."""

    requires: ClassVar[Mapping[str, str]] = {"coredis": "trio-crawler[redis]"}
    check: Final = staticmethod(Address.parse)

    @staticmethod
    def open(url: str, identity: Identity, *, power: bool, override: bool) -> AbstractAsyncContextManager[Store]:
        """Join a job, and leave it at the end of the block."""
        from crawler_plugins.stores.redis.opening import open_store  # noqa: PLC0415 - an extra

        return open_store(url, identity, power=power, override=override)

    @staticmethod
    async def inspect(url: str) -> SharedJob:
        """Return the state of a job."""
        from crawler_plugins.stores.redis.inspect import inspect_job  # noqa: PLC0415 - an extra

        return await inspect_job(url)

    @staticmethod
    async def retry_failed(url: str) -> int:
        """Queue all requests again that failed permanently."""
        from crawler_plugins.stores.redis.inspect import retry_failed  # noqa: PLC0415 - an extra

        return await retry_failed(url)

    @staticmethod
    def items(url: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[list[Row]]]]:
        """Open the items of a job."""
        from crawler_plugins.stores.redis.inspect import items_of  # noqa: PLC0415 - an extra

        return items_of(url)
