"""`KnownLinks`: the links that the first process knows, as far as it has said so: no requests are made for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crawler.engine.processes.wire import News, Requests
from crawler.store.recent_keys import RecentKeys

__all__ = ["KnownLinks"]

MAX_KNOWN: Final = 65_536
"""Keys of known requests in the memory of each process."""
MAX_SENT: Final = 256
"""Pages whose links are kept until the first process has said that they are known."""


class KnownLinks:
    """The links that messages of the first process have marked as known, in a process for callbacks."""

    def __init__(self) -> None:
        self.keys = RecentKeys(MAX_KNOWN)
        """Keys of requests that are known."""
        self._sent: dict[int, list[str]] = {}

    def note(self, number: int, requests: Requests) -> None:
        """Note which links of a page are sent. A later message says that they are known.

        Parameters:
            number: That of the page.
            requests: Those of its message.
        """
        if requests:
            self._sent[number] = [url for each in requests if not isinstance(each, bytes) for url in each[2]]
            if len(self._sent) > MAX_SENT:
                del self._sent[next(iter(self._sent))]

    def learn(self, news: Sequence[News]) -> None:
        """Keep the links that are known: those of earlier pages, and those of other processes."""
        for number, urls in news:
            if not number:
                self.keys.update(urls)
            elif not urls:
                self.keys.update(self._sent.pop(number, ()))
            else:
                self.keys.update(url for url in self._sent.pop(number, ()) if url not in urls)
