"""`Recrawl`: crawl a site again, and fetch only what may have changed."""

from __future__ import annotations

import os
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Literal

import trio

from crawler import ConfigError, Crawl, CrawlFailed, Drop, Failure, Item, Plugin, Request, Response, Retry
from crawler_plugins.item_fields import json_fields_of
from crawler_plugins.recrawl.change_log import ChangeLog
from crawler_plugins.recrawl.page_store import PageStore
from crawler_plugins.recrawl.snapshot import Snapshot, is_page, parse_lastmod
from crawler_plugins.recrawl.visit import Visit, is_kept, key_of

__all__ = ["Recrawl"]

FILE: Final = "recrawl.sqlite"
"""Name of the file in the folder of a job."""
WEEK: Final = 604_800.0
IN_THREAD: Final = 65_536
"""Bytes of a body from which on it is compressed in a worker thread."""


class Recrawl(Plugin):
    """Crawls a site again, and fetches only what may have changed: the second run of the same command is a new round.

    When they are due, all pages of the previous round are requested again, conditionally (``If-None-Match``,
    ``If-Modified-Since``). A page that has not changed (304) is not handled and has no items; the pages that it links
    to are known, and are requested as well. Items get a field with ``new``, ``changed`` or ``unchanged``; a page that
    is gone (404, 410) yields an item of its URL and ``gone``.

    A page is due after the mean time between two of its changes, as its visits so far show it (Cho and
    Garcia-Molina), but after at most the time for which it has been known; and at once if ``lastmod`` of a sitemap is
    later than the last visit. Start pages and sitemaps are always due. Requests other than GET, and those with
    `dont_filter`, are not kept: the pages that yield them are always fetched and handled.

    A finished job begins again; without a job, each crawl with the same file is a round.

    Parameters:
        path: The file that keeps the pages; without one, ``recrawl.sqlite`` in the folder of the job.
        changes: A file to which each page that is ``new``, ``changed`` or ``gone`` is appended, as JSON Lines.
        changed_only: Do not handle pages whose content is the same, even if their server sends them again.
        field: Name of the field of items, which become dicts; empty: none, and no items for pages that are gone.
        compare: What is compared: the ``body``, or the ``text`` of the main content.
        bodies: Keep bodies, and handle those of unchanged pages: each round has the items of all pages.
        full: Fetch and handle all pages, after the spider has changed.
        min_interval: Minimum number of seconds between two visits, 0 or more.
        max_interval: Maximum number of seconds between two visits; 0 visits each page in each round.

    Raises:
        ConfigError: An option is wrong, or the file cannot be used.
    """

    repeats = True

    def __init__(
        self,
        path: Path | None = None,
        *,
        changes: Path | None = None,
        changed_only: bool = False,
        field: str = "change",
        compare: Literal["body", "text"] = "body",
        bodies: bool = False,
        full: bool = False,
        min_interval: float = 0.0,
        max_interval: float = WEEK,
    ) -> None:
        self.path = None if path is None else _checked(Path(path))
        self.changes = None if changes is None else _checked(Path(changes))
        if self.path is not None and self.changes is not None and self.path.resolve() == self.changes.resolve():
            raise ConfigError(f"recrawl: path and changes are the same file: {path}")
        if changed_only and bodies:
            raise ConfigError("recrawl: use either changed_only or bodies: bodies are kept to handle unchanged pages")
        if compare not in ("body", "text"):
            raise ConfigError(f"recrawl: compare must be body or text, not {compare!r}")
        if not 0 <= min_interval <= max_interval:
            raise ConfigError(
                "recrawl: intervals must be at least 0 seconds, and min_interval at most max_interval, not "
                f"{min_interval:g} and {max_interval:g}"
            )
        self.changed_only = changed_only
        self.field = field
        self.compare = compare
        self.bodies = bodies
        self.full = full
        self.min_interval = min_interval
        self.max_interval = max_interval
        self._visit: ContextVar[Visit | None] = ContextVar("visit", default=None)  # of the page in this task
        self._round = 0
        self._pages: PageStore
        self._log: ChangeLog | None = None
        self._entries: frozenset[str | None]  # callbacks of pages that are always due

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Open the file, begin or continue a round, and add the pages that are due."""
        path = self.path or (crawl.job.folder and crawl.job.folder / FILE)
        if path is None:
            raise ConfigError("recrawl: name the file that keeps the pages (option path), or make the crawl a job")
        sync = crawl.settings.durability == "power"
        with ExitStack() as stack:
            self._pages = PageStore(path, crawl.spider.name, sync=sync)
            stack.callback(self._pages.close)
            self._check_handlers(path)
            kept = self.state.get("length") if crawl.job.durable else None
            if self.changes is not None:
                self._log = ChangeLog(self.changes, kept, sync=sync)
                stack.callback(self._log.close)
            self._begin_round(kept)
            self._entries = frozenset(crawl.spider.waypoints)
            crawl.add(self._due_requests())
            yield
            self._pages.end_round()

    def _begin_round(self, length: int | None) -> None:
        """Continue the round of the job, or begin one."""
        begun = self.state.get("rounds")  # that of the job, and that of the file
        if begun is not None and begun[0] == self.crawl.job.round:
            self._round = begun[1]
            if length is not None:
                self._pages.forget_reports(self._round, length)
        else:
            if begun is not None:
                self._pages.end_round()  # the job says so, even if it was killed then
            self._round = self._pages.begin_round()
            self.state["rounds"] = [self.crawl.job.round, self._round]
        self.state["length"] = None if self._log is None else self._log.length

    def _check_handlers(self, path: Path) -> None:
        """Refuse pages whose callback the spider no longer has."""
        for name, count in self._pages.handlers().items():
            if not callable(getattr(self.crawl.spider, name, None)):
                raise ConfigError(
                    f"recrawl: {count} pages in {path} need the method {name}() of the spider, which does not exist: "
                    "rename it back, or delete the file"
                )

    # ---- requests ----------------------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Drop | None:
        """Keep a request that is new, and drop one that is not due."""
        if not is_kept(request):
            visit = self._visit.get()
            if visit is not None:
                visit.has_actions = True
            return None
        key = key_of(request)
        known = self._pages.find(key, self._round)
        from_store = False
        if known is None:
            self.crawl.job.before_commit(self._write, Visit(key=key, request=request))
        elif not (request.depth == 0 or request.redirects or request.callback in self._entries):
            is_due = self._is_due(known, parse_lastmod(request.meta.get("lastmod"), self.crawl.clock()))
            from_store = not is_due and self.bodies and self._pages.body(key, known.digest) is not None
            if not is_due and not from_store:
                return Drop("not_due")
        request.plugins[self.name] = {"url": request.url} | ({"from_store": True} if from_store else {})
        return None

    def _due_requests(self) -> Iterator[Request]:
        """Yield the requests of the pages that are due. With `bodies`, those of all pages."""
        for data, known in self._pages.unvisited(self._round):
            if self.bodies or self._is_due(known):
                yield Request.from_json(data)

    def _is_due(self, known: Snapshot, lastmod: float | None = None) -> bool:
        if self.full or (lastmod is not None and lastmod > known.at):
            return True
        least = self.min_interval if lastmod is None else self.max_interval
        return known.is_due(self.crawl.clock(), least, self.max_interval)

    async def answer(self, request: Request) -> Response | None:
        """Return the body of a page that is not due, if bodies are kept."""
        if not self._option(request).get("from_store"):
            return None
        key = key_of(request)
        known = self._pages.find(key, self._round)
        return None if known is None else self._stored(request, key, known)

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:
        """Ask for a page, conditionally if it is known. An unchanged one is not handled."""
        if not self._option(request) or not is_kept(request):
            return None  # a robots.txt, an inline fetch, or a request that is not kept
        under_way = self._visit_of(request)
        if under_way is not None and not under_way.is_written:
            return None  # the callback fetches its own page inline
        key = key_of(request)
        self._visit.set(None)
        visit = Visit(key=key, request=request, before=self._pages.find(key, self._round) or Snapshot())
        self.crawl.job.before_commit(self._write, visit)
        asks_all = self.full or (self.bodies and self._pages.body(key, visit.before.digest) is None)
        sent = request if asks_all else visit.conditional()
        result: Response | Retry | Drop = await send(sent)
        if not isinstance(result, Response):
            return result
        if sent is not request:
            result = result.replace(request=request)  # a redirect must not inherit the conditions
        self._visit.set(visit)
        is_conditional, by_text = sent is not request, self.compare == "text"
        visit.take(result, self.crawl.clock(), is_conditional=is_conditional, by_text=by_text)
        needs_handling = result.status != 304 and (not self.changed_only or visit.before.has_actions)
        if visit.change == "unchanged" and not needs_handling and not self.bodies:
            visit.is_handled = True
            return Drop("unchanged", is_success=True)
        if visit.after is not None and self.bodies:
            if result.status == 304:
                return self._stored(request, key, visit.before) or result
            if is_page(result.status):
                visit.content = (list(result.headers.pairs), await _compressed(result.body))
        return result

    def _stored(self, request: Request, key: bytes, known: Snapshot) -> Response | None:
        found = self._pages.body(key, known.digest)
        if found is None:
            return None
        fields, body = found
        return Response(request.url, known.status, fields, body, request=request, source=self.name)

    def _option(self, request: Request) -> dict[str, Any]:
        """Return what `admit` has noted; nothing for a request that was made from one that it has admitted."""
        found = request.plugins.get(self.name)
        return found if isinstance(found, dict) and found.get("url") == request.url else {}

    def _visit_of(self, request: Request) -> Visit | None:
        """Return the visit of the page that this task handles; `None` if it handles another one."""
        visit = self._visit.get()
        return visit if visit is not None and visit.key == key_of(request) else None

    # ---- pages -------------------------------------------------------------------------------------------------------

    def parse(self, response: Response) -> None:
        """Note that a page was handled."""
        visit = self._visit_of(response.request)
        if visit is not None:
            visit.is_handled = True
        else:
            self._visit.set(None)  # the visit of another page

    async def refine(self, item: Item, response: Response) -> Item | None:
        """Add the field."""
        visit = self._visit_of(response.request)
        change = visit.change if visit is not None else "unchanged" if response.source == self.name else ""
        return json_fields_of(item) | {self.field: change} if self.field and change else None

    async def failed(self, failure: Failure) -> Any:
        """Return an item for a page that is gone; forget the visit of one whose callback failed."""
        visit = self._visit_of(failure.request)
        if visit is None or visit.after is None:
            return None
        if is_page(visit.after.status):
            visit.is_handled = False
        is_gone = self.field and visit.change == "gone"
        return {"url": failure.request.url, self.field: "gone"} if is_gone else None

    # ---- commits -----------------------------------------------------------------------------------------------------

    def _write(self, visits: Sequence[Visit]) -> None:
        """Write what is about to be committed. If it is not, the same is written again."""
        lines: dict[tuple[bytes, str], dict[str, Any]] = {}
        for visit in visits:
            if visit.change and visit.is_handled:
                self.crawl.count(visit.change)
                if self._log is not None and visit.change != "unchanged":
                    change, _ = self._pages.reported(visit.key, self._round)
                    if change != visit.change:  # a handler may have wanted the page again
                        lines[visit.key, visit.change] = visit.line()
        try:
            if self._log is not None and lines:
                self._log.append(list(lines.values()))
                self.state["length"] = self._log.length
        except OSError as error:
            raise CrawlFailed(
                f"recrawl: cannot write {self.changes}: {error.strerror}; a job continues when that is fixed"
            ) from error
        length = 0 if self._log is None else self._log.length
        with self._pages.transaction():
            for visit in visits:
                visit.is_written = True
                report = (visit.change, length) if (visit.key, visit.change) in lines else None
                self._pages.write(self._round, visit.record(self.name), report)


def _checked(path: Path) -> Path:
    """Return the path of a file that may be written.

    Raises:
        ConfigError: It may not.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"recrawl: no such folder: {path.parent} (for {path})")
    if path.is_dir():
        raise ConfigError(f"recrawl: {path} is a folder, not a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"recrawl: no permission to write {path}")
    return path


async def _compressed(body: bytes) -> bytes:
    return zlib.compress(body) if len(body) < IN_THREAD else await trio.to_thread.run_sync(zlib.compress, body)
