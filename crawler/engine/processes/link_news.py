"""`LinkNews`: collects for a process for callbacks which links are known, so that it makes no requests for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from typing import Final

from crawler.engine.processes.wire import News

__all__ = ["LinkNews"]

MAX_KEPT: Final = 1024
"""Pages whose links are kept for a process that gets no page for long; the oldest are forgotten first."""
MAX_WAITING: Final = 64
"""Pages that may wait for the first of them. If the crawl does not know its links by then, it has refused them."""


class LinkNews:
    """The news of links for one process. A link is news when the crawl knows it: before, its page could still fail."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, list[str]]] = deque(maxlen=MAX_KEPT)

    def note(self, number: int, new: list[str]) -> None:
        """Note the links of a page of the process itself.

        Parameters:
            number: That of the page.
            new: Those of its links that the crawl did not know.
        """
        self._waiting.append((number, new))

    def hear(self, new: list[str]) -> None:
        """Note new links of a page of another process."""
        self._waiting.append((0, new))

    def take(self, known: Container[str]) -> list[News]:
        """Return what is news now, once.

        Parameters:
            known: Keys of known requests.
        """
        news: list[News] = []
        waiting = self._waiting
        while waiting:
            number, new = waiting[0]
            unknown = [url for url in new if url not in known]
            if unknown and len(waiting) <= MAX_WAITING:
                break
            waiting.popleft()
            if number:
                news.append((number, unknown))
            elif len(unknown) < len(new):
                news.append((0, [url for url in new if url in known] if unknown else new))
        return news
