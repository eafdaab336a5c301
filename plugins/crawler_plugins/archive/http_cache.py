"""`HttpCache`: keep responses as their servers allow (RFC 9111), and validate stale ones."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, ClassVar

from crawler import ConfigError, Crawl, Drop, Plugin, Request, Response, Retry
from crawler_plugins.archive.response_store import ResponseStore, Stored

__all__ = ["HttpCache"]

CONDITIONS = ("if-none-match", "if-modified-since")


class HttpCache(Plugin):
    """Keeps responses in an SQLite file as a private cache does (RFC 9111). It needs the extra ``http-cache``.

    Fresh responses are answered without the network. Stale ones are validated by ``If-None-Match`` and
    ``If-Modified-Since``: an unchanged page costs a response without a body. The library hishel has the rules.
    Responses that vary by cookies, bodies that ``crawl.fetch(receive=…)`` takes, and walls, such as challenges, are not
    kept.

    Parameters:
        path: The file; it is created if it is missing.
        allow_stale: Answer with stale responses, without validation, unless their servers forbid it.

    Raises:
        ConfigError: An option is wrong, the file is not a cache, or the extra is missing.
    """

    name = "http_cache"
    requires: ClassVar[dict[str, str]] = {"hishel": "trio-crawler[http-cache]"}

    def __init__(self, path: Path = Path("http-cache.sqlite"), *, allow_stale: bool = False) -> None:
        path = Path(path)
        if not path.parent.is_dir():
            raise ConfigError(f"http_cache: no such folder: {path.parent} (for {path})")
        self.path = path
        self.allow_stale = allow_stale
        self._rules: Any  # the module hishel

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Keep the file open."""
        import hishel  # noqa: PLC0415 - an extra

        self._rules = hishel
        with closing(ResponseStore(self.path, self.name)) as self._store:
            yield

    async def answer(self, request: Request) -> Response | None:
        """Return a response that is fresh."""
        state = self._look_up(request)
        return self._reuse(request, state, "cached") if isinstance(state, self._rules.FromCache) else None

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:
        """Fetch what is not fresh, conditionally if an older response is there, and keep what may be kept."""
        at, state = self.crawl.clock(), self._look_up(request)
        sent = request
        if isinstance(state, self._rules.NeedRevalidation):
            fields = state.request.headers
            conditions = [(name, fields[name]) for name in CONDITIONS if name in fields]
            sent = request.replace(headers=[*request.headers.pairs, *conditions])
        result: Response | Retry | Drop = await send(sent)
        if not isinstance(result, Response) or isinstance(state, self._rules.FromCache):
            return result
        if sent is not request:
            result = result.replace(request=request)  # a redirect must not inherit the conditions
        return self._take(request, result, state, at)

    def _take(self, request: Request, result: Response, state: Any, at: float) -> Response | Retry:
        """Follow the rules from a response to the one that answers the request."""
        rules = self._rules
        response = rules.Response(result.status, self._headers(result.headers.pairs))
        state = state.next(response)
        while not isinstance(state, (rules.StoreAndUse, rules.CouldNotBeStored)):
            if isinstance(state, rules.FromCache):
                return self._reuse(request, state, "validated")
            if isinstance(state, rules.NeedToBeUpdated):
                for entry in state.updating_entries:
                    self._store.update(entry.id.int, _pairs(entry.response.headers))
                state = state.next()
            elif isinstance(state, rules.CacheMiss):
                if result.status == 304:  # it means none of the stored responses
                    return Retry("a validated response is not in the cache", after=0.0)
                state = state.next(response)
            else:
                for entry_id in state.entry_ids:
                    self._store.remove(entry_id.int)
                state = state.next()
        if isinstance(state, rules.StoreAndUse) and _may_be_kept(result):
            fields = _pairs(state.response.headers)
            kept = Stored(
                at=at, request_fields=self._sent(request), status=result.status, fields=fields, body=result.body
            )
            self._store.add(self._key(request), kept, replaces=False)
        return result

    def _look_up(self, request: Request) -> Any:
        """Return the state of the rules for a request and the stored responses."""
        rules = self._rules
        asked = rules.Request(request.method, request.url, self._headers(self._sent(request)))
        entries = [
            rules.Entry(
                uuid.UUID(int=stored.id),
                rules.Request(request.method, request.url, self._headers(stored.request_fields)),
                rules.Response(stored.status, self._headers(stored.fields)),
            )
            for stored in self._store.find(self._key(request))
        ]
        options = rules.CacheOptions(shared=False, supported_methods=["GET"], allow_stale=self.allow_stale)
        return rules.IdleClient(options=options).next(asked, entries)

    def _reuse(self, request: Request, state: Any, counter: str) -> Response:
        """Return a stored response."""
        number = state.entry.id.int
        [stored] = [stored for stored in self._store.find(self._key(request)) if stored.id == number]
        self.crawl.count(counter)
        fields = _pairs(state.entry.response.headers)
        return Response(request.url, stored.status, fields, stored.body, request=request, source=self.name)

    def _sent(self, request: Request) -> list[tuple[str, str]]:
        """Return the header fields by which responses may vary."""
        return [("User-Agent", self.crawl.settings.user_agent), *request.headers.pairs]

    def _headers(self, pairs: Iterable[tuple[str, str]]) -> Any:
        lists: dict[str, list[str]] = {}
        for name, value in pairs:
            lists.setdefault(name.lower(), []).append(value)
        return self._rules.Headers(lists)

    @staticmethod
    def _key(request: Request) -> bytes:
        parts = (request.session, request.url)
        return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=32).digest()


def _pairs(headers: Any) -> list[tuple[str, str]]:
    return [(name, value) for name in headers for value in headers.get_list(name) or []]


def _may_be_kept(response: Response) -> bool:
    """Return whether it is a whole page, no wall, and only the known fields decide which response is sent."""
    varies = {name.strip().lower() for name in response.headers.get("vary", "").split(",")}
    return bool(response.body) and response.wall is None and varies.isdisjoint({"*", "cookie", "authorization"})
