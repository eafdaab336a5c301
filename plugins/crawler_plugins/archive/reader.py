"""Read WARC files, of this and other programs: the records, and the HTTP responses inside of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import httpx

from crawler import Headers, Request, Response
from crawler_plugins.archive.members import BrokenRecord, Compression, read_member
from crawler_plugins.archive.records import RENAMED

__all__ = ["Record", "read_record", "records_of", "to_response"]

BODILESS: Final = (204, 304)
GZIP: Final = 31


@attrs.frozen(kw_only=True, repr=False)
class Record:
    """A WARC record."""

    fields: Headers
    """The named fields."""
    block: bytes
    """The content."""
    end: int
    """Byte offset of the next record."""

    @property
    def kind(self) -> str:
        """The type: ``response``, ``request``, ``revisit``, …"""
        return str(self.fields.get("warc-type", "")).lower()

    @property
    def url(self) -> str:
        """The target URI; wget and others put it into angle brackets."""
        return str(self.fields.get("warc-target-uri", "")).strip("<>")

    @property
    def is_http(self) -> bool:
        """Whether the content is an HTTP message."""
        return str(self.fields.get("content-type", "")).lower().startswith("application/http")


def records_of(path: Path, compression: Compression) -> Iterator[tuple[int, Record]]:
    """Iterate over the records of a file, with their offsets.

    Raises:
        BrokenRecord: The file holds something else, or ends in the middle of a record.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        offset = 0
        while True:
            data, end = read_member(file, offset, compression)
            if not data:
                return
            yield offset, _parse(data, offset, end)
            offset = end


def read_record(path: Path, offset: int, compression: Compression) -> Record:
    """Return the record at an offset. Errors: those of `records_of`."""
    with path.open("rb") as file:
        data, end = read_member(file, offset, compression)
    return _parse(data, offset, end)


def _parse(data: bytes, offset: int, end: int) -> Record:
    head, blank, rest = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not blank or not lines[0].startswith(b"WARC/"):
        raise BrokenRecord(f"no record at byte {offset}")
    pairs = [line.decode("utf-8", "replace").partition(":") for line in lines[1:]]
    fields = Headers([(name.strip(), value.strip()) for name, _, value in pairs])
    size = fields.get("content-length", "")
    if not size.isdigit() or int(size) > len(rest):
        raise BrokenRecord(f"the record at byte {offset} is shorter than its Content-Length")
    if len(rest) > int(size) + len(b"\r\n\r\n"):
        raise BrokenRecord("several records are compressed together: run `warcio recompress` on the file")
    return Record(fields=fields, block=rest[: int(size)], end=end)


def to_response(request: Request, block: bytes, body_block: bytes | None = None) -> Response:
    """Return the response in a record, as it was when it was fetched.

    Parameters:
        request: The request to answer.
        block: The content of a ``response`` or ``revisit`` record.
        body_block: The content of the record that holds the body; `None`: the same.

    Raises:
        BrokenRecord: The content is not an HTTP response.
    """
    status, fields, body = _split(block)
    if body_block is not None:
        _, body_fields, body = _split(body_block)
    else:
        body_fields = fields
    if status in BODILESS or request.method == "HEAD":
        body = b""
    return Response(request.url, status, Headers(_original(fields)), _decode(body, Headers(body_fields)))


def _split(block: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    head, blank, body = block.partition(b"\r\n\r\n")
    if not blank:
        head, _, body = block.partition(b"\n\n")
    lines = head.decode("latin-1").splitlines()
    words = lines[0].split(maxsplit=2) if lines else []
    if len(words) < 2 or not words[0].upper().startswith("HTTP/") or not words[1].isdigit():
        raise BrokenRecord("a record holds no HTTP response")
    fields: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if line[:1] in " \t" and fields:  # a folded line (RFC 9112 section 5.2)
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}")
        elif colon:
            fields.append((name.strip(), value.strip()))
    return int(words[1]), fields, body


def _original(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return header fields as the server sent them."""
    renamed = {name[len(RENAMED) :].lower() for name, _ in fields if name.startswith(RENAMED)}
    return [
        (name.removeprefix(RENAMED), value)
        for name, value in fields
        if name.startswith(RENAMED) or name.lower() not in renamed
    ]


def _decode(body: bytes, fields: Headers) -> bytes:
    """Return a body without its transfer coding and content codings."""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        body = _without_chunks(body)
    codings = [coding.strip().lower() for coding in fields.get("content-encoding", "").split(",")]
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip"):
            body = _inflate(body, GZIP)
        elif coding == "deflate":
            is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
            body = _inflate(body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        elif coding in ("br", "zstd"):
            body = httpx.Response(200, headers={"Content-Encoding": coding}, content=body).content
    return body


def _inflate(body: bytes, window: int) -> bytes:
    """Decode a body, which may be cut or have several gzip members."""
    parts: list[bytes] = []
    while body:
        inflater = zlib.decompressobj(window)
        try:
            parts.append(inflater.decompress(body))
        except zlib.error as error:
            if not parts:
                raise BrokenRecord(f"a body cannot be decoded: {error}") from error
            break  # bytes behind the coded body
        if window != GZIP or not inflater.eof:
            break
        body = inflater.unused_data
    return b"".join(parts)


def _without_chunks(body: bytes) -> bytes:
    """Return a body without chunk framing (RFC 9112 section 7.1), or as it is if it has none."""
    parts: list[bytes] = []
    at = 0
    while True:
        line, _, _ = body[at : at + 1024].partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0].strip(), 16)
        except ValueError:
            return body
        start = at + len(line) + 2
        if size == 0:
            return b"".join(parts)
        parts.append(body[start : start + size])
        at = start + size + 2
        if at > len(body):
            return b"".join(parts)
