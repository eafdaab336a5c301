"""`BodyDeduplicator`: handles only the first of several pages with the same body (setting `dedup_content`)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from crawler.store import Store

__all__ = ["BodyDeduplicator"]


@attrs.define(eq=False, repr=False)
class _Claim:
    """A body whose page is being handled or waits for its commit."""

    settled: trio.Event = attrs.Factory(trio.Event)
    kept: bool = False


class BodyDeduplicator:
    """Decides which page a body belongs to.

    The store has the bodies of committed pages, this object those of pages in progress. While the handler of a page
    runs, other pages with its body wait: if the handler fails, the next of them is handled.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._claims: dict[bytes, _Claim] = {}

    async def claim(self, body: bytes) -> bytes | None:
        """Claim a body for a page.

        Returns the digest of the body, with which the caller must call `keep` or `release`. `None` if another page has
        it.
        """
        digest = hashlib.blake2b(body, digest_size=16).digest()
        while (other := self._claims.get(digest)) is not None:
            if other.kept:
                return None
            await other.settled.wait()
        self._claims[digest] = _Claim()
        known = True
        try:
            known = await self._store.has_body(digest)
        finally:
            if known:
                self.release(digest)
        return None if known else digest

    def keep(self, digest: bytes) -> None:
        """Keep a body for a page that was handled. Its outcome reaches the writer before those of the waiting pages."""
        claim = self._claims[digest]
        claim.kept = True
        claim.settled.set()

    def release(self, digest: bytes) -> None:
        """Release a body: its page failed, or is committed. Does nothing if the body is not claimed."""
        claim = self._claims.pop(digest, None)
        if claim is not None:
            claim.settled.set()
