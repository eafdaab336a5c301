"""Faults of TLS: certificates that fail verification, old versions, and failed handshakes."""

from __future__ import annotations

import datetime as dt
import ssl
from contextlib import suppress
from functools import cache
from typing import Any, Final

import trio
import trustme
from support.faults.case import GOOD, FaultCase, Handler, Peer, page, response

__all__ = ["TLS", "authority_pem", "encrypted"]

UNSUPPORTED_VERSION: Final = b"\x15\x03\x01\x00\x02\x02\x46"
HANDSHAKE_FAILURE: Final = b"\x15\x03\x03\x00\x02\x02\x28"
NO_PROTOCOL: Final = b"\x15\x03\x03\x00\x02\x02\x78"
"""Fatal alerts: protocol_version, handshake_failure, no_application_protocol (RFC 8446 section 6)."""
HTTP1: Final = ("http/1.1",)


@cache
def _authority(name: str) -> trustme.CA:
    """Return a certificate authority of this process. `authority_pem` returns the certificate of the good one."""
    return trustme.CA(organization_name=name)


def authority_pem() -> bytes:
    """Return the certificate of the authority that a client has to trust, as PEM."""
    return _authority("good").cert_pem.bytes()


@cache
def _context(kind: str, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """Return the TLS context of a server with a certificate of this kind, and these protocols (ALPN, RFC 7301)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(list(protocols))
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    names: list[str] = ["other.example"] if kind == "host" else ["localhost", "127.0.0.1"]
    options: dict[str, Any] = {}
    if kind == "expired":
        options = {"not_before": now - 9 * day, "not_after": now - day}
    elif kind == "early":
        options = {"not_before": now + day, "not_after": now + 9 * day}
    if kind == "self-signed":
        _self_sign(context)
    else:
        _authority("unknown" if kind == "unknown" else "good").issue_cert(*names, **options).configure_cert(context)
    return context


def _self_sign(context: ssl.SSLContext) -> None:
    """Load a self-signed certificate, which is that of an authority."""
    authority = _authority("itself")
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)


def encrypted(kind: str, reply: bytes | Handler, *, protocols: tuple[str, ...] = HTTP1) -> Handler:
    """Return a handler that speaks TLS with a certificate of this kind, and answers every request.

    Parameters:
        kind: The kind of the certificate: ``good``, ``expired``, …
        reply: What is sent for each request; with other protocols than HTTP/1.1, what is done with the connection.
        protocols: The protocols that the server offers.
    """

    async def handler(peer: Peer) -> None:
        assert isinstance(peer.stream, trio.SocketStream)
        context = _context(kind, protocols)
        peer.stream = trio.SSLStream(peer.stream, context, server_side=True, https_compatible=True)
        if protocols == HTTP1 or isinstance(reply, bytes):
            await peer.serve(reply)
        else:
            await reply(peer)

    return handler


def _alert(alert: bytes) -> Handler:
    """Return a handler that answers the first message of the client with an alert."""

    async def handler(peer: Peer) -> None:
        await peer.stream.receive_some(65_536)
        await peer.send(alert)
        await peer.finish()

    return handler


def _old_version(minor: int) -> Handler:
    """Return a handler for a server with no version but TLS 1.0 (minor 1) or 1.1 (minor 2); see RFC 2246."""
    version = bytes([3, minor])
    hello = version + bytes(range(32)) + b"\x00" + b"\x00\x2f" + b"\x00"  # no session, AES128-SHA, no compression
    message = b"\x02" + len(hello).to_bytes(3, "big") + hello
    return _alert(b"\x16" + version + len(message).to_bytes(2, "big") + message)


async def _garbage(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.send(bytes(range(256)) * 64)
    await peer.finish()


async def _endless_hello(peer: Peer) -> None:
    """Send the beginning of a message of 16 MB, record by record."""
    await peer.stream.receive_some(65_536)
    await peer.send(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + bytes(16_380))
    with suppress(trio.BrokenResourceError):
        for _ in range(1_100):
            await peer.send(b"\x16\x03\x03\x40\x00" + bytes(16_384))
    await peer.finish()


async def _empty_records(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    with suppress(trio.BrokenResourceError):
        while True:
            await peer.send(b"\x16\x03\x03\x00\x00" * 1_000)


async def _hang(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await trio.sleep_forever()


async def _plain_http(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.send(page())
    await peer.finish()


async def _close(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.send(b"\x16\x03\x03\x00\x7a\x02\x00")
    await peer.finish()


async def _reset(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.reset()


async def _redirect_to_http(peer: Peer) -> None:
    """Redirect to the same server without TLS."""
    location = f"Location: {peer.server.origin}ok?from=redirect-https-http"
    await peer.send(response(location, status="HTTP/1.1 302 Found"))


async def _close_without_notify(peer: Peer) -> None:
    """Send a response without a length, and close the connection without close_notify."""
    await peer.send(response("Content-Type: text/html", body=GOOD, length=False))
    await trio.sleep(0.05)
    assert isinstance(peer.stream, trio.SSLStream)
    await peer.stream.transport_stream.send_eof()
    peer.keep = True  # so that `finish` sends no close_notify


def _certificate(name: str, about: str, kind: str, error_kind: str) -> FaultCase:
    return FaultCase(
        name=name, about=about, scheme="https", host="localhost", accept=encrypted(kind, page()),
        certified=True, error="connect_failed", kind=error_kind,
    )  # fmt: skip


def _handshake(name: str, about: str, accept: Handler, kind: str, error: str = "connect_failed") -> FaultCase:
    return FaultCase(name=name, about=about, scheme="https", host="localhost", accept=accept, error=error, kind=kind)


TLS: Final = (
    FaultCase(
        name="tls-ok", about="a certificate that the client can trust", scheme="https", host="localhost",
        accept=encrypted("good", page()), certified=True, status=200, text=GOOD,
    ),
    _certificate("tls-expired", "a certificate that expired yesterday", "expired", "tls_expired"),
    _certificate("tls-not-yet-valid", "a certificate that is valid from tomorrow", "early", "tls_expired"),
    _certificate("tls-wrong-host", "a certificate for other.example", "host", "tls_host"),
    _certificate("tls-self-signed", "a self-signed certificate", "self-signed", "tls_untrusted"),
    _certificate("tls-unknown-authority", "a certificate from an unknown authority", "unknown", "tls_untrusted"),
    _handshake("tls-1.0", "TLS 1.0 only", _old_version(1), "tls_version"),
    _handshake("tls-1.1", "TLS 1.1 only", _old_version(2), "tls_version"),
    _handshake("tls-alert-version", "the alert protocol_version", _alert(UNSUPPORTED_VERSION), "tls_version"),
    _handshake("tls-alert-handshake", "the alert handshake_failure", _alert(HANDSHAKE_FAILURE), "tls_version"),
    _handshake("tls-alert-protocol", "the alert no_application_protocol", _alert(NO_PROTOCOL), "tls_version"),
    _handshake("tls-plain-http", "plain HTTP on the port of HTTPS", _plain_http, "tls"),
    _handshake("tls-close", "connection closed during the handshake", _close, "tls"),
    _handshake("tls-reset", "connection reset during the handshake", _reset, "tls"),
    _handshake("tls-garbage", "bytes that are no TLS", _garbage, "tls"),
    _handshake("tls-endless-hello", "a handshake message of 16 MB", _endless_hello, "tls"),
    _handshake("tls-empty-records", "empty records without end instead of a handshake", _empty_records, "tls"),
    _handshake("tls-hang", "no response to the handshake", _hang, "connect", "fetch_timeout"),
    FaultCase(
        name="tls-no-close-notify", about="a body that ends when the connection closes, without close_notify",
        scheme="https", host="localhost", accept=encrypted("good", _close_without_notify), certified=True,
        error="broken_exchange", kind="incomplete",
    ),
    FaultCase(
        name="tls-line-no-colon", about="a header line without a colon, over TLS", scheme="https", host="localhost",
        accept=encrypted("good", page("rubbish")), certified=True, status=200, text=GOOD,
    ),
    FaultCase(
        name="redirect-https-http", about="a redirect from HTTPS to HTTP", scheme="https", host="localhost",
        accept=encrypted("good", _redirect_to_http), certified=True, status=200, text=GOOD,
    ),
)  # fmt: skip
"""The cases with faulty TLS."""
