"""Read WARC files, of this and other programs: the records, and the HTTP responses inside of them."""

from __future__ import annotations

import re
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
CHUNK: Final = 65_536
MAX_CODINGS: Final = 5
"""Maximum number of content codings of a body, as in libcurl."""
LINE_END: Final = re.compile(r"\r?\n")
STATUS_LINE: Final = re.compile(r"HTTP/\S*+[ \t]++([0-9]{3})(?![0-9])", re.IGNORECASE)
CHUNK_SIZE: Final = re.compile(rb"[ \t]*+([0-9a-fA-F]{1,16})[ \t]*+(?:;[^\r\n]{0,1024}+)?\r\n")
LENGTH: Final = re.compile(r"[0-9]{1,18}")


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
    if not LENGTH.fullmatch(size) or int(size) > len(rest):
        raise BrokenRecord(f"the record at byte {offset} is shorter than its Content-Length")
    if len(rest) > int(size) + len(b"\r\n\r\n"):
        raise BrokenRecord("several records are compressed together: run `warcio recompress` on the file")
    return Record(fields=fields, block=rest[: int(size)], end=end)


def to_response(request: Request, block: bytes, body_block: bytes | None = None, *, max_size: int) -> Response:
    """Return the response in a record, as it was when it was fetched.

    Parameters:
        request: The request to answer.
        block: The content of a ``response`` or ``revisit`` record.
        body_block: The content of the record that holds the body; `None`: the same.
        max_size: Maximum size of the decoded body, in bytes.

    Raises:
        BrokenRecord: The content is not an HTTP response, or its body is too large.
    """
    status, fields, body = _split(block)
    if body_block is not None:
        _, body_fields, body = _split(body_block)
    else:
        body_fields = fields
    if status in BODILESS or request.method == "HEAD":
        body = b""
    return Response(request.url, status, Headers(_original(fields)), _decode(body, Headers(body_fields), max_size))


def _split(block: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    head, blank, body = block.partition(b"\r\n\r\n")
    if not blank:
        head, _, body = block.partition(b"\n\n")
    first, *lines = LINE_END.split(head.decode("latin-1"))
    status = STATUS_LINE.match(first)
    if status is None:
        raise BrokenRecord("a record holds no HTTP response")
    fields: list[tuple[str, list[str]]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and fields:  # a folded line (RFC 9112 section 5.2)
            fields[-1][1].append(line.strip())
        elif colon:
            fields.append((name.strip(), [value.strip()]))
    return int(status[1]), [(name, " ".join(values)) for name, values in fields], body


def _original(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return header fields as the server sent them."""
    renamed = {name[len(RENAMED) :].lower() for name, _ in fields if name.startswith(RENAMED)}
    return [
        (name.removeprefix(RENAMED), value)
        for name, value in fields
        if name.startswith(RENAMED) or name.lower() not in renamed
    ]


def _decode(body: bytes, fields: Headers, max_size: int) -> bytes:
    """Return a body without its transfer coding and content codings.

    Raises:
        BrokenRecord: It cannot be decoded, or has more than `max_size` bytes then.
    """
    if "chunked" in fields.get("transfer-encoding", "").lower():
        body = _without_chunks(body)
    codings = [coding.strip().lower() for coding in fields.get("content-encoding", "").split(",")]
    if len(codings) > MAX_CODINGS:
        raise BrokenRecord(f"a body has {len(codings)} content codings")
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip"):
            body = _gathered(_inflate(body, GZIP), max_size)
        elif coding == "deflate":
            is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
            body = _gathered(_inflate(body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS), max_size)
        elif coding in ("br", "zstd"):
            body = _gathered(_unpack(body, coding), max_size)
    return body


def _gathered(pieces: Iterator[bytes], max_size: int) -> bytes:
    """Return pieces in one, unless they are too large: an archive may hold a decompression bomb."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) > max_size:
            raise BrokenRecord(f"a decoded body is larger than {max_size} bytes")
    return bytes(gathered)


def _inflate(body: bytes, window: int) -> Iterator[bytes]:
    """Yield the pieces of a decoded body, which may be cut or have several gzip members."""
    view, at, members = memoryview(body), 0, 0
    inflater = zlib.decompressobj(window)
    while at < len(view):
        coded = view[at : at + CHUNK]
        try:
            yield inflater.decompress(coded, CHUNK)
        except zlib.error as error:
            if not members:
                raise BrokenRecord(f"a body cannot be decoded: {error}") from error
            return  # bytes after the coded body
        at += len(coded) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        if inflater.eof:
            if window != GZIP:
                return
            members += 1
            inflater = zlib.decompressobj(window)


def _unpack(body: bytes, coding: str) -> Iterator[bytes]:
    """Yield the pieces of a body that httpx decodes."""
    coded = (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
    try:
        yield from httpx.Response(200, headers={"Content-Encoding": coding}, content=coded).iter_bytes()
    except httpx.DecodingError as error:
        raise BrokenRecord(f"a body cannot be decoded: {error}") from error


def _without_chunks(body: bytes) -> bytes:
    """Return a body without chunk framing (RFC 9112 section 7.1), or as it is if it has none."""
    parts: list[bytes] = []
    at = 0
    while True:
        size = CHUNK_SIZE.match(body, at)
        if size is None:
            return body
        length = int(size[1], 16)
        if length == 0:
            return b"".join(parts)
        parts.append(body[size.end() : size.end() + length])
        at = size.end() + length + 2
        if at > len(body):
            return b"".join(parts)
