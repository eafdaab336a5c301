"""`Files`: download the files that items point to."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import trio

from crawler import (
    BodyTooLarge,
    ConfigError,
    Crawl,
    CrawlFailed,
    HookError,
    Item,
    Plugin,
    Request,
    RequestError,
    Response,
    WouldExceedDeadline,
)
from crawler_plugins.files import names
from crawler_plugins.files.download import Checks, Download
from crawler_plugins.files.file_store import Content, FileStore
from crawler_plugins.files.items import has_field, links_of, with_field
from crawler_plugins.files.locks import KeyedLocks
from crawler_plugins.files.partial import PartialFile
from crawler_plugins.files.pattern import FIELDS, PathPattern

__all__ = ["Files"]

GIB: Final = 1024**3
DAY: Final = 86_400.0
LOCKED_PAUSE: Final = 1.0
"""Seconds between two attempts to lock a file that another process downloads."""
MIN_PAUSE: Final = 0.5
"""Minimum number of seconds between two attempts to start a request on a busy lane."""
MAX_PREPARED: Final = 2
"""Maximum number of files that `Files.prepare` works on at once: decoded images are large."""
TRANSIENT: Final = (408, 425, 429, 500, 502, 503, 504)
"""Statuses that another item may not meet again."""
BLANK: Final = {"path": None, "digest": None, "size": None, "type": None}
MAX_WALL: Final = 524_288
"""Bytes of a page that is looked at: `Response.wall` is `None` for larger ones."""
MAX_FAILURES: Final = 10_000
"""Failed URLs that are remembered, so that they are not requested again."""

log = logging.getLogger("crawler.plugins.files")
current_download: ContextVar[Download | None] = ContextVar("current_download", default=None)
"""The file that this task downloads."""


class Files(Plugin):
    """Downloads the files that items point to, and writes into each item where they are.

    Each entry of the result has ``url``, ``path`` (relative to the folder), ``digest`` (SHA-256), ``size`` (bytes),
    ``type`` and ``status``: ``downloaded``, ``uptodate`` (the folder had it), or ``failed`` with the reason in
    ``error``.

    Parameters:
        folder: Where files are stored.
        fields: Fields of items with a URL or a list of URLs. Relative ones are joined with the URL of the page.
        result: Field of items for the result. A dict gets it; other items must have it.
        path: Path of a file below the folder. It may contain ``{host}``, ``{dir}`` (the folders of the URL),
            ``{name}``, ``{stem}`` (the name without its ending), ``{ext}`` and ``{digest}``; ``{digest:2}`` is the
            first two digits.
        min_bytes: Minimum size in bytes.
        max_bytes: Maximum size in bytes.
        types: Accepted media types as globs, such as ``application/pdf,image/*``. Default: any.
        concurrency: Maximum number of files that are downloaded at once. The limits of each host apply as well.
        timeout: Seconds for one attempt. The next one continues where it ended, if the server can do that.
        expires: Days after which a file is downloaded again; 0 means always.
        required: Whether a file that cannot be downloaded fails its page.

    Raises:
        ConfigError: An option is invalid, or the folder cannot be used.
    """

    name = "files"
    guarantee = "exactly once: a file is noted before it gets its name, and an equal one is not stored again"
    extra_path = PathPattern("thumbs/{thumb}/{digest:2}/{digest}{ext}", "thumb_path", (*FIELDS, "thumb"))
    """Path of a file that `prepare` made of another one."""

    def __init__(
        self,
        *,
        folder: Path = Path("files"),
        fields: tuple[str, ...] = ("file_urls",),
        result: str = "files",
        path: str = "{host}/{digest:2}/{digest}{ext}",
        min_bytes: int = 0,
        max_bytes: int = GIB,
        types: tuple[str, ...] = (),
        concurrency: int = 8,
        timeout: float = 600.0,
        expires: float = 90.0,
        required: bool = False,
    ) -> None:
        if not fields or not all(fields) or not result:
            raise ConfigError(f"{self.name}: fields and result must name at least one field of the items each")
        if not 0 <= min_bytes <= max_bytes or max_bytes < 1:
            raise ConfigError(f"{self.name}: min_bytes and max_bytes must be 0 ≤ {min_bytes} ≤ {max_bytes} and above 0")
        if not all(names.MEDIA_TYPE.fullmatch(kind.replace("*", "x")) for kind in types):
            raise ConfigError(f"{self.name}: types must be like image/png or image/*, not {', '.join(types)}")
        if concurrency < 1:
            raise ConfigError(f"{self.name}: concurrency must be at least 1, not {concurrency}")
        if not 0 < timeout <= DAY:
            raise ConfigError(f"{self.name}: timeout must be above 0 and at most 86400 seconds, not {timeout}")
        if not 0 <= expires < 100_000:
            raise ConfigError(f"{self.name}: expires must be from 0 to below 100000 days, not {expires}")
        self.folder = Path(folder)
        self.fields = fields
        self.result = result
        self.path = PathPattern(path, f"{self.name}: path")
        self.checks = Checks(min_bytes=min_bytes, max_bytes=max_bytes, types=types)
        self.concurrency = concurrency
        self.timeout = timeout
        self.expires = expires * DAY
        self.required = required
        self.variant = f"{self.name} {path}"
        """Distinguishes the files that different options make of one URL."""

    # ---- hooks -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Open the folder."""
        self._oldest = crawl.clock() - self.expires
        self._limiter = trio.CapacityLimiter(self.concurrency)
        self._locks = KeyedLocks()
        self._preparing = trio.CapacityLimiter(MAX_PREPARED)
        self._failures: dict[str, str] = {}
        try:
            self._store = FileStore(
                self.folder.absolute(),
                variant=self.variant,
                path=self.path,
                extra_path=self.extra_path,
                sync=crawl.settings.durability == "power",
            )
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"{self.name}: the folder {self.folder} cannot be used: {error}") from None
        self._fields_seen: bool | None = None  # `None`: no item was seen
        with closing(self._store):
            yield
        if self._fields_seen is False:
            log.warning(
                "%s: no item has the field %s, so nothing was downloaded; set %s.fields to your URL fields",
                self.name,
                " or ".join(self.fields),
                self.name,
            )

    async def fetch(self, request: Request, send: Any) -> Response | None:
        """Request the rest of a file, if a part of it is there."""
        download = current_download.get()
        if download is None or download.owner is not self:
            return None
        fields = await download.range_fields()
        if not fields:
            return None
        found: Response = await send(request.replace(headers=[*request.headers.pairs, *fields]))
        if isinstance(found, Response):
            found.request = request  # a redirect goes without the fields; its attempt gets its own
        return found

    async def refine(self, item: Item, response: Response) -> Item | None:
        """Download the files of an item."""
        self._fields_seen = self._fields_seen or has_field(item, self.fields)
        links = links_of(item, self.fields)
        if not links:
            return None
        results: list[dict[str, Any]] = [{"url": str(link), **BLANK} for link in links]
        late: list[WouldExceedDeadline] = []
        async with trio.open_nursery() as nursery:
            for link, result in zip(links, results, strict=True):
                nursery.start_soon(self._fill, result, link, response, late)
        if late:  # the page is put off; the files so far are kept
            raise max(late, key=lambda error: error.retry_at)
        for result in results:
            self.crawl.count(f"{self.name}/{result['status']}")
            if result["status"] == "failed":
                self.crawl.stats.sample(f"{self.name}/failed", f"{result['url']} ({result['error']})")
        failed = next((result for result in results if result["status"] == "failed"), None)
        if self.required and failed is not None:
            raise RequestError(f"{failed['url']}: {failed['error']}")
        return with_field(item, self.result, results)

    # ---- for subclasses ----------------------------------------------------------------------------------------------

    def prepare(self, unfinished: PartialFile, kind: str) -> Content | str:
        """Return the content to store for a complete file, or why it is not wanted. It is called in a thread.

        Parameters:
            unfinished: The file.
            kind: Its media type by the server.
        """
        return Content(source=unfinished.path, digest=unfinished.digest(), kind=kind)

    # ---- one file ----------------------------------------------------------------------------------------------------

    async def _fill(
        self, result: dict[str, Any], link: Any, response: Response, late: list[WouldExceedDeadline]
    ) -> None:
        """Fill in the result of one link."""
        try:
            request = response.follow(
                link if isinstance(link, str) else "javascript:",
                headers={"Accept": "*/*", "Accept-Encoding": "identity"},  # coded data cannot be continued
                max_body=self.checks.max_bytes,
                timeout=self.timeout,
                session=response.request.session,
                proxy=response.request.proxy,
            )
        except ValueError:
            result |= {"status": "failed", "error": "not a web link"}
            return
        result["url"] = request.url
        try:
            async with self._locks.hold(request.url):
                found = self._known(request.url) or await self._new(request)
        except WouldExceedDeadline as error:
            late.append(error)
        except (OSError, sqlite3.Error) as error:
            await self._end_crawl(error)
        else:
            result |= {"status": "failed", "error": found} if isinstance(found, str) else found

    def _known(self, url: str) -> dict[str, Any] | str | None:
        """Return the facts of a file that the folder has, or the failure of a URL, if it is known."""
        facts = self._store.by_url(url, self._oldest)
        return self._failures.get(url) if facts is None else {**facts, "status": "uptodate"}

    async def _new(self, request: Request) -> dict[str, Any] | str:
        """Return the facts of a file that the folder does not have yet, or why it cannot be downloaded."""
        async with self._limiter, self._unfinished(request.url) as unfinished:
            found = self._known(request.url)  # another process may have stored it
            if found is None:
                found = await self._download(request, unfinished)
                if isinstance(found, dict):
                    found["status"] = "downloaded"
            return found

    @asynccontextmanager
    async def _unfinished(self, url: str) -> AsyncGenerator[PartialFile]:
        """Open the unfinished file of a URL. Wait while another process has it."""
        digest = hashlib.sha256(f"{self.name} {url}".encode()).hexdigest()
        path = self._store.hidden / f"{digest[:32]}.part"
        while (found := PartialFile.open(path)) is None:  # noqa: ASYNC110 - a lock of the system cannot be awaited
            await trio.sleep(LOCKED_PAUSE)
        with closing(found):
            yield found

    async def _download(self, request: Request, unfinished: PartialFile) -> dict[str, Any] | str:
        """Download a file and store it. Return its facts, or why there is none."""
        download = Download(self, request.url, unfinished, self._store.index, self.checks)
        try:
            response = await self._fetch(request, download)
        except WouldExceedDeadline:
            raise
        except RequestError as error:
            if isinstance(error.__cause__, (OSError, sqlite3.Error)) and isinstance(error, HookError):
                raise error.__cause__ from error
            if isinstance(error, BodyTooLarge):
                await trio.to_thread.run_sync(unfinished.clear)
            else:
                await download.flush()  # to be continued
            return str(error) if error.retryable else self._remember(request.url, str(error))
        if not download.refusal and response.status not in (200, 206):
            reason = f"status {response.status}"
            return reason if response.status in TRANSIENT else self._remember(request.url, reason)
        found: dict[str, Any] | str = download.refusal or await download.finish(names.media_type(response))
        if not found and response.is_html and unfinished.size <= MAX_WALL:
            found = await self._wall(response, unfinished)
        if not found:
            found = await self._keep(request.url, response, unfinished)
        if isinstance(found, str):
            await trio.to_thread.run_sync(unfinished.clear)
            return self._remember(request.url, found)
        return found

    async def _wall(self, response: Response, unfinished: PartialFile) -> str:
        """Return which wall came in place of a file; empty if none did, or walls of its kind are accepted."""
        body = await trio.to_thread.run_sync(unfinished.path.read_bytes)
        wall, accepted = response.replace(body=body).wall, self.crawl.settings.accept_walls
        if wall is None or "all" in accepted or wall.kind in accepted:
            return ""
        return f"a {wall.kind} of {wall.vendor or 'the site'} came in its place"

    async def _fetch(self, request: Request, download: Download) -> Response:
        """Send the request of a file, again from its beginning if the server cannot continue it.

        Raises:
            WouldExceedDeadline: The host allows no request for some time: the page is to be put off.
            RequestError: The request failed in all attempts.
        """
        token = current_download.set(download)
        try:
            while True:
                try:
                    response = await self.crawl.fetch(request, receive=download.receive)
                except WouldExceedDeadline as error:
                    wait = error.retry_at - self.crawl.clock()
                    if wait > self.crawl.settings.inline_wait:
                        raise
                    await trio.sleep(max(wait, MIN_PAUSE))  # other files of the host are being downloaded
                else:
                    if not download.restarts():
                        return response
        finally:
            current_download.reset(token)

    async def _keep(self, url: str, response: Response, unfinished: PartialFile) -> dict[str, Any] | str:
        """Give a complete file its name. Return its facts, or why it is not wanted."""
        content = await trio.to_thread.run_sync(
            self.prepare, unfinished, names.media_type(response), limiter=self._preparing
        )
        if isinstance(content, str):
            return content
        return await self._store.add(url, response, unfinished, content, self.crawl.clock())

    def _remember(self, url: str, reason: str) -> str:
        """Return the reason of a failure that another attempt would not change, and remember it for other items."""
        self._failures[url] = reason
        if len(self._failures) > MAX_FAILURES:
            del self._failures[next(iter(self._failures))]
        return reason

    async def _end_crawl(self, error: Exception) -> None:
        """End the crawl because the disk fails. The page is not handled, so a durable job resumes with it."""
        failed = CrawlFailed(f"{self.name}: a file cannot be stored in {self.folder}: {error}")
        self.crawl.start_soon(_fail, failed, error)
        await trio.sleep_forever()


async def _fail(error: CrawlFailed, cause: Exception) -> None:  # noqa: ASYNC124 - a task
    raise error from cause
