"""Faults in bodies: codings, lengths, chunks, and truncation."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final

from support.faults.case import GOOD, FaultCase, Handler, Peer, response

__all__ = ["BODIES", "brotli", "zstd"]

HTML: Final = "Content-Type: text/html"
PAGE: Final = GOOD.encode()
LARGE: Final = ("<p>" + "all is well " * 4000).encode()
MEGABYTE: Final = bytes(1_048_576)
MEGABYTES: Final = 1024
CRC_OF_ZEROS: Final = 0x5B64C2B0
"""The CRC-32 of 1024 MB of zeros, for `bomb`."""


def raw_deflate(data: bytes) -> bytes:
    """Compress without the zlib wrapper, as some servers do for the coding ``deflate``."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def brotli(data: bytes) -> bytes:
    """Encode as Brotli: one uncompressed block, and an empty last one (RFC 7932 section 9).

    Parameters:
        data: At most 65,536 bytes.
    """
    return ((len(data) - 1) << 4 | 1 << 20).to_bytes(3, "little") + data + b"\x03"


def zstd(data: bytes) -> bytes:
    """Encode as Zstandard: one raw block (RFC 8878 section 3.1.1).

    Parameters:
        data: At most 255 bytes.
    """
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x20" + len(data).to_bytes(1, "little") + block + data


