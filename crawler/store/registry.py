"""Stores of jobs that many workers share, by the scheme of their URLs: plugins, in an entry-point group."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from crawler.errors import ConfigError, PluginError
from crawler.hooks.load import entry_points_of
from crawler.hooks.requirements import require
from crawler.redaction import hide_userinfo
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from crawler.messages import Row
    from crawler.store.identity import Identity
    from crawler.store.protocol import Store
    from crawler.store.shared_job import SharedJob

__all__ = ["GROUP", "StoreType", "find_store", "is_url", "shown_url"]

GROUP: Final = "crawler.stores"
"""Entry-point group of stores. Their names are schemes of URLs."""
URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class StoreType(Protocol):
    """A kind of store: a class with these methods. Its module is importable without the packages that it needs."""

    requires: ClassVar[Mapping[str, str]]
    """For each module that is not always installed, the requirement that pip installs."""

    @staticmethod
    def check(url: str) -> None:
        """Check a URL, without connecting.

        Raises:
            ConfigError: It is not the URL of a job.
        """

    @staticmethod
    def open(url: str, identity: Identity, *, power: bool, override: bool) -> AbstractAsyncContextManager[Store]:
        """Join a job, which is created if it does not exist, and leave it at the end of the block.

        Parameters:
            url: Its URL.
            identity: Describes the crawl. The job of another crawl is refused.
            power: Whether each commit must survive a power failure.
            override: Whether to replace the identity of the job instead of refusing.

        Raises:
            JobError: The job cannot be reached, or belongs to another version or crawl.
        """

    @staticmethod
    async def inspect(url: str) -> SharedJob:
        """Return the state of a job, without joining it.

        Raises:
            JobError: The job cannot be reached, does not exist, or belongs to another version.
        """

    @staticmethod
    async def retry_failed(url: str) -> int:
        """Queue all requests again that failed permanently, and return their number.

        Raises:
            JobError: As for `inspect`; or the job has workers.
        """

    @staticmethod
    def items(url: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[list[Row]]]]:
        """Open the items of a job: a function that returns the next committed ones, and an empty list at their end.

        Raises:
            JobError: As for `inspect`.
        """


def is_url(place: object) -> bool:
    """Return whether the place of a job is a URL; otherwise it is a folder."""
    return isinstance(place, str) and URL.match(place) is not None


def shown_url(url: str) -> str:
    """Return the URL of a job as it may be shown: without its user, password and query."""
    return hide_userinfo(url.partition("?")[0])


def find_store(url: str) -> StoreType:
    """Return the store for the URL of a job, whose form it has checked."""
    what = f"job {shown_url(url)}"
    found = URL.match(url)
    scheme = found[1].lower() if found else ""
    installed = entry_points_of(GROUP)
    if scheme not in installed:
        known = ", ".join([*(f"{name}://" for name in installed), "or a folder"])
        raise ConfigError(f"{what} has the unknown scheme {scheme!r}{did_you_mean(scheme, installed)}: use {known}")
    try:
        store: StoreType = installed[scheme].load()
    except Exception as error:
        raise PluginError(f"{what}: {installed[scheme].value} cannot be imported: {error}") from error
    require(what, store.requires)
    store.check(url)
    return store
