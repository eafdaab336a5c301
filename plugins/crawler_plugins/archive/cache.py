"""`Cache`: keep every response between runs, for the development of a spider."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from crawler import ConfigError, Crawl, Drop, Plugin, Request, Response, Retry
from crawler_plugins.archive.response_store import ResponseStore, Stored

__all__ = ["Cache"]


class Cache(Plugin):
    """Keeps all responses in an SQLite file and answers later requests from it, whatever its server says about caching.

    Each spider has a cache of its own. A request is found by method, URL, body and session. Responses without a body
    are kept only where they are expected: redirects, and those with ``Content-Length: 0``. Walls, such as challenges,
    are not kept.

    Parameters:
        path: The file; it is created if it is missing.
        ignore_statuses: Statuses that are not kept.
        max_age: Seconds after which a response is fetched again; `None` means never.

    Raises:
        ConfigError: An option is wrong, or the file is not a cache.
    """

    def __init__(
        self,
        path: Path = Path("cache.sqlite"),
        *,
        ignore_statuses: tuple[int, ...] = (408, 425, 429, 500, 502, 503, 504),
        max_age: float | None = None,
    ) -> None:
        path = Path(path)
        if not path.parent.is_dir():
            raise ConfigError(f"cache: no such folder: {path.parent} (for {path})")
        wrong = [status for status in ignore_statuses if not 100 <= status <= 599]
        if wrong:
            raise ConfigError(f"cache: ignore_statuses must be from 100 to 599, not {wrong[0]}")
        if max_age is not None and not max_age > 0:
            raise ConfigError(f"cache: max_age must be above 0 seconds, not {max_age}")
        self.path = path
        self.ignore_statuses = frozenset(ignore_statuses)
        self.max_age = max_age

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Keep the file open."""
        with closing(ResponseStore(self.path, self.name)) as self._store:
            yield

    async def answer(self, request: Request) -> Response | None:
        """Return the response of an earlier run."""
        for stored in self._store.find(self._key(request)):
            if self.max_age is None or self.crawl.clock() - stored.at < self.max_age:
                response = Response(request.url, stored.status, stored.fields, stored.body, request=request)
                if response.wall is None:  # an older version has kept those, too
                    self.crawl.count("cached")
                    return response
        return None

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:
        """Keep the response."""
        at = self.crawl.clock()
        result: Response | Retry | Drop = await send(request)
        if not isinstance(result, Response) or result.status in self.ignore_statuses:
            return result
        if result.wall is None and _is_whole(result, request):
            fields = list(result.headers.pairs)
            stored = Stored(at=at, request_fields=[], status=result.status, fields=fields, body=result.body)
            self._store.add(self._key(request), stored, replaces=True)
        return result

    def _key(self, request: Request) -> bytes:
        parts = (self.crawl.spider.name, request.session, request.method, request.url)
        digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=32)
        digest.update(b"\0" + request.body)
        return digest.digest()


def _is_whole(response: Response, request: Request) -> bool:
    """Return whether an empty body is really empty, and was not written elsewhere by ``crawl.fetch(receive=…)``."""
    is_bodiless = request.method == "HEAD" or response.status == 204 or 300 <= response.status < 400
    return bool(response.body) or is_bodiless or response.headers.get("content-length") == "0"
