"""`KnownLinks`: the links that the first process is known to know, so that no requests are made for them."""

from __future__ import annotations

from typing import Final

from crawler.engine.processes.wire import Page, Requests
from crawler.store.recent_keys import RecentKeys

__all__ = ["KnownLinks"]

MAX_KNOWN: Final = 65_536
"""Keys of known requests in the memory of each process."""
MAX_SENT: Final = 256
"""Pages whose links are kept until the first process has said which of them are known."""


class KnownLinks:
    """What a process for callbacks learns about links from the messages of the first one."""

    def __init__(self) -> None:
        self.keys = RecentKeys(MAX_KNOWN)
        """Keys of requests that are known."""
        self._sent: dict[int, list[str]] = {}

    def note(self, number: int, requests: Requests) -> None:
        """Note which links of a page are sent. A later page says which of them were new.

        Parameters:
            number: That of the page.
            requests: Those of its message.
        """
        if requests:
            self._sent[number] = [url for each in requests if not isinstance(each, bytes) for url in each[2]]
            if len(self._sent) > MAX_SENT:
                del self._sent[next(iter(self._sent))]

    def learn(self, page: Page) -> None:
        """Keep the links that a message says are known: those of earlier pages that were not new, and of others."""
        for number, urls in page.fresh:
            new = frozenset(urls)
            self.keys.update(url for url in self._sent.pop(number, ()) if url not in new)
        if page.known:
            self.keys.update(page.known)