@cache
def bomb() -> bytes:
    """Return a gigabyte of zeros as 1 MB of gzip: one block repeated, which a full flush makes possible."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packer.compress(MEGABYTE)
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    frame = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    size = len(MEGABYTE) * MEGABYTES
    end = packer.flush() + CRC_OF_ZEROS.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
    return frame + block * MEGABYTES + end


def _bomb(wrap: Callable[[bytes], bytes], coding: str) -> Handler:
    async def handler(peer: Peer) -> None:
        await peer.send(response(HTML, f"Content-Encoding: {coding}", body=wrap(bomb())))

    return handler


def _endless(coding: bytes) -> Handler:
    """Return a handler that sends a body without end."""

    async def handler(peer: Peer) -> None:
        chunk = b"x" * 65_536
        await peer.send(response(HTML, coding, body=None), b"\r\n")
        while True:
            await peer.send(b"10000\r\n" + chunk + b"\r\n" if coding.startswith(b"Transfer") else chunk)

    return handler


async def _silent_chunks(peer: Peer) -> None:
    """Send chunks, then nothing instead of the last chunk."""
    await peer.send(response(HTML, "Transfer-Encoding: chunked", body=None), b"\r\n3\r\nabc\r\n")
    while await peer.stream.receive_some(1024):
        pass


async def _head_with_body(peer: Peer) -> None:
    """Send the same response to GET and HEAD."""
    await peer.send(response(HTML, body=GOOD))


def _coded(coding: str, body: bytes) -> bytes:
    return response(HTML, f"Content-Encoding: {coding}", body=body)


def _chunked(body: bytes) -> bytes:
    return response(HTML, "Transfer-Encoding: chunked", body=body, length=False)


def _sized(length: str, body: str = GOOD) -> bytes:
    return response(HTML, f"Content-Length: {length}", body=body, length=False)


GOOD_BODIES: Final = (
    ("gzip", "gzip", _coded("gzip", gzip.compress(PAGE))),
    ("gzip-x", "gzip under its old name, x-gzip", _coded("x-gzip", gzip.compress(PAGE))),
    ("gzip-upper-case", "gzip, its name in capitals", _coded("GZIP", gzip.compress(PAGE))),
    (
        "gzip-trailing-garbage", "bytes after the end of the gzip data",
        _coded("gzip", gzip.compress(PAGE) + b"garbage" * 9),
    ),
    (
        "gzip-members", "gzip data with two members",
        _coded("gzip", gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:])),
    ),
    ("deflate-zlib", "deflate with the zlib wrapper", _coded("deflate", zlib.compress(PAGE))),
    ("deflate-raw", "deflate without the zlib wrapper", _coded("deflate", raw_deflate(PAGE))),
    ("brotli", "Brotli", _coded("br", brotli(PAGE))),
    ("zstd", "Zstandard", _coded("zstd", zstd(PAGE))),
    (
        "stacked", "deflate, then gzip, in one Content-Encoding field",
        _coded("deflate, gzip", gzip.compress(zlib.compress(PAGE))),
    ),
    ("stacked-lines", "gzip twice, in two Content-Encoding fields", response(
        HTML, "Content-Encoding: gzip", "Content-Encoding: gzip", body=gzip.compress(gzip.compress(PAGE)),
    )),
    ("coding-identity", "Content-Encoding: identity", _coded("identity", PAGE)),
    ("coding-empty", "an empty Content-Encoding", _coded("", PAGE)),
    ("length-missing", "no length: the body ends when the connection closes", response(HTML, body=GOOD, length=False)),
    ("length-too-short", "more bytes than Content-Length", _sized(str(len(GOOD)), GOOD + "and more")),
    ("chunked", "a chunked body", _chunked(b"5\r\n" + PAGE[:5] + b"\r\n" + b"%x\r\n" % (len(PAGE) - 5) + PAGE[5:]
                                   + b"\r\n0\r\n\r\n")),
    ("chunked-extensions", "chunk extensions", _chunked(
        b'%x;name=value;other="a;b"\r\n' % len(PAGE) + PAGE + b"\r\n0;last\r\n\r\n"
    )),
    ("chunked-trailers", "trailer fields after the last chunk", _chunked(
        b"%x\r\n" % len(PAGE) + PAGE + b"\r\n0\r\nX-Trailer: yes\r\nContent-Type: image/png\r\n\r\n"
    )),
    ("chunked-upper-case", "chunk sizes in capitals, with leading zeros", _chunked(
        b"000%X\r\n" % len(PAGE) + PAGE + b"\r\n000\r\n\r\n"
    )),
)  # fmt: skip

BROKEN_BODIES: Final = (
    ("length-too-long", "fewer bytes than Content-Length", "incomplete", _sized("1000")),
    ("length-huge", "a Content-Length of 18 digits", "incomplete", _sized("9" * 18)),
    ("chunked-truncated", "connection closed inside a chunk", "incomplete", _chunked(b"ff\r\nabc")),
    ("chunked-no-end", "connection closed before the last chunk", "incomplete", _chunked(b"3\r\nabc\r\n")),
    ("chunked-bad-size", "a chunk size that is not a number", "bad_chunk", _chunked(b"3\r\nabc\r\nzz\r\nabc\r\n")),
    ("chunked-negative", "a negative chunk size", "bad_chunk", _chunked(b"-3\r\nabc\r\n0\r\n\r\n")),
    ("chunked-huge", "a chunk size of 20 digits", "bad_chunk", _chunked(b"f" * 20 + b"\r\nabc\r\n0\r\n\r\n")),
    ("chunked-wrong-size", "a chunk longer than its size", "bad_chunk", _chunked(b"2\r\nabcdef\r\n0\r\n\r\n")),
    (
        "gzip-truncated", "truncated gzip data with a matching Content-Length", "incomplete",
        _coded("gzip", gzip.compress(LARGE)[:-20]),
    ),
)  # fmt: skip

EITHER_WAY: Final = (
    ("gzip-corrupt", "gzip data overwritten with zeros", None, "gzip", gzip.compress(LARGE)[:60] + bytes(100)),
    ("gzip-label-on-text", "plain text labelled as gzip", GOOD, "gzip", PAGE),
    ("brotli-label-on-text", "plain text labelled as br", None, "br", PAGE),
    ("coding-unknown", "plain text labelled with an unknown coding", GOOD, "rot13", PAGE),
)  # fmt: skip
"""Cases that some clients repair and others reject."""

BODIES: Final = (
    *(
        FaultCase(name=name, about=about, status=200, text=GOOD, answer=body)
        for name, about, body in GOOD_BODIES
    ),
    *(
        FaultCase(name=name, about=about, error="broken_exchange", kind=kind, answer=body)
        for name, about, kind, body in BROKEN_BODIES
    ),
    *(
        FaultCase(
            name=name, about=about, status=200, text=text, error="broken_exchange", or_fails=True,
            answer=_coded(coding, body),
        )
        for name, about, text, coding, body in EITHER_WAY
    ),
    FaultCase(
        name="bomb-gzip", about="a gigabyte of zeros in 1 MB of gzip", error="body_too_large",
        answer=_bomb(lambda data: data, "gzip"),
    ),
    FaultCase(
        name="bomb-nested", about="a gigabyte of zeros in a few kB, compressed twice with gzip", error="body_too_large",
        answer=_bomb(gzip.compress, "gzip, gzip"),
    ),
    FaultCase(
        name="endless-plain", about="a body that never ends", error="body_too_large",
        answer=_endless(b"X-Length: none"),
    ),
    FaultCase(
        name="endless-chunked", about="a chunked body that never ends", error="body_too_large",
        answer=_endless(b"Transfer-Encoding: chunked"),
    ),
    FaultCase(
        name="chunked-hang", about="chunks, then nothing instead of the last chunk", answer=_silent_chunks,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="body-204", about="204 No Content with a body", status=204,
        answer=response(HTML, status="HTTP/1.1 204 No Content", body=GOOD),
    ),
    FaultCase(
        name="body-304", about="304 Not Modified with a body", status=304,
        answer=response(HTML, status="HTTP/1.1 304 Not Modified", body=GOOD),
    ),
    FaultCase(
        name="body-head", about="a response to HEAD with the same body as to GET", status=200, text=GOOD,
        answer=_head_with_body,
    ),
    FaultCase(name="empty", about="an empty body", status=200, text="", answer=response(HTML)),
    FaultCase(
        name="empty-gzip", about="gzip data of an empty body", status=200, text="",
        answer=_coded("gzip", gzip.compress(b"")),
    ),
    FaultCase(
        name="empty-labelled-gzip", about="an empty body labelled as gzip", status=200, text="",
        answer=_coded("gzip", b""),
    ),
)  # fmt: skip
"""The cases with faulty bodies."""
