"""`Dedup`: drop items that the crawl has kept before."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context

import msgspec

from crawler import ConfigError, Crawl, Drop, Item, Plugin, Response, Usage
from crawler_plugins.claims import Claims
from crawler_plugins.item_fields import is_empty, json_fields_of, type_of

__all__ = ["Dedup"]

DIGEST_SIZE = 16
"""Bytes of a digest: two different items of a trillion have the same one with a probability of 10⁻¹⁵."""


class Dedup(Plugin):
    """Drops items that the crawl has kept before. Items of different classes are never the same.

    A durable job remembers all items, across runs. List this plugin after those that change or drop items. A page with
    an item that another page has, which is still being handled, waits for that page: if it fails, the item is kept.

    Parameters:
        fields: Names of the fields that identify an item, as in ``id,language``. Empty: all fields. An item in which
            all of them are missing or empty is kept.
        memory: Number of items that a crawl without a job remembers, at least 1. The oldest are forgotten first.

    Raises:
        ConfigError: An option is out of range.
    """

    def __init__(self, fields: tuple[str, ...] = (), *, memory: int = 1_000_000) -> None:
        if not all(fields):
            raise ConfigError("dedup: fields must be names of fields, as in id,language")
        if memory < 1:
            raise ConfigError(f"dedup: memory must be at least 1 item, not {memory}")
        self.fields = fields
        self.memory = memory
        self._remembered: deque[str] = deque()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Begin without pages in progress."""
        self._claims = Claims(crawl.job.before_commit, crawl.clock)
        yield

    async def refine(self, item: Item, response: Response) -> Drop | None:
        """Drop the item if its key is known. The key becomes known if the page succeeds."""
        key = self._key(item)
        if key is None:
            return None
        if key in self.state or (await self._claims.take(key, response) and key in self.state):
            return Drop("duplicate item")
        self.state[key] = 1
        if not self.crawl.job.durable:
            self._remembered.append(key)
        return None

    def measure(self, usage: Usage) -> None:
        """Forget the oldest items, whether or not the page that is handled succeeds."""
        if len(self._remembered) > self.memory:
            Context().run(self._forget)

    def _forget(self) -> None:
        while len(self._remembered) > self.memory:
            self.state.pop(self._remembered.popleft(), None)

    def _key(self, item: Item) -> str | None:
        """Return the digest of what identifies an item; `None` if it has no identity."""
        values = json_fields_of(item)
        if self.fields:
            values = {name: values.get(name) for name in self.fields}
            if all(map(is_empty, values.values())):
                return None
        data = msgspec.json.encode([type_of(item), values], order="sorted")
        return hashlib.blake2b(data, digest_size=DIGEST_SIZE).hexdigest()
