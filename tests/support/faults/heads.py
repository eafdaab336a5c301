"""Faults in heads: status lines, header fields and interim responses that violate RFC 9112."""

from __future__ import annotations

from typing import Final

from support.faults.case import GOOD, FaultCase, Peer, page, response

__all__ = ["HEADS"]

BAD_LINES: Final = (
    ("line-no-colon", "a header line without a colon", b"rubbish"),
    ("line-bare-cr", "a carriage return in the middle of a value", b"X-CR: a\rX-More: b"),
    ("line-space-before-colon", "a space between a name and its colon", b"X-Blank : 1"),
    ("line-folded", "a value continued on the next line (obs-fold)", b"X-Folded: a\r\n\t b"),
    ("line-non-ascii", "non-ASCII bytes in name and value", b"X-B\xe9: \xff\xfe"),
    ("line-empty-name", "an empty name", b": nameless"),
    ("line-spaces-in-name", "spaces inside a name", b"X Two Words: 1"),
    ("line-symbols-in-name", "symbols in a name that are not allowed in a token", b"X@(y)<z>: 1"),
    ("line-control-characters", "control characters in a value", b"X-Control: a\x01\x08\x7fb"),
    ("line-folded-first", "a continuation line (obs-fold) before the first header", b" X-First: 1"),
    ("line-long", "a header line of 60,000 bytes", b"X-Long: " + b"a" * 60_000),
    ("line-empty-value", "an empty value", b"X-Empty:"),
    ("length-twice-same", "the same Content-Length twice", b"Content-Length: %d" % len(GOOD)),
    ("length-list-same", "the same Content-Length twice in one field", b""),
)
REFUSED_LINES: Final = (
    ("line-nul", "a NUL byte in a value, which browsers reject too", b"X-Nul: a\0b"),
    ("length-twice-different", "two different Content-Lengths", b"Content-Length: 1"),
    ("length-negative", "a negative Content-Length", b"Content-Length: -5"),
    ("length-not-a-number", "a Content-Length that is not a number", b"Content-Length: many"),
)
STATUS_LINES: Final = (
    ("status-no-reason", "no reason phrase", b"HTTP/1.1 200"),
    ("status-empty-reason", "an empty reason phrase", b"HTTP/1.1 200 "),
    ("status-latin1-reason", "a reason phrase in Latin-1", b"HTTP/1.1 200 \xe9t\xe9"),
    ("status-long-reason", "a reason phrase of 10,000 bytes", b"HTTP/1.1 200 " + b"a" * 10_000),
    ("status-http10", "HTTP/1.0", b"HTTP/1.0 200 OK"),
    ("status-lower-case", "a protocol in lower case", b"http/1.1 200 OK"),
    ("status-299", "an unknown status, 299", b"HTTP/1.1 299 Whatever"),
)
STRANGE_STATUS_LINES: Final = (
    ("status-000", "status 000", b"HTTP/1.1 000 Nothing"),
    ("status-1000", "a status of four digits", b"HTTP/1.1 1000 Much"),
    ("status-many-digits", "a status of eleven digits", b"HTTP/1.1 20000000000 OK"),
    ("status-two-digits", "a status of two digits", b"HTTP/1.1 20 OK"),
    ("status-text", "a status in words", b"HTTP/1.1 OK"),
    ("status-http17", "HTTP/1.7", b"HTTP/1.7 200 OK"),
    ("status-icy", "ICY, the protocol of internet radio", b"ICY 200 OK"),
    ("status-leading-space", "a space before the status line", b" HTTP/1.1 200 OK"),
)
HINTS: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-Interim: yes\r\n\r\n"


