"""Bodies that are coded, framed or cut in every way."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final

from crawler.testing.faults.case import GOOD, FaultCase, Handler, Peer, answer

__all__ = ["BODIES", "brotli", "zstd"]

HTML: Final = "Content-Type: text/html"
PAGE: Final = GOOD.encode()
LARGE: Final = ("<p>" + "all is well " * 4000).encode()
MEGABYTE: Final = bytes(1_048_576)
MEGABYTES: Final = 1024
CRC_OF_ZEROS: Final = 0x5B64C2B0
"""Of 1024 MB of them; see `bomb`."""


def raw_deflate(data: bytes) -> bytes:
    """Deflate without the frame of zlib, as some servers send what they call deflate."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def brotli(data: bytes) -> bytes:
    """Brotli, by hand: one block that is not compressed, and an empty last one (RFC 7932 section 9).

    Parameters:
        data: at most 65,536 bytes.
    """
    return ((len(data) - 1) << 4 | 1 << 20).to_bytes(3, "little") + data + b"\x03"


def zstd(data: bytes) -> bytes:
    """Zstandard, by hand: one raw block (RFC 8878 section 3.1.1).

    Parameters:
        data: at most 255 bytes.
    """
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x20" + len(data).to_bytes(1, "little") + block + data


@cache
def bomb() -> bytes:
    """A gigabyte of zeros as gzip, 1 MB: the same block again and again, for it looks back no further."""
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
        await peer.send(answer(HTML, f"Content-Encoding: {coding}", body=wrap(bomb())))

    return handler


def _endless(coding: bytes) -> Handler:
    """A body that never ends."""

    async def handler(peer: Peer) -> None:
        chunk = b"x" * 65_536
        await peer.send(answer(HTML, coding, body=None), b"\r\n")
        while True:
            await peer.send(b"10000\r\n" + chunk + b"\r\n" if coding.startswith(b"Transfer") else chunk)

    return handler


async def _silent_chunks(peer: Peer) -> None:
    """Chunks, and silence where the last one should be."""
    await peer.send(answer(HTML, "Transfer-Encoding: chunked", body=None), b"\r\n3\r\nabc\r\n")
    while await peer.stream.receive_some(1024):
        pass


async def _head_with_body(peer: Peer) -> None:
    """The same answer to GET and HEAD."""
    await peer.send(answer(HTML, body=GOOD))


def _coded(coding: str, body: bytes) -> bytes:
    return answer(HTML, f"Content-Encoding: {coding}", body=body)


def _chunked(body: bytes) -> bytes:
    return answer(HTML, "Transfer-Encoding: chunked", body=body, length=False)


def _sized(length: str, body: str = GOOD) -> bytes:
    return answer(HTML, f"Content-Length: {length}", body=body, length=False)


GOOD_BODIES: Final = (
    ("gzip", "gzip", _coded("gzip", gzip.compress(PAGE))),
    ("gzip-x", "gzip by its old name", _coded("x-gzip", gzip.compress(PAGE))),
    ("gzip-upper-case", "gzip in capitals", _coded("GZIP", gzip.compress(PAGE))),
    ("gzip-trailing-garbage", "bytes behind the end of gzip", _coded("gzip", gzip.compress(PAGE) + b"garbage" * 9)),
    ("deflate-zlib", "deflate as zlib", _coded("deflate", zlib.compress(PAGE))),
    ("deflate-raw", "deflate without the frame of zlib", _coded("deflate", raw_deflate(PAGE))),
    ("brotli", "brotli", _coded("br", brotli(PAGE))),
    ("stacked", "gzip of deflate", _coded("deflate, gzip", gzip.compress(zlib.compress(PAGE)))),
    ("stacked-lines", "gzip of gzip, each in a line of its own", answer(
        HTML, "Content-Encoding: gzip", "Content-Encoding: gzip", body=gzip.compress(gzip.compress(PAGE)),
    )),
    ("coding-identity", "a coding called identity", _coded("identity", PAGE)),
    ("coding-empty", "a coding without a name", _coded("", PAGE)),
    ("length-missing", "no length: the body ends with the connection", answer(HTML, body=GOOD, length=False)),
    ("length-too-short", "more bytes than its length says", _sized(str(len(GOOD)), GOOD + "and more")),
    ("chunked", "chunks", _chunked(b"5\r\n" + PAGE[:5] + b"\r\n" + b"%x\r\n" % (len(PAGE) - 5) + PAGE[5:]
                                   + b"\r\n0\r\n\r\n")),
    ("chunked-extensions", "chunks with extensions", _chunked(
        b'%x;name=value;other="a;b"\r\n' % len(PAGE) + PAGE + b"\r\n0;last\r\n\r\n"
    )),
    ("chunked-trailers", "header lines behind the last chunk", _chunked(
        b"%x\r\n" % len(PAGE) + PAGE + b"\r\n0\r\nX-Trailer: yes\r\nContent-Type: image/png\r\n\r\n"
    )),
    ("chunked-upper-case", "chunk sizes in capitals, with zeros before them", _chunked(
        b"000%X\r\n" % len(PAGE) + PAGE + b"\r\n000\r\n\r\n"
    )),
)  # fmt: skip

