"""Faults of HTTP/2: streams that are reset, connections that go away, and servers that do not speak it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Final

import trio
from support.faults.case import GOOD, FaultCase, Handler, Peer, page
from support.faults.tls import encrypted

__all__ = ["HTTP2"]

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = 0x0, 0x1, 0x2, 0x3, 0x4, 0x5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x6, 0x7, 0x8, 0x9
"""Types of frames (RFC 9113 section 6)."""
UNKNOWN: Final = 0xBB
END_STREAM, END_HEADERS = 0x1, 0x4
"""Flags of frames."""
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0x0, 0x2, 0x7
"""Error codes (RFC 9113 section 7)."""
STREAM: Final = 1
"""The number of the first stream that a client opens; each connection of a case has one."""
STATUS_200: Final = b"\x88"
"""``:status: 200`` in HPACK (RFC 7541 appendix A)."""
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The first bytes that a client sends (RFC 9113 section 3.4)."""
FRAME_HEAD: Final = 9
"""Bytes of a frame before its payload."""
GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)
HALF: Final = GOOD[:9].encode()


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = STREAM) -> bytes:
    """Return the bytes of a frame (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def field(name: str, value: str) -> bytes:
    """Return a header field in HPACK, as a literal that is not indexed (RFC 7541 section 6.2.2)."""
    texts = name.encode(), value.encode()
    assert all(len(text) < 127 for text in texts), "longer texts need a longer prefix"
    return b"\x00" + b"".join(bytes([len(text)]) + text for text in texts)


def headers(*fields: tuple[str, str], status: bytes = STATUS_200, flags: int = END_HEADERS) -> bytes:
    """Return the frame with the header fields of a response."""
    block = status + b"".join(field(*one) for one in (("content-type", "text/html"), *fields))
    return frame(HEADERS, block, flags=flags)


def interim(status: int) -> bytes:
    """Return the frame of an interim response."""
    return frame(HEADERS, field(":status", str(status)) + field("x-interim", "yes"), flags=END_HEADERS)


def data(content: bytes, *, end: bool = False) -> bytes:
    """Return a frame with a part of the body."""
    return frame(DATA, content, flags=END_STREAM if end else 0)


def reset(code: int) -> bytes:
    """Return a frame that resets the stream."""
    return frame(RST_STREAM, code.to_bytes(4, "big"))


def go_away(last_stream: int, code: int = NO_ERROR) -> bytes:
    """Return a frame that announces the end of the connection."""
    return frame(GOAWAY, last_stream.to_bytes(4, "big") + code.to_bytes(4, "big"), stream=0)


PROMISE: Final = b"\x82\x84\x87" + field(":authority", "localhost")
"""The header fields of a promised request: GET, ``/``, https."""
INDEXED: Final = b"\x40" + field("x-bomb", "a" * 120)[1:]
"""A header field that is added to the table of HPACK (RFC 7541 section 6.2.1)."""
FIRST: Final = b"\xbe"
"""One byte that repeats the field that was added last."""
MORE_FIELDS: Final = frame(CONTINUATION, field("x-bomb", "a" * 100) * 10)


def _speaks(*frames: bytes, ends: bool = False) -> Handler:
    """Return a handler that sends these frames for the first request of each connection.

    Parameters:
        frames: What is sent.
        ends: Whether the connection is closed after them.
    """
    return _plays(lambda: frames, ends=ends)


def _plays(make_frames: Callable[[], Iterable[bytes]], *, ends: bool = False) -> Handler:
    async def answer(peer: Peer) -> None:
        await peer.send(frame(SETTINGS, stream=0))
        async with aclosing(_requests(peer)) as requests, trio.open_nursery() as nursery:
            is_asked = await anext(requests, False)
            if is_asked:
                nursery.start_soon(_wait_for_next, requests, nursery.cancel_scope)
                with suppress(*GONE):
                    for sent in make_frames():
                        await peer.send(sent)
            if ends:
                nursery.cancel_scope.cancel()
        if is_asked:
            await peer.finish()

    return encrypted("good", answer, protocols=("h2",))


async def _requests(peer: Peer) -> AsyncGenerator[bool]:  # noqa: ASYNC900 - `aclosing` closes it
    """Yield for each request, when the frame with its header fields has come; read everything else."""
    received, place = b"", len(PREFACE)
    with suppress(*GONE):
        while chunk := await peer.stream.receive_some(65_536):
            received += chunk
            while len(received) >= place + FRAME_HEAD:
                if received[place + 3] == HEADERS:
                    yield True  # noqa: ASYNC119 - `suppress` needs no clean-up
                place += FRAME_HEAD + int.from_bytes(received[place : place + 3], "big")


async def _wait_for_next(requests: AsyncGenerator[bool], scope: trio.CancelScope) -> None:
    """Close the connection when a second request comes, which is then sent again on a new one."""
    async for _ in requests:
        break
    scope.cancel()


def _endless(*start: bytes, piece: bytes) -> Handler:
    return _plays(lambda: itertools.chain(start, itertools.repeat(piece * 50)))


async def _http1(peer: Peer) -> None:
    """Answer in HTTP/1.1 although HTTP/2 was agreed on."""
    await peer.stream.receive_some(65_536)
    await peer.send(page())
    await peer.finish()


def _case(name: str, about: str, accept: Handler, *, kind: str = "", error: str = "broken_exchange") -> FaultCase:
    return FaultCase(
        name=f"h2-{name}", about=about, scheme="https", host="localhost", accept=accept, certified=True,
        error=error, kind=kind,
    )  # fmt: skip


def _good(name: str, about: str, accept: Handler) -> FaultCase:
    return FaultCase(
        name=f"h2-{name}", about=about, scheme="https", host="localhost", accept=accept, certified=True,
        status=200, text=GOOD,
    )  # fmt: skip


HTTP2: Final = (
    _good("ok", "a good response", _speaks(headers(), data(GOOD.encode(), end=True))),
    _good("interim", "103 Early Hints first", _speaks(interim(103), headers(), data(GOOD.encode(), end=True))),
    _good(
        "reset-after-end", "RST_STREAM with NO_ERROR after the whole response (RFC 9113 section 8.1)",
        _speaks(headers(), data(GOOD.encode(), end=True), reset(NO_ERROR)),
    ),
    _case("reset", "RST_STREAM instead of a response", _speaks(reset(INTERNAL_ERROR)), kind="reset"),
    _case("refused", "RST_STREAM with REFUSED_STREAM, each time", _speaks(reset(REFUSED_STREAM))),
    _case(
        "reset-in-body", "RST_STREAM with INTERNAL_ERROR inside the body",
        _speaks(headers(), data(HALF), reset(INTERNAL_ERROR)), kind="reset",
    ),
    FaultCase(
        name="h2-reset-no-error", about="RST_STREAM with NO_ERROR inside a body of unknown length", scheme="https",
        host="localhost", accept=_speaks(headers(), data(HALF), reset(NO_ERROR)), certified=True,
        status=200, text=HALF.decode(), error="broken_exchange", or_fails=True,
    ),
    _case(
        "reset-no-error-sized", "RST_STREAM with NO_ERROR inside a body of known length",
        _speaks(headers(("content-length", "1000")), data(HALF), reset(NO_ERROR)), kind="incomplete",
    ),
    _case(
        "short", "a stream that ends before its Content-Length",
        _speaks(headers(("content-length", "1000")), data(HALF, end=True)),
    ),
    _case("go-away", "GOAWAY before the response, each time", _speaks(go_away(0), ends=True)),
    _case("go-away-open", "GOAWAY before the response, connection open", _speaks(go_away(0))),
    _case("go-away-in-body", "GOAWAY inside the body, then the connection is closed",
          _speaks(headers(), data(HALF), go_away(STREAM), ends=True)),
    _good("go-away-whole", "GOAWAY, but the response is complete",
          _speaks(go_away(STREAM), headers(), data(GOOD.encode(), end=True), ends=True)),
    _case("close-in-body", "connection closed inside the body", _speaks(headers(), data(HALF), ends=True)),
    _case("garbage", "bytes that are no frames", _speaks(b"\xff" * 100)),
    _case("http1", "HTTP/1.1 although HTTP/2 was agreed on", encrypted("good", _http1, protocols=("h2",))),
    _good("no-protocol", "a TLS server that agrees on no protocol and speaks HTTP/1.1",
          encrypted("good", _http1, protocols=("spdy/3",))),
    _case("interim-bomb", "interim responses without end", _endless(piece=interim(103)),
          kind="headers_too_large"),
    _case("header-bomb", "header fields without end", _endless(headers(flags=0), piece=MORE_FIELDS),
          kind="headers_too_large"),
    _case("trailer-bomb", "trailer fields without end",
          _endless(headers(), data(HALF), frame(HEADERS, field("x-bomb", "1")), piece=MORE_FIELDS),
          kind="headers_too_large"),
    _case("table-bomb", "one header field that is repeated by a byte each, 100,000 times",
          _speaks(frame(HEADERS, STATUS_200 + INDEXED, flags=0),
                  *[frame(CONTINUATION, FIRST * 10_000)] * 9,
                  frame(CONTINUATION, FIRST * 10_000, flags=END_HEADERS)), kind="headers_too_large"),
    _case("bad-index", "a header field that the table does not have",
          _speaks(frame(HEADERS, STATUS_200 + b"\xff\xff\xff\x7f", flags=END_HEADERS))),
    _case("data-first", "a body before its header fields", _speaks(data(GOOD.encode(), end=True))),
    _case("continuation-first", "CONTINUATION without HEADERS",
          _speaks(frame(CONTINUATION, STATUS_200, flags=END_HEADERS))),
    _case("interrupted-headers", "a frame between HEADERS and CONTINUATION",
          _speaks(headers(flags=0), frame(PING, bytes(8), stream=0), MORE_FIELDS)),
    _case("large-frame", "a frame of 1 MB, beyond the size that the client allows",
          _speaks(headers(), data(b"x" * 1_000_000, end=True))),
    _good("push", "PUSH_PROMISE, which the client has disabled, before a good response",
          _speaks(frame(PUSH_PROMISE, (2).to_bytes(4, "big") + PROMISE, flags=END_HEADERS),
                  headers(), data(GOOD.encode(), end=True))),
    _case("window-overflow", "flow-control windows beyond their limit",
          _speaks(*[frame(WINDOW_UPDATE, (2**31 - 1).to_bytes(4, "big"), stream=0)] * 2)),
    _case("two-responses", "header fields again, as if another response had begun",
          _speaks(headers(), headers(), data(GOOD.encode(), end=True))),
    _case("no-status", "header fields without a status", _speaks(headers(status=b""), data(GOOD.encode(), end=True))),
    _case("priorities", "PRIORITY frames without end",
          _endless(headers(), piece=frame(PRIORITY, bytes(4) + b"\x10"))),
    _case("windows", "WINDOW_UPDATE frames without end",
          _endless(headers(), piece=frame(WINDOW_UPDATE, (1).to_bytes(4, "big"), stream=0))),
    _case("promises", "PUSH_PROMISE frames without end",
          _endless(piece=frame(PUSH_PROMISE, (2).to_bytes(4, "big") + PROMISE, flags=END_HEADERS))),
    _case("empty-frames", "empty frames without end", _endless(headers(), piece=data(b""))),
    _case("pings", "pings without end", _endless(headers(), piece=frame(PING, bytes(8), stream=0)),
          kind="endless"),
    _case("settings", "settings without end", _endless(headers(), piece=frame(SETTINGS, stream=0)),
          kind="endless"),
    _case("unknown-frames", "frames of an unknown type without end",
          _endless(headers(), piece=frame(UNKNOWN, b"x" * 100, stream=0))),
)  # fmt: skip
"""The cases with faulty HTTP/2."""
