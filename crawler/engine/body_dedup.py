"""`BodyDeduplicator`: of pages with the same body only the first is handled (setting `dedup_content`)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from crawler.store import Store

__all__ = ["BodyDeduplicator"]


@attrs.define(eq=False)
class _Claim:
    """A body whose page is being handled, or waits to be committed."""

    settled: trio.Event = attrs.Factory(trio.Event)
    kept: bool = False


class BodyDeduplicator:
    """Knows which bodies belong to a page already.

    The store keeps what is committed. Here is only what is on its way there: a page whose handler still runs holds its
    body, and whoever has the same one waits, since a handler may fail and then counts for nothing.

    Parameters:
        store: the truth.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._claims: dict[bytes, _Claim] = {}

    async def claim(self, body: bytes) -> bytes | None:
        """The digest of a body, which is its caller's now: to `keep` or to `give_up`; `None`: there is such a page."""
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
                self.give_up(digest)
        return None if known else digest

    def keep(self, digest: bytes) -> None:
        """The page was handled, and its outcome goes to the writer before that of anybody who waits."""
        claim = self._claims[digest]
        claim.kept = True
        claim.settled.set()

    def give_up(self, digest: bytes) -> None:
        """Nothing holds this body any more: its page came to nothing, or the store knows it."""
        claim = self._claims.pop(digest, None)
        if claim is not None:
            claim.settled.set()
