"""Redirects: unusual ones, invalid ones, and loops."""

from __future__ import annotations

from typing import Final

from support.faults.case import GOOD, FaultCase, Handler, Peer, response

__all__ = ["REDIRECTS"]

CHAIN_LENGTH: Final = 100
"""Number of hops of the long chain."""
BODY: Final = "<p>moved"


def _moved(location: str | bytes, status: int = 302, *lines: str) -> bytes:
    value = location.encode() if isinstance(location, str) else location
    return response(b"Location: " + value, *lines, status=f"HTTP/1.1 {status} Moved", body=BODY)


async def _other_origin(peer: Peer) -> None:
    await peer.send(_moved(f"{peer.server.other}ok?from=redirect-other-origin"))


async def _absolute(peer: Peer) -> None:
    await peer.send(_moved(f"{peer.server.origin}ok?from=redirect-absolute"))


async def _without_scheme(peer: Peer) -> None:
    await peer.send(_moved(f"//{peer.server.origin.partition('//')[2]}ok?from=redirect-scheme-relative"))


async def _two_hops(peer: Peer) -> None:
    """Redirect to a second page, which redirects back."""
    await peer.send(_moved("/redirect-loop-two" if peer.target.endswith("/b") else "/redirect-loop-two/b"))


async def _long(peer: Peer) -> None:
    hop = int(peer.target.rpartition("/")[2]) if peer.target.count("/") > 1 else 0
    await peer.send(_moved(f"/redirect-long/{hop + 1}" if hop < CHAIN_LENGTH else "/ok?from=redirect-long"))


async def _endless(peer: Peer) -> None:
    """Redirect to a new URL each time: endless, but not a loop."""
    hop = peer.target.rpartition("=")[2]
    await peer.send(_moved(f"/redirect-endless?hop={int(hop) + 1 if hop.isdigit() else 1}"))


async def _query_only(peer: Peer) -> None:
    if "?" in peer.target:
        await peer.send(response("Content-Type: text/html", body=GOOD))
    else:
        await peer.send(_moved("?again"))


async def _cookie_wall(peer: Peer) -> None:
    """Set a cookie and redirect to the same URL, until the cookie arrives."""
    if b"seen=yes" in peer.head:
        await peer.send(response("Content-Type: text/html", body=GOOD))
    else:
        await peer.send(_moved("/redirect-cookie-wall", 302, "Set-Cookie: seen=yes"))


def _good_page(name: str) -> str:
    return f"/ok?from={name}"


def _leads_on(name: str, about: str, reply: bytes | Handler) -> FaultCase:
    return FaultCase(name=name, about=about, status=200, text=GOOD, answer=reply)


def _stays(name: str, about: str, reply: bytes) -> FaultCase:
    return FaultCase(name=name, about=about, status=200, text=None, answer=reply)


REDIRECTS: Final = (
    *(
        _leads_on(f"redirect-{status}", f"{status} to a good page", _moved(_good_page(f"redirect-{status}"), status))
        for status in (301, 302, 303, 307, 308)
    ),
    _leads_on("redirect-relative", "a Location relative to its page", _moved("ok?from=redirect-relative")),
    _leads_on("redirect-query-only", "a Location with only a query", _query_only),
    _leads_on("redirect-absolute", "an absolute Location", _absolute),
    _leads_on("redirect-scheme-relative", "a Location without a scheme", _without_scheme),
    _leads_on("redirect-dots", "a Location with more ../ than folders", _moved("../../../ok?from=redirect-dots")),
    _leads_on("redirect-spaces-around", "spaces around a Location", _moved("  /ok?from=redirect-spaces-around \t")),
    _leads_on("redirect-backslash", "a backslash, read by browsers as a slash", _moved("\\ok?from=redirect-backslash")),
    _leads_on("redirect-space-inside", "a space inside a Location", _moved("/ok?from=redirect space")),
    _leads_on("redirect-fragment", "a Location with a fragment", _moved("/ok?from=redirect-fragment#part")),
    _leads_on("redirect-utf8", "a Location with unescaped UTF-8", _moved("/ok?from=redirect-ütf8-日本")),
    _leads_on("redirect-latin1", "a Location with unescaped Latin-1", _moved(b"/ok?from=redirect-\xfctf8")),
    _leads_on("redirect-other-origin", "a redirect to another port", _other_origin),
    _leads_on("redirect-cookie-wall", "a redirect to itself until its cookie is sent", _cookie_wall),
    FaultCase(
        name="redirect-missing", about="302 without a Location", status=302,
        answer=response(status="HTTP/1.1 302 Found", body=BODY),
    ),
    FaultCase(name="redirect-empty", about="302 with an empty Location", status=302, answer=_moved("")),
    FaultCase(name="redirect-300", about="300 without a Location", status=300,
              answer=response(status="HTTP/1.1 300 Multiple Choices", body=BODY)),
    FaultCase(name="redirect-304", about="304 with a Location, which is not a redirect", status=304, answer=response(
        "Location: /ok?from=redirect-304", status="HTTP/1.1 304 Not Modified", body="", length=False)),
    FaultCase(
        name="redirect-invalid", about="a Location that is not a URL", status=302, error="bad_redirect",
        answer=_moved("http://[not an address"),
    ),
    FaultCase(
        name="redirect-javascript", about="a Location with a javascript: URL", status=302, error="bad_redirect",
        answer=_moved("javascript:alert(1)"),
    ),
    FaultCase(
        name="redirect-file", about="a Location with a file: URL", status=302, error="bad_redirect",
        answer=_moved("file:///etc/passwd"),
    ),
    FaultCase(
        name="redirect-data", about="a Location with a data: URL", status=302, error="bad_redirect",
        answer=_moved("data:text/html,<p>here"),
    ),
    FaultCase(
        name="redirect-two-locations", about="two different Locations, which browsers reject too",
        error="broken_exchange", kind="bad_header",
        answer=_moved("/ok?from=redirect-two-locations", 302, "Location: /ok?from=the-second"),
    ),
    _leads_on(
        "redirect-same-location-twice", "the same Location twice",
        _moved(_good_page("same-location-twice"), 302, "Location: " + _good_page("same-location-twice")),
    ),
    FaultCase(
        name="redirect-loop-one", about="a redirect to itself", status=302, error="redirect_loop",
        answer=_moved("/redirect-loop-one"),
    ),
    FaultCase(
        name="redirect-loop-two", about="two pages that redirect to each other", status=302, error="redirect_loop",
        answer=_two_hops,
    ),
    FaultCase(
        name="redirect-long", about=f"a chain of {CHAIN_LENGTH} redirects", status=302, error="too_many_redirects",
        answer=_long,
    ),
    FaultCase(
        name="redirect-endless", about="endless redirects, each to a new URL", status=302, error="too_many_redirects",
        answer=_endless,
    ),
    _stays(
        "refresh-header", "a page with a Refresh header",
        response("Content-Type: text/html", "Refresh: 0; url=/ok?from=refresh-header", body=BODY),
    ),
    _stays(
        "refresh-meta", "a page with a meta refresh",
        response("Content-Type: text/html",
               body='<meta http-equiv="refresh" content="0; url=/ok?from=refresh-meta">' + BODY),
    ),
    _stays(
        "refresh-meta-self", "a page that reloads itself every minute",
        response("Content-Type: text/html", body='<meta http-equiv="refresh" content="60">' + BODY),
    ),
)  # fmt: skip
"""The cases with redirects."""