async def _bomb_line(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nX-Bomb: ", *[b"a" * 65_536] * 160, b"\r\nContent-Length: 2\r\n\r\nok")


async def _bomb_lines(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n", *[b"X-Bomb: 1\r\n" * 1000] * 100, b"Content-Length: 2\r\n\r\nok")


async def _bomb_interim(peer: Peer) -> None:
    await peer.send(*[HINTS * 100] * 100, page())


async def _bomb_cookies(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n", *[b"Set-Cookie: a=" + b"b" * 4000 + b"\r\n"] * 200, b"\r\n")


def _line(name: str, line: bytes) -> bytes:
    if name == "length-list-same":
        size = len(GOOD)
        return response("Content-Type: text/html", f"Content-Length: {size}, {size}", body=GOOD, length=False)
    lines: tuple[bytes, ...] = (line, b"Content-Type: text/html", b"X-After: yes")
    if name in ("length-negative", "length-not-a-number"):
        return response(*lines, body=GOOD, length=False)
    return response(*lines, body=GOOD)


HEADS: Final = (
    *(
        FaultCase(name=name, about=about, status=200, text=GOOD, answer=_line(name, line))
        for name, about, line in BAD_LINES
    ),
    *(
        FaultCase(name=name, about=about, error="broken_exchange", kind="bad_header", answer=_line(name, line))
        for name, about, line in REFUSED_LINES
    ),
    *(
        FaultCase(name=name, about=about, text=GOOD, answer=page(status=line), status=299 if b"299" in line else 200)
        for name, about, line in STATUS_LINES
    ),
    *(
        FaultCase(name=name, about=about, error="broken_exchange", kind="no_http", answer=page(status=line))
        for name, about, line in STRANGE_STATUS_LINES
    ),
    FaultCase(
        name="status-999", about="status 999, which is in no class", error="status_999",
        answer=page(status="HTTP/1.1 999 No"),
    ),
    FaultCase(
        name="line-bare-lf", about="lines that end with a bare LF", status=200, text=GOOD,
        answer=page().replace(b"\r\n", b"\n"),
    ),
    FaultCase(
        name="http10-no-length", status=200, text=GOOD,
        about="HTTP/1.0 without a length: the body ends when the connection closes",
        answer=response("Content-Type: text/html", status="HTTP/1.0 200 OK", body=GOOD, length=False),
    ),
    FaultCase(
        name="length-and-chunked", about="both Content-Length and chunked: chunked applies", status=200, text="abc",
        answer=response(
            "Content-Type: text/html", "Content-Length: 999", "Transfer-Encoding: chunked",
            body=b"3\r\nabc\r\n0\r\n\r\n", length=False,
        ),
    ),
    FaultCase(
        name="http09", about="HTTP/0.9: a body without a head", answer=b"<p>no headers here\n" * 3,
        error="broken_exchange", kind="no_http",
    ),
    FaultCase(
        name="garbage", about="random bytes", answer=bytes(range(256)) * 4, error="broken_exchange", kind="no_http"
    ),
    FaultCase(
        name="ssh", about="the banner of an SSH server", answer=b"SSH-2.0-OpenSSH_9.9\r\n",
        error="broken_exchange", kind="no_http",
    ),
    FaultCase(
        name="header-bomb-line", about="a header line of 10 MB", answer=_bomb_line,
        error="broken_exchange", kind="headers_too_large",
    ),
    FaultCase(
        name="header-bomb-lines", about="100,000 header lines", answer=_bomb_lines,
        error="broken_exchange", kind="headers_too_large",
    ),
    FaultCase(
        name="header-bomb-cookies", about="200 cookies of 4 kB", answer=_bomb_cookies,
        error="broken_exchange", kind="headers_too_large",
    ),
    FaultCase(
        name="interim-bomb", about="10,000 interim responses", answer=_bomb_interim,
        error="broken_exchange", kind="headers_too_large",
    ),
    FaultCase(
        name="interim-100", about="100 Continue without a request for it", status=200, text=GOOD,
        answer=b"HTTP/1.1 100 Continue\r\n\r\n" + page(),
    ),
    FaultCase(
        name="interim-102", about="102 Processing, three times", status=200, text=GOOD,
        answer=b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + page(),
    ),
    FaultCase(
        name="interim-103", about="103 Early Hints with header fields", status=200, text=GOOD,
        answer=HINTS + page(),
    ),
    FaultCase(
        name="interim-199", about="an unknown interim response, 199", status=200, text=GOOD,
        answer=b"HTTP/1.1 199 Misc\r\nX-Interim: yes\r\n\r\n" + page(),
    ),
    FaultCase(
        name="interim-many", about="100 interim responses", status=200, text=GOOD, answer=HINTS * 100 + page(),
    ),
    FaultCase(
        name="interim-only", about="an interim response, then the connection is closed", answer=HINTS,
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="interim-101", about="101 Switching Protocols without a request for it", status=101,
        answer=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi",
    ),
)  # fmt: skip
"""The cases with faulty heads."""
