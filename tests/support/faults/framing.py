"""Faults in the framing of bodies: bytes that belong to no header field and no content, and that do not end."""

from __future__ import annotations

from typing import Final

from support.faults.case import FaultCase, Handler, Peer, response

__all__ = ["FRAMING"]

HTML: Final = "Content-Type: text/html"
CHUNKED: Final = response(HTML, "Transfer-Encoding: chunked", body="", length=False)
GZIP: Final = response(HTML, "Content-Encoding: gzip", body="", length=False)
GZIP_MAGIC: Final = b"\x1f\x8b\x08"
EMPTY_BLOCK: Final = b"\0\0\0\xff\xff"
"""A stored block of deflate without content (RFC 1951 section 3.2.4)."""
PIECE: Final = 65_536
"""Bytes that are sent at once."""


def _endless(start: bytes, piece: bytes) -> Handler:
    """Return a handler that sends `start`, then `piece` without end."""
    pieces = piece * (PIECE // len(piece))

    async def handler(peer: Peer) -> None:
        await peer.send(start)
        while True:
            await peer.send(pieces)

    return handler


def _case(name: str, about: str, start: bytes, piece: bytes, kind: str = "endless") -> FaultCase:
    return FaultCase(name=name, about=about, error="broken_exchange", kind=kind, answer=_endless(start, piece))


FRAMING: Final = (
    _case("chunk-extension-endless", "a chunk extension that never ends", CHUNKED + b"5;", b"x"),
    _case("chunk-extensions-endless", "chunks of one byte with extensions of 16 kB, without end", CHUNKED,
          b"1;" + b"x" * 16_000 + b"\r\na\r\n"),
    _case("chunk-size-blank", "a chunk size with blanks without end", CHUNKED + b"5", b" "),
    _case("chunk-size-zeros", "a chunk size with leading zeros without end", CHUNKED, b"0", "bad_chunk"),
    _case("chunk-end-endless", "carriage returns without end after a chunk", CHUNKED + b"1\r\na", b"\r"),
    _case("trailer-line-endless", "a trailer field that never ends", CHUNKED + b"1\r\na\r\n0\r\nX-Bomb: ", b"x",
          "headers_too_large"),
    _case("trailers-endless", "trailer fields without end", CHUNKED + b"1\r\na\r\n0\r\n", b"X-Bomb: 1\r\n",
          "headers_too_large"),
    _case("gzip-name-endless", "a gzip header with a file name that never ends",
          GZIP + GZIP_MAGIC + b"\x08" + bytes(6), b"x"),
    _case("gzip-blocks-endless", "empty blocks of gzip without end", GZIP + GZIP_MAGIC + bytes(7), EMPTY_BLOCK),
    _case("interim-100-endless", "100 Continue without end", b"", b"HTTP/1.1 100 Continue\r\n\r\n",
          "headers_too_large"),
    _case("header-fields-endless", "header fields without end", b"HTTP/1.1 200 OK\r\n", b"X-Bomb: 1\r\n",
          "headers_too_large"),
    _case("chunk-extension-lenient", "a header line without a colon, then a chunk extension that never ends",
          CHUNKED.replace(b"\r\n", b"\r\nrubbish\r\n", 1), b"1;" + b"x" * 16_000 + b"\r\na\r\n"),
    FaultCase(
        name="body-204-endless", about="204 No Content with an endless body", status=204, text="",
        answer=_endless(response(status="HTTP/1.1 204 No Content", body="", length=False), b"x"),
    ),
    FaultCase(
        name="body-304-endless", about="304 Not Modified with an endless body", status=304,
        answer=_endless(response(status="HTTP/1.1 304 Not Modified", body="", length=False), b"x"),
    ),
)  # fmt: skip
"""The cases with faulty framing."""
