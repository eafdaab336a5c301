"""`Download`: one file on its way from a server to the disk, continued where an earlier attempt broke off."""

from __future__ import annotations

import fnmatch
import re
from email.utils import parsedate_to_datetime
from typing import Final

import attrs
import trio

from crawler import BodyTooLarge, Drop, Headers, Response
from crawler_plugins.files.index import FileIndex
from crawler_plugins.files.names import media_type
from crawler_plugins.files.partial import PartialFile

__all__ = ["Checks", "Download", "validator_of"]

BLOCK: Final = 1024 * 1024
"""Bytes that are written together, in a thread."""
MAX_MISFITS: Final = 1
"""Maximum number of responses that match neither the file nor its rest."""
LENGTH: Final = re.compile(r"[0-9]{1,18}")
CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@attrs.frozen(kw_only=True)
class Checks:
    """The requirements for a file."""

    min_bytes: int
    """Minimum size in bytes."""
    max_bytes: int
    """Maximum size in bytes."""
    types: tuple[str, ...]
    """Patterns of media types, one of which must match. Empty: any type."""

    def refusal(self, kind: str, size: int | None) -> str:
        """Return why a file is not wanted; empty if it is.

        Parameters:
            kind: Its media type.
            size: Its size in bytes; `None` if it is unknown.
        """
        if self.types and not any(fnmatch.fnmatchcase(kind, pattern) for pattern in self.types):
            return f"its media type is {kind}"
        if size is not None and size > self.max_bytes:
            return f"it has {size} bytes, more than {self.max_bytes}"
        if size is not None and size < self.min_bytes:
            return f"it has {size} bytes, less than {self.min_bytes}"
        return ""


class Download:
    """The receiver and the writer of one file, for `crawl.fetch`.

    Parameters:
        owner: The plugin that downloads it.
        url: The canonical URL that the item named.
        partial: The file on the disk.
        index: Keeps the validator, with which the file can be continued.
        checks: The requirements for the file.
    """

    def __init__(self, owner: object, url: str, partial: PartialFile, index: FileIndex, checks: Checks) -> None:
        self.owner = owner
        self.refusal = ""
        """Why the file is not wanted; empty if it is."""
        self._misfit = False  # whether the last response was not the rest of the file
        self._misfits = 0
        self._url = url
        self._partial = partial
        self._index = index
        self._checks = checks
        self._buffer = bytearray()
        self._total: int | None = None

    async def range_fields(self) -> list[tuple[str, str]]:
        """Return the header fields that request the rest of the file (RFC 9110 section 14.2); none for the whole file.

        With ``If-Range``, the server sends the whole file if it has changed (section 13.1.5).
        """
        await self.flush()
        validator = self._index.validator(self._url) if self._partial.size else ""
        if not validator:
            return []
        return [("Range", f"bytes={self._partial.size}-"), ("If-Range", validator)]

    async def receive(self, response: Response) -> Download | Drop | None:
        """Decide about a body by the header section of its response."""
        self._misfit, self.refusal = False, ""
        is_coded = response.headers.get("content-encoding", "identity").strip().lower() not in ("identity", "none", "")
        if response.status == 200:
            await self._clear()
            length = response.headers.get("content-length", "")
            self._total = int(length) if LENGTH.fullmatch(length) and not is_coded else None
            self._index.set_validator(self._url, "" if is_coded else validator_of(response.headers))
        elif response.status == 206 and not is_coded and self._continues(response.headers):
            pass
        elif response.status in (206, 416):
            await self._clear()
            self._misfit = True
            return Drop("not the rest of the file")
        else:
            return None
        self.refusal = self._checks.refusal(media_type(response), self._total)
        return Drop(self.refusal) if self.refusal else self

    async def write(self, data: bytes) -> None:
        """Append bytes to the file, many at once.

        Raises:
            BodyTooLarge: The file has become too large.
        """
        size = self._partial.size + len(self._buffer) + len(data)
        if size > self._checks.max_bytes:
            raise BodyTooLarge(f"the file is larger than {self._checks.max_bytes} bytes")
        self._buffer += data
        if len(self._buffer) >= BLOCK:
            await self.flush()

    async def finish(self, kind: str) -> str:
        """Write what is left. Return what is wrong with the complete file; empty if nothing is.

        Parameters:
            kind: The media type of the file.
        """
        await self.flush()
        if self._total is not None and self._partial.size != self._total:
            return f"incomplete: {self._partial.size} of {self._total} bytes"
        return self._checks.refusal(kind, self._partial.size)

    def restarts(self) -> bool:
        """Return whether the file is to be requested again, because the server could not continue it.

        It is empty then, so the request asks for all of it; a server that sends a part even so is given up.
        """
        self._misfits += self._misfit
        if self._misfit and self._misfits > MAX_MISFITS:
            self.refusal = "the server sends another part of the file than it was asked for"
        return self._misfit and not self.refusal

    def _continues(self, headers: Headers) -> bool:
        """Return whether a partial response begins where the file ends."""
        found = CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        if found is None or int(found[1]) != self._partial.size:
            return False
        self._total = None if found[2] == "*" else int(found[2])
        return True

    async def _clear(self) -> None:
        """Begin the file again."""
        self._buffer.clear()
        if self._partial.size:
            await trio.to_thread.run_sync(self._partial.clear)
        self._index.set_validator(self._url, "")

    async def flush(self) -> None:
        """Write what has arrived."""
        if self._buffer:
            block, self._buffer = self._buffer, bytearray()
            await trio.to_thread.run_sync(self._partial.write, block)


def validator_of(headers: Headers) -> str:
    """Return the value for ``If-Range``: a strong entity tag, or a strong date of modification; empty if there is none.

    A date is strong if it is at least a second before that of the response (RFC 9110 section 8.8.2.2).
    """
    tag: str = headers.get("etag", "").strip()
    if len(tag) >= 2 and tag.startswith('"') and tag.endswith('"'):
        return tag
    modified: str = headers.get("last-modified", "").strip()
    try:
        age = parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(modified)
    except (ValueError, TypeError, OverflowError):
        return ""
    return modified if age.total_seconds() >= 1 else ""
