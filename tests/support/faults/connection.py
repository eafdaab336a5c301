"""Faults of connections: refused, reset, closed early, silent, or too slow."""

from __future__ import annotations

from typing import Final

import trio
from support.faults.case import GOOD, FaultCase, Peer, page, response

__all__ = ["CONNECTION"]

HEAD: Final = response("Content-Type: text/html", "Content-Length: 1000", body=None)
DRIP: Final = 0.05
"""Seconds between two bytes of a slow response."""


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
    """Send a response and a 408, as some servers do before they close an idle connection."""
    late = response("Connection: close", status="HTTP/1.1 408 Request Timeout", body="too slow")
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
    await peer.send(response("Content-Type: text/html", "Content-Length: 1000000", body=None), b"\r\n")
    while True:
        await peer.send(b".", pause=DRIP)


async def _slow_but_whole(peer: Peer) -> None:
    whole = page()
    await peer.send(*(whole[place : place + 20] for place in range(0, len(whole), 20)), pause=0.01)


CONNECTION: Final = (
    FaultCase(name="ok", about="a good response", status=200, text=GOOD, answer=page()),
    FaultCase(
        name="refused", about="a closed port", closed_port=True,
        error="connect_failed", kind="refused",
    ),
    FaultCase(
        name="dns", about="a host name that does not exist", host="nobody.invalid",
        error="connect_failed", kind="dns",
    ),
    FaultCase(
        name="accept-reset", about="connection reset as soon as it is accepted", accept=_reset_at_once,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="accept-close", about="connection closed as soon as it is accepted", accept=_close_at_once,
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="accept-silence", about="connection accepted, then nothing", accept=_silence,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="close-no-response", about="connection closed after the request, without a response", answer=b"",
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="reset-no-response", about="connection reset after the request", answer=_reset_after_the_request,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="close-in-status-line", about="connection closed inside the status line", answer=b"HTTP/1.1 2",
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="close-in-headers", about="connection closed inside the headers", answer=b"HTTP/1.1 200 OK\r\nContent-Ty",
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="reset-in-headers", about="connection reset inside the headers", answer=_reset_in_the_headers,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="reset-in-body", about="connection reset inside the body", answer=_reset_in_the_body,
        error="broken_exchange", kind="reset",
    ),
    FaultCase(
        name="closed-between", status=200, text=GOOD, answer=_closed_between,
        about="kept alive, but closed on the second request, which is sent again on a new connection",
    ),
    FaultCase(
        name="closed-when-idle", status=200, text=GOOD, answer=_closed_when_idle,
        about="closed after a response that says keep-alive",
    ),
    FaultCase(
        name="unsolicited-408", status=200, text=GOOD, answer=_noise_between,
        about="kept alive, then closed with an unsolicited 408, which belongs to no request",
    ),
    FaultCase(
        name="hang-no-response", about="nothing after the request", answer=_silence,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="hang-in-headers", about="headers that stop halfway, connection open", answer=_hang_in_the_headers,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="hang-after-headers", about="headers, then nothing", answer=_hang_after_headers,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="hang-in-body", about="a body that stops halfway, connection open", answer=_hang_in_the_body,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="drip-headers", about="endless headers, byte by byte", answer=_drip_headers,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="drip-body", about="an endless body, byte by byte", answer=_drip_body,
        error="fetch_timeout", kind="deadline",
    ),
    FaultCase(
        name="slow", about="a complete page in small pieces", status=200, text=GOOD, answer=_slow_but_whole,
    ),
)  # fmt: skip
"""The cases with faulty connections."""
