"""`NearDuplicates`: flag items of pages whose text is nearly that of an earlier page."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crawler import ConfigError, Crawl, Item, Plugin, Response, Usage
from crawler_plugins.item_fields import fields_of, json_fields_of
from crawler_plugins.simhash import simhash

__all__ = ["NearDuplicates"]

BITS = 64


class NearDuplicates(Plugin):
    """Adds a field to items: the URL of the first page with nearly the same text, or `None`.

    The text is that of a field of the item or, without it, the main content of the page. Two texts are nearly the same
    if their simhash fingerprints differ in few bits. Texts of fewer than 20 words are never flagged. In a durable job,
    pages of earlier runs count.

    Parameters:
        bits: Number of bits, of 64, in which fingerprints may differ, from 0 to 15. With 3, about one word of a hundred
            may differ.
        text: Name of the field with the text.
        field: Name of the field that is added. The item becomes a dict.
        memory: Number of pages that are remembered, at least 1. The oldest are forgotten first.

    Raises:
        ConfigError: An option is out of range.
    """

    name = "near_duplicates"

    def __init__(
        self, bits: int = 3, *, text: str = "markdown", field: str = "near_duplicate_of", memory: int = 100_000
    ) -> None:
        if not 0 <= bits <= 15:
            raise ConfigError(f"near_duplicates: bits must be from 0 to 15, not {bits}")
        if not text or not field:
            raise ConfigError("near_duplicates: text and field must be names of fields")
        if memory < 1:
            raise ConfigError(f"near_duplicates: memory must be at least 1 page, not {memory}")
        self.bits = bits
        self.text = text
        self.field = field
        self.memory = memory
        self._remembered: deque[int] = deque()
        self._index: dict[tuple[int, int], list[int]] = {}

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Index the pages of earlier runs."""
        for key in self.state:
            self._add(int(key, 16))
        yield

    async def refine(self, item: Item, response: Response) -> Item:
        """Add the field. The page is remembered if it succeeds."""
        text = fields_of(item).get(self.text)
        fingerprint = simhash(text if isinstance(text, str) else response.article().text)
        first = self._first(fingerprint, response.url) if fingerprint is not None else None
        return json_fields_of(item) | {self.field: first}

    def measure(self, usage: Usage) -> None:
        """Forget the oldest pages. This hook runs outside of pages: their failure cannot undo it."""
        while len(self._remembered) > self.memory:
            oldest = self._remembered.popleft()
            for band in self._bands(oldest):
                bucket = self._index[band]
                bucket.remove(oldest)
                if not bucket:
                    del self._index[band]
            self.state.pop(_key(oldest), None)

    def _first(self, fingerprint: int, url: str) -> str | None:
        """Return the URL of a near-duplicate; without one, remember this page and return `None`."""
        for band in self._bands(fingerprint):
            for other in self._index.get(band, ()):
                if (fingerprint ^ other).bit_count() <= self.bits:
                    first = self.state.get(_key(other))  # missing if that page failed
                    if first is not None:
                        return None if first == url else str(first)
        self.state[_key(fingerprint)] = url
        self._add(fingerprint)
        return None

    def _add(self, fingerprint: int) -> None:
        if fingerprint in self._index.get(self._bands(fingerprint)[0], ()):
            return
        self._remembered.append(fingerprint)
        for band in self._bands(fingerprint):
            self._index.setdefault(band, []).append(fingerprint)

    def _bands(self, fingerprint: int) -> list[tuple[int, int]]:
        """Return parts of a fingerprint, one more than the bits that may differ: near-duplicates have one in common."""
        width = BITS // (self.bits + 1)
        return [(n, fingerprint >> n * width & (1 << width) - 1) for n in range(self.bits + 1)]


def _key(fingerprint: int) -> str:
    return f"{fingerprint:016x}"
