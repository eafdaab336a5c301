"""`BodyDeduplicator`: handles only the first of several pages with the same body (setting `dedup_content`)."""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from crawler.engine.page import PageRunner
    from crawler.errors import IncompleteBody
    from crawler.messages import Response, Retry
    from crawler.store import Outcome, Store

__all__ = ["BodyDeduplicator"]


@attrs.define(eq=False, repr=False)
class _Claim:
    """A body whose page is being handled or waits for its commit."""

    decided: trio.Event = attrs.Factory(trio.Event)
    kept: bool = False


class BodyDeduplicator:
    """Stands before the `PageRunner`, and gives it the pages whose bodies are new.

    The store has the bodies of committed pages, this object those of pages in progress. While the handler of a page
    runs, other pages with its body wait: if the handler fails, the next of them is handled.
    """

    def __init__(self, pages: PageRunner, store: Store) -> None:
        self._pages = pages
        self._store = store
        self._claims: dict[bytes, _Claim] = {}
        self.fail = pages.fail

    def run(self, response: Response, outcome: Outcome) -> Coroutine[Any, Any, Retry | IncompleteBody | None]:
        """Run the handlers of a page unless another page has the same body; see `PageRunner.run`."""
        return (self._run_if_new if self._is_compared(response) else self._pages.run)(response, outcome)

    async def _run_if_new(self, response: Response, outcome: Outcome) -> Retry | IncompleteBody | None:
        digest = await self.claim(response.body)
        if digest is None:
            outcome.filtered.append(("duplicate_content", response.url))
            return None
        try:
            return await self._pages.run(response, outcome)
        finally:
            if outcome.page:
                outcome.digest = digest
                self.keep(digest)
            else:
                self.release(digest)

    def _is_compared(self, response: Response) -> bool:
        """Whether a page with the body of another one is the same page. A list of links is another on another host."""
        request, waypoints = response.request, self._pages.spider.waypoints
        return bool(response.body) and not request.dont_filter and request.callback not in waypoints

    async def claim(self, body: bytes) -> bytes | None:
        """Return the digest of a body, for `keep` or `release`; `None` if another page has it."""
        digest = hashlib.blake2b(body, digest_size=16).digest()
        while (other := self._claims.get(digest)) is not None:
            if other.kept:
                return None
            await other.decided.wait()
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
        claim.decided.set()

    def release(self, digest: bytes) -> None:
        """Release a body: its page failed, or is committed, so that the store knows it."""
        claim = self._claims.pop(digest, None)
        if claim is not None:
            claim.decided.set()
