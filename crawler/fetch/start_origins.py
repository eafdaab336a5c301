"""`StartOrigins`: the origins of start pages, which get the secret fields of the setting `headers`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec

from crawler import urls
from crawler.logs import get_logger

__all__ = ["StartOrigins"]

MAX_ORIGINS: Final = 10_000
"""Origins that are remembered. A crawl that starts on more of them names the hosts of its secrets."""
log = get_logger("crawler.fetch")


class StartOrigins:
    """The scheme, host and port of each start page. Targets of redirects are not start pages."""

    def __init__(self) -> None:
        self._origins: dict[str, None] = {}
        self._unsaved = False
        self._full = False

    def __contains__(self, origin: object) -> bool:
        return origin in self._origins

    def add(self, url: str) -> None:
        """Add the origin of a start page."""
        origin = urls.origin(url)
        if origin in self._origins:
            return
        if len(self._origins) < MAX_ORIGINS:
            self._origins[origin] = None
            self._unsaved = True
        elif not self._full:
            self._full = True
            log.warning(
                "more than %d origins of start pages: %s and others do not get the secret headers of the settings",
                MAX_ORIGINS,
                origin,
            )

    def add_all(self, start_urls: Iterable[object]) -> None:
        """Add the origins of URLs as a spider names them."""
        for url in start_urls:
            with suppress(ValueError):  # a spider with a `start` of its own may keep other values there
                if isinstance(url, str):
                    self.add(urls.normalize(url))

    def take_unsaved(self) -> bytes | None:
        """Return the origins, as JSON, or `None` if there is no new one since the last call."""
        if not self._unsaved:
            return None
        self._unsaved = False
        return msgspec.json.encode(list(self._origins))

    def restore(self, data: bytes) -> None:
        """Add the origins that `take_unsaved` returned."""
        self._origins |= dict.fromkeys(msgspec.json.decode(data, type=list[str]))
