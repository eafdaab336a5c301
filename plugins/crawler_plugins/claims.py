"""`Claims`: keys that pages in progress have taken, so that no other page takes them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import trio

from crawler import Response, WouldExceedDeadline

__all__ = ["Claims"]

PAUSE = 1.0
"""Seconds after which a page in a deadlock of waits is handled again."""


@attrs.define(eq=False, repr=False)
class _Page:
    """A page that is being handled, or waits for its commit."""

    response: Response
    keys: list[str] = attrs.Factory(list)
    settled: trio.Event = attrs.Factory(trio.Event)
    waits_for: _Page | None = None


class Claims:
    """Lets one page at a time have a key, until its request is settled.

    What a page writes to a state is visible to other pages when all its handlers have succeeded. If they wait
    meanwhile, a second page could find the same key free. So it waits until the first one has kept the key or failed.

    Parameters:
        before_commit: `Crawl.job.before_commit`.
        clock: `Crawl.clock`.
    """

    def __init__(self, before_commit: Callable[..., object], clock: Callable[[], float]) -> None:
        self._before_commit = before_commit
        self._clock = clock
        self._pages: dict[int, _Page] = {}  # by the identity of the response
        self._holders: dict[str, _Page] = {}

    def __len__(self) -> int:
        return len(self._holders)

    async def take(self, key: str, response: Response) -> bool:
        """Take a key for a page, and return whether it had to wait for another page, which may have kept the key.

        Raises:
            WouldExceedDeadline: The other page waits for this one: the page is to be put off.
        """
        page = self._page_of(response)
        waited = False
        while (holder := self._holders.get(key)) is not page:
            if holder is None:
                self._holders[key] = page
                page.keys.append(key)
                break
            await self._wait(page, holder)
            waited = True
        return waited

    def _page_of(self, response: Response) -> _Page:
        page = self._pages.get(id(response))
        if page is None:
            page = self._pages[id(response)] = _Page(response)
            self._before_commit(self._settle, page)
        return page

    async def _wait(self, page: _Page, holder: _Page) -> None:
        other: _Page | None = holder
        while other is not None:
            if other is page:
                raise WouldExceedDeadline(
                    "two pages wait for each other", retry_at=self._clock() + PAUSE, scope="items"
                )
            other = other.waits_for
        page.waits_for = holder
        try:
            await holder.settled.wait()
        finally:
            page.waits_for = None

    def _settle(self, pages: Iterable[_Page]) -> None:
        """Release the keys of pages whose requests are settled, with success or without."""
        for page in pages:
            del self._pages[id(page.response)]
            for key in page.keys:
                del self._holders[key]
            page.settled.set()
