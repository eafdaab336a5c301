"""`Warc`: write what a crawl fetches to WARC files."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from crawler import (
    BodyTooLarge,
    ConfigError,
    Crawl,
    CrawlFailed,
    Drop,
    FetchError,
    Plugin,
    Request,
    RequestError,
    Response,
    Retry,
)
from crawler_plugins.archive.cdxj import Entry, line_of, parse_line, sort_file
from crawler_plugins.archive.files import ArchiveFiles, Place, check_new
from crawler_plugins.archive.members import compression_of, compressor
from crawler_plugins.archive.records import (
    digest_of,
    encode,
    is_compressed,
    new_id,
    request_message,
    response_head,
    warc_date,
)
from crawler_plugins.archive.wacz import write_wacz

__all__ = ["Warc"]

MAX_KNOWN: Final = 200_000
"""Number of bodies that are remembered, so that an equal one is not written again."""
IN_THREAD: Final = 65_536
"""Bytes of a body from which on it is compressed in a worker thread."""
IDENTICAL: Final = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
log = logging.getLogger("crawler.plugins.warc")


@attrs.frozen(kw_only=True, repr=False)
class Capture:
    """The records of one exchange, compressed, until its request is settled."""

    records: tuple[bytes, ...]
    """The records. The index names the first one."""
    date: str
    """The ``WARC-Date``."""
    entry: Entry | None = None
    """The line of the index, as far as it is known; `None`: the exchange failed."""


class Warc(Plugin):
    """Writes exchanges to WARC 1.1 files, with a CDXJ index, and to a WACZ file if wanted.

    Requests, responses, redirects and robots.txt files are written; failed exchanges as metadata; and bodies that the
    archive has already as revisits. In a durable job each settled request is written exactly once. Responses whose body
    ``crawl.fetch(receive=…)`` takes, such as downloads of the plugin ``files``, have no record; a warning at the end
    says how many there were.

    Parameters:
        path: The first file, ending in ``.warc.gz``, ``.warc.zst`` or ``.warc``. Its folder must exist.
        max_size: Bytes of a file after which the next one begins, ``NAME-00001.warc.gz``; at least 1.
        level: Level of the compression, 1 to 9; bodies that came compressed are not compressed again.
        revisits: Write equal bodies once.
        wacz: Write ``NAME.wacz`` at the end.
        credentials: Keep the request fields that hold cookies and credentials.
        overwrite: Replace an archive of this name.

    Raises:
        ConfigError: An option is wrong.
    """

    guarantee = "exactly once: the commit that settles a request keeps where its records end"
    wants_wire = True

    def __init__(
        self,
        path: Path,
        *,
        max_size: int = 1_000_000_000,
        level: int = 1,
        revisits: bool = True,
        wacz: bool = False,
        credentials: bool = False,
        overwrite: bool = False,
    ) -> None:
        path = Path(path)
        compression = compression_of(path, "warc")
        if not path.parent.is_dir():
            raise ConfigError(f"warc: no such folder: {path.parent} (for {path})")
        if path.is_dir():
            raise ConfigError(f"warc: {path} is a folder, not a file")
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"warc: no permission to write {path}")
        if max_size < 1:
            raise ConfigError(f"warc: max_size must be at least 1 byte, not {max_size}")
        if not 1 <= level <= 9:
            raise ConfigError(f"warc: level must be from 1 to 9, not {level}")
        self.path = path
        self.max_size = max_size
        self.revisits = revisits
        self.wacz = wacz
        self.credentials = credentials
        self.overwrite = overwrite
        self._ending = f".warc.{compression}" if compression else ".warc"
        self._compress = compressor(compression, level)
        self._unrecorded = 0  # responses whose bodies `crawl.fetch(receive=…)` took
        self._known: dict[str, tuple[str, str]] = {}  # URL and date of the first record of a body, by digest
        self._files: ArchiveFiles

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Continue the archive of the job, or begin one; sort the index at the end."""
        kept = self.state.get("place")
        place = Place() if kept is None else Place(**kept)
        self._files = ArchiveFiles(self.path, self._ending, place, sync=crawl.settings.durability == "power")
        if kept is None:
            check_new(self._files, overwrite=self.overwrite)
            self.state["place"] = attrs.asdict(place)  # the job knows the files before they exist
        else:
            self._files.cut()
            self._restore_known()
        try:
            yield
        finally:
            self._files.close()
        await trio.to_thread.run_sync(self._finish)
        if self._unrecorded:
            log.warning(
                "warc: %s has no record of %d responses whose bodies went elsewhere, such as to the plugin files",
                self.path,
                self._unrecorded,
            )

    async def fetch(self, request: Request, send: Any) -> Response | Retry | Drop | None:
        """Capture an exchange. It is written when its request is settled."""
        began = self.crawl.clock()
        try:
            result: Response | Retry | Drop = await send(request)
        except (FetchError, BodyTooLarge) as error:
            self.crawl.job.before_commit(self._write, self._failure(request, error, warc_date(began)))
            raise
        answer = result.original or result if isinstance(result, Response) else None
        if answer is not None and answer.wire is None:
            self._unrecorded += answer.source == "network"
        elif answer is not None and answer.wire is not None:
            body = answer.body if answer.wire.body is None else answer.wire.body
            make = partial(self._capture, request, answer, body, warc_date(began))
            capture = make() if len(body) < IN_THREAD else await trio.to_thread.run_sync(make)
            self.crawl.job.before_commit(self._write, capture)
        return result

    # ---- records -----------------------------------------------------------------------------------------------------

    def _capture(self, request: Request, response: Response, body: bytes, date: str) -> Capture:
        """Return the records of a response: itself, or a revisit of an equal body, and the request."""
        wire = response.wire
        assert wire is not None
        response_id, digest, head = new_id(), digest_of(body), response_head(response)
        first = self._known.get(digest) if self.revisits and body and wire.is_complete else None
        fields = [
            ("WARC-Type", "response" if first is None else "revisit"),
            *self._common(request, response_id, date),
            ("WARC-Payload-Digest", digest),
            ("Content-Type", "application/http;msgtype=response"),
        ]
        if wire.address:
            fields.append(("WARC-IP-Address", wire.address))
        if not wire.http_version.startswith("HTTP/1"):
            fields.append(("WARC-Protocol", wire.http_version.lower().replace("http/", "h")))
        if not wire.is_complete:
            fields.append(("WARC-Truncated", "length" if body else "unspecified"))
        if first is not None:
            url, at = first
            fields += [
                ("WARC-Profile", IDENTICAL),
                ("WARC-Refers-To-Target-URI", url),
                ("WARC-Refers-To-Date", at),
            ]
        block = head + body if first is None else head
        is_coded = first is None and is_compressed(response)
        answer = self._compress(encode([*fields, ("WARC-Block-Digest", digest_of(block))], block), is_coded)
        entry = Entry(
            url=request.url,
            mime="warc/revisit" if first else response.headers.get("content-type", "-").partition(";")[0].strip(),
            status=str(wire.status),
            digest=digest,
            length=str(len(answer)),
            offset="",
            filename="",
            method=request.method,
        )
        return Capture(records=(answer, self._asked(request, response, response_id, date)), date=date, entry=entry)

    def _asked(self, request: Request, response: Response, response_id: str, date: str) -> bytes:
        """Return the request record that belongs to a response."""
        wire = response.wire
        assert wire is not None
        block = request_message(request, wire.request_fields, credentials=self.credentials)
        fields = [
            ("WARC-Type", "request"),
            *self._common(request, new_id(), date),
            ("WARC-Concurrent-To", response_id),
            ("WARC-Block-Digest", digest_of(block)),
            ("WARC-Payload-Digest", digest_of(request.body)),
            ("Content-Type", "application/http;msgtype=request"),
        ]
        return self._compress(encode(fields, block), False)

    def _failure(self, request: Request, error: RequestError, date: str) -> Capture:
        """Return the metadata record of an exchange that failed."""
        lines = {
            "fetchError": type(error).__name__,
            "fetchErrorKind": error.kind,
            "fetchErrorMessage": str(error).replace("\n", " "),
            "method": request.method,
            "requestDigest": digest_of(request.body),
        }
        block = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value).encode()
        fields = [
            ("WARC-Type", "metadata"),
            *self._common(request, new_id(), date),
            ("WARC-Block-Digest", digest_of(block)),
            ("Content-Type", "application/warc-fields"),
        ]
        return Capture(records=(self._compress(encode(fields, block), False),), date=date)

    def _common(self, request: Request, record_id: str, date: str) -> list[tuple[str, str]]:
        return [("WARC-Record-ID", record_id), ("WARC-Date", date), ("WARC-Target-URI", request.url)]

    def _warcinfo(self) -> bytes:
        """Return the record at the beginning of a file."""
        settings = self.crawl.settings
        lines = {
            "software": _software(),
            "format": "WARC File Format 1.1",
            "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
            "robots": "obey" if settings.obey_robots else "ignore",
            "http-header-user-agent": settings.user_agent,
        }
        block = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        fields = [
            ("WARC-Type", "warcinfo"),
            ("WARC-Record-ID", new_id()),
            ("WARC-Date", warc_date(self.crawl.clock())),
            ("WARC-Filename", self._files.part(self._files.place.part).name),
            ("WARC-Block-Digest", digest_of(block)),
            ("Content-Type", "application/warc-fields"),
        ]
        return self._compress(encode(fields, block), False)

    # ---- files -------------------------------------------------------------------------------------------------------

    def _write(self, captures: list[Capture]) -> None:
        """Append the records of requests that are being settled. The same commit keeps where they end."""
        try:
            records, lines = bytearray(), bytearray()
            for capture in captures:
                if self._files.place.length + len(records) >= self.max_size:
                    self._files.write(bytes(records), bytes(lines))
                    self._files.next_part()
                    records, lines = bytearray(), bytearray()
                if self._files.place.length + len(records) == 0:
                    records += self._warcinfo()
                lines += self._line(capture, self._files.place.length + len(records))
                records += b"".join(capture.records)
            self._files.write(bytes(records), bytes(lines))
        except OSError as error:
            raise CrawlFailed(f"warc: cannot write {self.path}: {error.strerror}") from error
        self.state["place"] = attrs.asdict(self._files.place)

    def _line(self, capture: Capture, offset: int) -> bytes:
        """Return the line of the index for a capture, and remember its body."""
        if capture.entry is None:
            return b""
        entry = capture.entry
        entry.offset, entry.filename = str(offset), self._files.part(self._files.place.part).name
        if entry.mime != "warc/revisit":
            self._remember(entry, capture.date)
        return line_of(entry, capture.date)

    def _remember(self, entry: Entry, date: str) -> None:
        if entry.digest not in self._known:
            self._known[entry.digest] = (entry.url, date)
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]

    def _restore_known(self) -> None:
        """Remember the bodies of earlier runs of the job."""
        if self._files.index.exists():
            with self._files.index.open("rb") as lines:
                for line in lines:
                    entry, date = parse_line(line)
                    if entry.mime != "warc/revisit":
                        self._remember(entry, date)

    def _finish(self) -> None:
        """Sort the index, and write the WACZ file."""
        files = self._files
        if not files.index.exists():
            return
        sort_file(files.index)
        if self.wacz:
            path = files.index.with_suffix(".wacz")
            created = warc_date(self.crawl.clock())
            write_wacz(path, files.parts, files.index, software=_software(), created=created)
        log.info("%d files of the archive %s", len(files.parts), self.path)


def _software() -> str:
    return f"trio-crawler/{version('trio-crawler')}"
