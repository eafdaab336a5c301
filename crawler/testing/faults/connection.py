"""Connections that are not made, break off, or lead to nothing."""

from __future__ import annotations

from typing import Final

import trio

from crawler.testing.faults.case import GOOD, FaultCase, Peer, answer, page

__all__ = ["CONNECTION"]

HEAD: Final = answer("Content-Type: text/html", "Content-Length: 1000", body=None)
DRIP: Final = 0.05
"""Seconds between two bytes of what drips."""


async def _reset_at_once(peer: Peer) -> None:
    await peer.reset()


async def _close_at_once(peer: Peer) -> None:
    await peer.finish()


async def _silence(_peer: Peer) -> None:
    await trio.sleep_forever()


async def _reset_after_the_request(peer: Peer) -> None:
    await peer.reset()


async def _reset_in_the_headers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    await peer.reset()


async def _reset_in_the_body(peer: Peer) -> None:
    await peer.send(HEAD, b"\r\n<p>so far")
    await peer.reset()


async def _closed_between(peer: Peer) -> None:
    if peer.count == 1:
        peer.keep = True
        await peer.send(page())


async def _closed_when_idle(peer: Peer) -> None:
    await peer.send(page("Connection: keep-alive"))


async def _noise_between(peer: Peer) -> None:
    """What some servers send when they close a connection that was kept too long."""
    late = answer("Connection: close", status="HTTP/1.1 408 Request Timeout", body="too slow")
    await peer.send(page("Connection: keep-alive") + late)


async def _hang_in_the_headers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: te")
    await trio.sleep_forever()


async def _hang_after_headers(peer: Peer) -> None:
    await peer.send(HEAD, b"\r\n")
    await trio.sleep_forever()


async def _hang_in_the_body(peer: Peer) -> None:
    await peer.send(HEAD, b"\r\n<p>so far")
    await trio.sleep_forever()


async def _drip_headers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(*(b"X-Drip: 1\r\n"[place : place + 1] for place in range(11)), pause=DRIP)


async def _drip_body(peer: Peer) -> None:
    await peer.send(answer("Content-Type: text/html", "Content-Length: 1000000", body=None), b"\r\n")
    while True:
        await peer.send(b".", pause=DRIP)


async def _slow_but_whole(peer: Peer) -> None:
    whole = page()
    await peer.send(*(whole[place : place + 20] for place in range(0, len(whole), 20)), pause=0.01)


CONNECTION: Final = (
    FaultCase(name="ok", about="nothing is wrong", status=200, text=GOOD, answer=page()),
    FaultCase(
        name="refused", about="a port with nobody behind it", closed_port=True,
        error="connect_failed", kind="refused",
    ),
    FaultCase(
        name="dns", about="a host name that does not exist", host="nobody.invalid",
        error="connect_failed", kind="dns",
    ),
    FaultCase(
        name="accept-reset", about="RST as soon as the connection stands, or is about to", accept=_reset_at_once,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="accept-close", about="closed as soon as the connection stands", accept=_close_at_once,
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="accept-silence", about="accepted, and never a word", accept=_silence,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="close-no-answer", about="closed after the request, without an answer", answer=b"",
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="reset-no-answer", about="RST after the request", answer=_reset_after_the_request,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="close-in-status-line", about="closed in the status line", answer=b"HTTP/1.1 2",
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="close-in-headers", about="closed in the headers", answer=b"HTTP/1.1 200 OK\r\nContent-Ty",
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="reset-in-headers", about="RST in the headers", answer=_reset_in_the_headers,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="reset-in-body", about="RST in the body", answer=_reset_in_the_body,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="closed-between", status=200, text=GOOD, answer=_closed_between,
        about="kept alive, and closed at its second request: that one was not answered, so it is sent again",
    ),
    FaultCase(
        name="closed-when-idle", status=200, text=GOOD, answer=_closed_when_idle,
        about="called kept alive, and closed all the same",
    ),
    FaultCase(
        name="noise-between", status=200, text=GOOD, answer=_noise_between,
        about="kept alive, and closed with a 408 that nobody asked for: it answers no other request",
    ),
    FaultCase(
        name="hang-no-answer", about="never a word after the request", answer=_silence,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="hang-in-headers", about="never another word in the headers", answer=_hang_in_the_headers,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="hang-after-headers", about="never a word after the headers", answer=_hang_after_headers,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="hang-in-body", about="never another word in the body", answer=_hang_in_the_body,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="drip-headers", about="header lines for ever, byte by byte", answer=_drip_headers,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="drip-body", about="a body for ever, byte by byte", answer=_drip_body,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="slow", about="a page in small pieces, but whole", status=200, text=GOOD, answer=_slow_but_whole,
    ),
)  # fmt: skip
"""The cases."""