BROKEN_BODIES: Final = (
    ("length-too-long", "fewer bytes than its length says", "closed", _sized("1000")),
    ("length-huge", "a length of more bytes than there are", "closed", _sized("9" * 18)),
    ("chunked-cut", "closed in a chunk", "closed", _chunked(b"ff\r\nabc")),
    ("chunked-no-end", "closed without a last chunk", "closed", _chunked(b"3\r\nabc\r\n")),
    ("chunked-bad-size", "a chunk size that is no number", "bad_chunk", _chunked(b"3\r\nabc\r\nzz\r\nabc\r\n")),
    ("chunked-negative", "a negative chunk size", "bad_chunk", _chunked(b"-3\r\nabc\r\n0\r\n\r\n")),
    ("chunked-huge", "a chunk size of 20 digits", "bad_chunk", _chunked(b"f" * 20 + b"\r\nabc\r\n0\r\n\r\n")),
    ("chunked-wrong-size", "a chunk longer than its size says", "bad_chunk", _chunked(b"2\r\nabcdef\r\n0\r\n\r\n")),
)  # fmt: skip

EITHER_WAY: Final = (
    ("gzip-members", "gzip in two members", None, "gzip", gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:])),
    ("gzip-truncated", "gzip that is cut, its length right", None, "gzip", gzip.compress(LARGE)[:-20]),
    ("gzip-corrupt", "gzip with a hole in it", None, "gzip", gzip.compress(LARGE)[:60] + bytes(100)),
    ("gzip-label-on-text", "plain text that is called gzip", GOOD, "gzip", PAGE),
    ("brotli-label-on-text", "plain text that is called br", None, "br", PAGE),
    ("coding-unknown", "a coding that nobody knows, on plain text", GOOD, "rot13", PAGE),
    ("zstd", "zstd, which is not asked for where it cannot be read", None, "zstd", zstd(PAGE)),
)  # fmt: skip
"""What some clients repair, and some refuse."""

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
        name="bomb-nested", about="a gigabyte of zeros in a few kB of gzip of gzip", error="body_too_large",
        answer=_bomb(gzip.compress, "gzip, gzip"),
    ),
    FaultCase(
        name="endless-plain", about="a body that never ends", error="body_too_large",
        answer=_endless(b"X-Length: none"),
    ),
    FaultCase(
        name="endless-chunked", about="chunks that never end", error="body_too_large",
        answer=_endless(b"Transfer-Encoding: chunked"),
    ),
    FaultCase(
        name="chunked-hang", about="chunks, and silence where the last one should be", answer=_silent_chunks,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="body-204", about="a body behind 204 No Content", status=204,
        answer=answer(HTML, status="HTTP/1.1 204 No Content", body=GOOD),
    ),
    FaultCase(
        name="body-304", about="a body behind 304 Not Modified", status=304,
        answer=answer(HTML, status="HTTP/1.1 304 Not Modified", body=GOOD),
    ),
    FaultCase(
        name="body-head", about="the same to GET and HEAD, which has no body", status=200, text=GOOD,
        answer=_head_with_body,
    ),
    FaultCase(name="empty", about="a page without a byte", status=200, text="", answer=answer(HTML)),
    FaultCase(
        name="empty-gzip", about="gzip of nothing", status=200, text="", answer=_coded("gzip", gzip.compress(b""))
    ),
    FaultCase(name="empty-called-gzip", about="nothing, called gzip", status=200, text="", answer=_coded("gzip", b"")),
)  # fmt: skip
"""The cases."""
