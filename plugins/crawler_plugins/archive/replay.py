"""`Replay`: answer all requests of a crawl from an archive, without a network."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from crawler import (
    BodyTooLarge,
    BrokenExchange,
    ConfigError,
    ConnectFailed,
    Crawl,
    FetchError,
    FetchTimeout,
    Plugin,
    Request,
    RequestError,
    Response,
)
from crawler_plugins.archive.catalog import Catalog, Location, failure_fields
from crawler_plugins.archive.files import later_parts
from crawler_plugins.archive.members import BrokenRecord, compression_of
from crawler_plugins.archive.reader import Record, read_record, to_response

__all__ = ["Replay"]

ERRORS: Final[dict[str, type[RequestError]]] = {
    kind.__name__: kind for kind in (BodyTooLarge, BrokenExchange, ConnectFailed, FetchError, FetchTimeout)
}
"""The errors that an archive may hold, by name."""
log = logging.getLogger("crawler.plugins.replay")


class Replay(Plugin):
    """Answers every request from WARC files, those of the plugin ``warc`` or of other programs. Nothing is sent.

    A request is found by method, URL and body. Repeated requests get the responses in the order of the archive; then
    the last one stays. A request that the archive does not have fails with the reason ``request_error.not_archived``,
    so the exit code is 4; a missing robots.txt counts as not found (404).

    Parameters:
        path: The files, separated by commas. Further files of the same archive (``NAME-00001.warc.gz``) are found.

    Raises:
        ConfigError: A file is missing, has another ending than ``.warc.gz``, ``.warc.zst`` or ``.warc``, or
            is not an archive.
    """

    def __init__(self, path: Sequence[Path]) -> None:
        paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(one) for one in path]
        if not paths:
            raise ConfigError("replay: path must name at least one file, as in site.warc.gz")
        self.paths: list[Path] = []
        for one in paths:
            compression = compression_of(one, "replay")
            if not one.is_file():
                raise ConfigError(f"replay: no such file: {one}")
            ending = f".warc.{compression}" if compression else ".warc"
            self.paths += [part for part in (one, *later_parts(one, ending)) if part not in self.paths]
        self._compressions = [compression_of(one, "replay") for one in self.paths]
        self._catalog = Catalog()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Read the archive once, to index its records."""
        self._catalog = await trio.to_thread.run_sync(Catalog.of, self.paths, self._compressions)
        log.info("%d responses in the archive %s", len(self._catalog), self.paths[0])
        yield

    async def answer(self, request: Request) -> Response:
        """Return the archived response.

        Raises:
            RequestError: The archive does not have it, or holds an error.
        """
        found = self._catalog.next(request)
        if found is not None:
            return await trio.to_thread.run_sync(self._response, request, found)
        if urlsplit(request.url).path == "/robots.txt":
            return Response(request.url, 404, request=request, source=self.name)
        error = RequestError(f"{self.paths[0]} has no response to {request.method} {request.url}", request=request)
        error.kind = "not_archived"
        raise error

    async def fetch(self, request: Request, send: Any) -> Response:
        """Return the archived response to a redirect of a robots.txt, for which `answer` is not called."""
        return await self.answer(request)

    def _response(self, request: Request, found: Location) -> Response:
        """Return the response at a place of the archive.

        Raises:
            RequestError: It is an error, or cannot be read.
        """
        try:
            record = self._read(found)
            if found.kind == "failure":
                raise _error(failure_fields(record), request)
            body = None
            if found.kind == "revisit":
                original = self._catalog.original(record)
                if original is None:
                    raise BrokenRecord("the archive lacks the body that it refers to")
                body = self._read(original).block
            max_size = request.max_body or self.crawl.settings.max_body
            response = to_response(request, record.block, body, max_size=max_size)
        except (OSError, BrokenRecord) as error:
            message = f"{self.paths[found.part]}, byte {found.offset}: {error}"
            failure = RequestError(f"the archived response to {request.url} is unusable: {message}", request=request)
            failure.kind = "bad_archive"
            raise failure from error
        response.request, response.source = request, self.name
        response.complete = "warc-truncated" not in record.fields
        return response

    def _read(self, place: Location) -> Record:
        return read_record(self.paths[place.part], place.offset, self._compressions[place.part])


def _error(fields: dict[str, str], request: Request) -> RequestError:
    """Return the error of an archived failure. It is final: another attempt would fail in the same way."""
    kind = ERRORS.get(fields.get("fetchError", ""), RequestError)
    error = kind(fields.get("fetchErrorMessage", "it failed when it was archived"), request=request)
    error.kind = fields.get("fetchErrorKind", "")
    error.retryable = False
    if isinstance(error, FetchError):
        error.has_response = True  # else it would count as an outage
    return error
