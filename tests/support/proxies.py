"""Proxies on loopback: HTTP (RFC 9110 section 9.3.6 and 9112 section 3.2.2) and SOCKS 5 (RFC 1928, 1929).

The proxies resolve every name to loopback. Their handlers are for `support.rawserver.start`; the attribute `heads` of
the server lists the requests.
"""

from __future__ import annotations

import socket

import trio
from support.rawserver import Handler, Peer

CONNECTED = b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n"
HTTP_FAILED = (
    b"HTTP/1.1 502 Bad Gateway\r\nProxy-Status: proxy.test; error=connection_refused\r\nContent-Length: 0\r\n\r\n"
)


def http_proxy(*, password: bytes = b"", answer: bytes = b"") -> Handler:
    """Return the handler of an HTTP proxy, which accepts CONNECT and requests with an absolute URL.

    Parameters:
        password: the required value of ``Proxy-Authorization``; other requests get a 407.
        answer: the response to send to every request instead of forwarding it.
    """

    async def handler(peer: Peer) -> None:
        while head := await peer.request():
            method, target, _ = head.split(b"\r\n")[0].split()
            if password and b"Proxy-Authorization: " + password not in head.split(b"\r\n"):
                await peer.send(
                    b'HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic realm="p"\r\nContent-Length: 0\r\n\r\n'
                )
            elif answer:
                await peer.send(answer)
            elif method == b"CONNECT":
                await tunnel(peer, target)
                return
            else:
                await _pass_on(peer, head, method, target)

    return handler


def socks_proxy(*, password: tuple[bytes, bytes] | None = None, reply: int = 0) -> Handler:
    """Return the handler of a SOCKS 5 server; the `heads` of its server are the hosts that were requested.

    Parameters:
        password: the required user and password (RFC 1929).
        reply: the reply code to send instead of connecting (RFC 1928 section 6), such as 5 for connection refused.
    """

    async def handler(peer: Peer) -> None:
        _, count = await _exactly(peer, 2)
        methods = await _exactly(peer, count)
        if password is not None:
            if 2 not in methods:
                await peer.send(b"\x05\xff")
                return
            await peer.send(b"\x05\x02")
            _, size = await _exactly(peer, 2)
            user = await _exactly(peer, size)
            (size,) = await _exactly(peer, 1)
            right = (user, await _exactly(peer, size)) == password
            await peer.send(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        else:
            await peer.send(b"\x05\x00")
        *_, kind = await _exactly(peer, 4)
        if kind == 3:
            (size,) = await _exactly(peer, 1)
            host = await _exactly(peer, size)
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, await _exactly(peer, size)).encode()
        port = int.from_bytes(await _exactly(peer, 2), "big")
        peer.server.heads.append(host)
        told = bytes([5, reply, 0, 1]) + bytes(6)
        if reply:
            await peer.send(told)
        else:
            await tunnel(peer, b"%b:%d" % (host, port), told, bytes([5, 5, 0, 1]) + bytes(6))

    return handler


async def _exactly(peer: Peer, size: int) -> bytes:
    while len(peer.received) < size:
        if not await peer.receive():
            raise trio.BrokenResourceError
    taken, peer.received = peer.received[:size], peer.received[size:]
    return taken


async def tunnel(peer: Peer, target: bytes, told: bytes = CONNECTED, failed: bytes = HTTP_FAILED) -> None:
    """Connect a client with its target: send it `told` and forward bytes both ways, or send it `failed`."""
    try:
        upstream = await trio.open_tcp_stream("127.0.0.1", int(target.rpartition(b":")[2]))
    except OSError:
        await peer.send(failed)
        return
    async with upstream:
        await peer.send(told)
        async with trio.open_nursery() as nursery:
            if peer.received:
                await upstream.send_all(peer.received)
            nursery.start_soon(_pump, peer.stream, upstream)
            nursery.start_soon(_pump, upstream, peer.stream)


async def _pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
    try:
        while chunk := await source.receive_some(65536):
            await sink.send_all(chunk)
        if isinstance(sink, trio.abc.HalfCloseableStream):
            await sink.send_eof()
        else:
            await sink.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def _pass_on(peer: Peer, head: bytes, method: bytes, url: bytes) -> None:
    """Forward one request without a tunnel and without its ``Proxy-…`` header fields; send back the response."""
    authority, _, path = url.partition(b"://")[2].partition(b"/")
    port = int(authority.rpartition(b":")[2]) if b":" in authority else 80
    fields = [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith(b"proxy-")]
    lines = [b"%b /%b HTTP/1.1" % (method, path), *fields, b"Connection: close", b"Via: 1.1 proxy.test"]
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        await peer.send(HTTP_FAILED)
        return
    async with stream:
        await stream.send_all(b"\r\n".join(lines) + b"\r\n\r\n" + peer.server.bodies[-1])
        answer = bytearray()
        while not _is_whole(answer):
            chunk = await stream.receive_some(65536)
            if not chunk:
                break
            answer += chunk
    await peer.send(bytes(answer))


def _is_whole(answer: bytearray) -> bool:
    head, end, body = bytes(answer).partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return bool(end) and len(body) >= int(value)
    return False
