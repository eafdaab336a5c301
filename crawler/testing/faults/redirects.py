"""Redirects that lead somewhere, nowhere, or round in circles."""

from __future__ import annotations

from typing import Final

from crawler.testing.faults.case import GOOD, FaultCase, Handler, Peer, answer

__all__ = ["REDIRECTS"]

LONG: Final = 100
"""Hops of the long chain."""
LINK: Final = "<p>look elsewhere"


def _to(location: str | bytes, status: int = 302, *lines: str) -> bytes:
    value = location.encode() if isinstance(location, str) else location
    return answer(b"Location: " + value, *lines, status=f"HTTP/1.1 {status} Moved", body=LINK)


async def _other_origin(peer: Peer) -> None:
    await peer.send(_to(f"{peer.server.other}ok?from=redirect-other-origin"))


async def _absolute(peer: Peer) -> None:
    await peer.send(_to(f"{peer.server.origin}ok?from=redirect-absolute"))


async def _without_scheme(peer: Peer) -> None:
    await peer.send(_to(f"//{peer.server.origin.partition('//')[2]}ok?from=redirect-without-scheme"))


async def _two_hops(peer: Peer) -> None:
    """A page that sends to the other, which sends back."""
    await peer.send(_to("/redirect-loop-two" if peer.target.endswith("/b") else "/redirect-loop-two/b"))


async def _long(peer: Peer) -> None:
    hop = int(peer.target.rpartition("/")[2]) if peer.target.count("/") > 1 else 0
    await peer.send(_to(f"/redirect-long/{hop + 1}" if hop < LONG else "/ok?from=redirect-long"))


async def _endless(peer: Peer) -> None:
    """A new URL at each hop: no loop, and no end."""
    hop = peer.target.rpartition("=")[2]
    await peer.send(_to(f"/redirect-endless?hop={int(hop) + 1 if hop.isdigit() else 1}"))


async def _query_only(peer: Peer) -> None:
    if "?" in peer.target:
        await peer.send(answer("Content-Type: text/html", body=GOOD))
    else:
        await peer.send(_to("?again"))


async def _cookie_wall(peer: Peer) -> None:
    """To itself, with a cookie, until the cookie comes."""
    if b"seen=yes" in peer.head:
        await peer.send(answer("Content-Type: text/html", body=GOOD))
    else:
        await peer.send(_to("/redirect-cookie-wall", 302, "Set-Cookie: seen=yes"))


def _there(name: str) -> str:
    return f"/ok?from={name}"


def _case(name: str, about: str, reply: bytes | Handler) -> FaultCase:
    return FaultCase(name=name, about=about, status=200, text=GOOD, answer=reply)


def _page(name: str, about: str, reply: bytes, text: str | None = None) -> FaultCase:
    return FaultCase(name=name, about=about, status=200, text=text, answer=reply)


REDIRECTS: Final = (
    *(
        _case(f"redirect-{status}", f"{status} to a page", _to(_there(f"redirect-{status}"), status))
        for status in (301, 302, 303, 307, 308)
    ),
    _case("redirect-relative", "a Location relative to its page", _to("ok?from=redirect-relative")),
    _case("redirect-query-only", "a Location that is a query and nothing else", _query_only),
    _case("redirect-absolute", "an absolute Location", _absolute),
    _case("redirect-without-scheme", "a Location with host and without scheme", _without_scheme),
    _case("redirect-dots", "a Location with too many dots", _to("../../../ok?from=redirect-dots")),
    _case("redirect-blanks", "blanks around a Location", _to("  /ok?from=redirect-blanks \t")),
    _case("redirect-backslash", "backslashes, as browsers read them", _to("\\ok?from=redirect-backslash")),
    _case("redirect-blank-inside", "a blank in the middle of a Location", _to("/ok?from=redirect blank")),
    _case("redirect-fragment", "a Location with a fragment", _to("/ok?from=redirect-fragment#part")),
    _case("redirect-utf8", "a Location in UTF-8 as it is", _to("/ok?from=redirect-ütf8-日本")),
    _case("redirect-latin1", "a Location in Latin-1 as it is", _to(b"/ok?from=redirect-\xfctf8")),
    _case("redirect-other-origin", "to another port", _other_origin),
    _case("redirect-cookie-wall", "to itself, until its cookie comes back", _cookie_wall),
    FaultCase(
        name="redirect-missing", about="302 without a Location", status=302,
        answer=answer(status="HTTP/1.1 302 Found", body=LINK),
    ),
    FaultCase(name="redirect-empty", about="302 with an empty Location", status=302, answer=_to("")),
    FaultCase(name="redirect-300", about="300 without a Location", status=300,
              answer=answer(status="HTTP/1.1 300 Multiple Choices", body=LINK)),
    FaultCase(name="redirect-304", about="304, which is no redirect", status=304, answer=answer(
        "Location: /ok?from=redirect-304", status="HTTP/1.1 304 Not Modified", body="", length=False)),
    FaultCase(
        name="redirect-invalid", about="a Location that is no URL", status=302, error="bad_redirect",
        answer=_to("http://[not an address"),
    ),
    FaultCase(
        name="redirect-javascript", about="a Location that is a script", status=302, error="bad_redirect",
        answer=_to("javascript:alert(1)"),
    ),
    FaultCase(
        name="redirect-file", about="a Location that is a local file", status=302, error="bad_redirect",
        answer=_to("file:///etc/passwd"),
    ),
    FaultCase(
        name="redirect-data", about="a Location that is its own page", status=302, error="bad_redirect",
        answer=_to("data:text/html,<p>here"),
    ),
    FaultCase(
        name="redirect-two-locations", about="two different Locations, as no browser takes them",
        error="broken_exchange", kind="bad_header",
        answer=_to("/ok?from=redirect-two-locations", 302, "Location: /ok?from=the-second"),
    ),
    _case(
        "redirect-same-location-twice", "the same Location twice",
        _to(_there("redirect-same-location-twice"), 302, "Location: " + _there("redirect-same-location-twice")),
    ),
    FaultCase(
        name="redirect-loop-one", about="to itself, for ever", status=302, error="redirect_loop",
        answer=_to("/redirect-loop-one"),
    ),
    FaultCase(
        name="redirect-loop-two", about="to a page that sends back, for ever", status=302, error="redirect_loop",
        answer=_two_hops,
    ),
    FaultCase(name="redirect-long", about=f"{LONG} hops", status=302, error="too_many_redirects", answer=_long),
    FaultCase(
        name="redirect-endless", about="to another URL each time, for ever", status=302, error="too_many_redirects",
        answer=_endless,
    ),
    _page(
        "refresh-header", "a page with a Refresh field",
        answer("Content-Type: text/html", "Refresh: 0; url=/ok?from=refresh-header", body=LINK),
    ),
    _page(
        "refresh-meta", "a page that sends on by meta refresh",
        answer("Content-Type: text/html",
               body='<meta http-equiv="refresh" content="0; url=/ok?from=refresh-meta">' + LINK),
    ),
    _page(
        "refresh-meta-itself", "a page that refreshes itself every minute",
        answer("Content-Type: text/html", body='<meta http-equiv="refresh" content="60">' + LINK),
    ),
)  # fmt: skip
"""The cases."""
