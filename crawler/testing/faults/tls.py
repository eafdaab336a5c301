"""TLS: certificates that do not verify, versions of old, and handshakes that lead to nothing."""

from __future__ import annotations

import datetime as dt
import ssl
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.testing.faults.case import GOOD, FaultCase, Handler, Peer, answer, page

if TYPE_CHECKING:
    import trustme

__all__ = ["TLS", "authority_pem", "trustme_found"]

UNSUPPORTED_VERSION: Final = b"\x15\x03\x01\x00\x02\x02\x46"
HANDSHAKE_FAILURE: Final = b"\x15\x03\x03\x00\x02\x02\x28"
"""Alerts: fatal, protocol_version; fatal, handshake_failure (RFC 8446 section 6)."""
TEST_KIT: Final = "this case needs certificates, which the package trustme makes: pip install 'trio-crawler[faults]'"


def trustme_found() -> bool:
    """Whether certificates can be made."""
    try:
        import trustme  # noqa: F401, PLC0415
    except ModuleNotFoundError:
        return False
    return True


@cache
def _authority(name: str) -> trustme.CA:
    """An authority of this process. `authority_pem` is the certificate of the good one."""
    try:
        import trustme  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(TEST_KIT, name="trustme") from error
    return trustme.CA(organization_name=name)


def authority_pem() -> bytes:
    """The certificate of the authority that signed what is not meant to be distrusted.

    Raises:
        ModuleNotFoundError: trustme is not installed.
    """
    return _authority("good").cert_pem.bytes()


@cache
def _context(kind: str) -> ssl.SSLContext:
    """What a server shows to its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
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
    """A certificate that nobody but itself vouches for: that of an authority, shown as a server's own."""
    authority = _authority("itself")
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)


def _encrypted(kind: str, reply: bytes | Handler) -> Handler:
    """Speaks TLS with a certificate of this kind, then answers every request."""

    async def handler(peer: Peer) -> None:
        assert isinstance(peer.stream, trio.SocketStream)
        peer.stream = trio.SSLStream(peer.stream, _context(kind), server_side=True, https_compatible=True)
        await peer.serve(reply)

    return handler


def _alert(alert: bytes) -> Handler:
    """Answers the client's first message with an alert."""

    async def handler(peer: Peer) -> None:
        await peer.stream.receive_some(65_536)
        await peer.send(alert)
        await peer.finish()

    return handler


def _old_version(minor: int) -> Handler:
    """Answers with a ServerHello of TLS 1.0 (minor 1) or 1.1 (2), as a server does that speaks no other (RFC 2246)."""
    version = bytes([3, minor])
    hello = version + bytes(range(32)) + b"\x00" + b"\x00\x2f" + b"\x00"  # no session, AES128-SHA, no compression
    message = b"\x02" + len(hello).to_bytes(3, "big") + hello
    return _alert(b"\x16" + version + len(message).to_bytes(2, "big") + message)


async def _hang(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await trio.sleep_forever()


async def _plain(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.send(page())
    await peer.finish()


async def _break_off(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.send(b"\x16\x03\x03\x00\x7a\x02\x00")
    await peer.finish()


async def _reset(peer: Peer) -> None:
    await peer.stream.receive_some(65_536)
    await peer.reset()


async def _down(peer: Peer) -> None:
    """To the same server without TLS."""
    location = f"Location: {peer.server.origin}ok?from=redirect-https-http"
    await peer.send(answer(location, status="HTTP/1.1 302 Found"))


async def _cut(peer: Peer) -> None:
    """An answer without a length, whose end TLS does not confirm (no close_notify)."""
    await peer.send(answer("Content-Type: text/html", body=GOOD, length=False))
    await trio.sleep(0.05)
    assert isinstance(peer.stream, trio.SSLStream)
    await peer.stream.transport_stream.send_eof()
    peer.keep = True  # nothing more is said


def _certificate(name: str, about: str, kind: str, error_kind: str) -> FaultCase:
    return FaultCase(
        name=name, about=about, scheme="https", host="localhost", accept=_encrypted(kind, page()),
        needs_trustme=True, error="connect_failed", kind=error_kind,
    )  # fmt: skip


def _handshake(name: str, about: str, accept: Handler, kind: str, error: str = "connect_failed") -> FaultCase:
    return FaultCase(name=name, about=about, scheme="https", host="localhost", accept=accept, error=error, kind=kind)


TLS: Final = (
    FaultCase(
        name="tls-ok", about="a certificate of the server's own authority", scheme="https", host="localhost",
        accept=_encrypted("good", page()), needs_trustme=True, status=200, text=GOOD,
    ),
    _certificate("tls-expired", "a certificate that expired yesterday", "expired", "tls_expired"),
    _certificate("tls-not-yet-valid", "a certificate that holds from tomorrow", "early", "tls_expired"),
    _certificate("tls-wrong-host", "a certificate of other.example", "host", "tls_host"),
    _certificate("tls-self-signed", "a certificate that signs itself", "self-signed", "tls_untrusted"),
    _certificate("tls-unknown-authority", "a certificate of an unknown authority", "unknown", "tls_untrusted"),
    _handshake("tls-1.0", "TLS 1.0 and no other", _old_version(1), "tls_version"),
    _handshake("tls-1.1", "TLS 1.1 and no other", _old_version(2), "tls_version"),
    _handshake("tls-alert-version", "an alert: no such version", _alert(UNSUPPORTED_VERSION), "tls_version"),
    _handshake("tls-alert-handshake", "an alert: no cipher in common", _alert(HANDSHAKE_FAILURE), "tls_version"),
    _handshake("tls-plain-http", "HTTP on the port of HTTPS", _plain, "tls"),
    _handshake("tls-break-off", "closed in the handshake", _break_off, "tls"),
    _handshake("tls-reset", "RST in the handshake", _reset, "tls"),
    _handshake("tls-hang", "never a word in the handshake", _hang, "connect", "fetch_timeout"),
    FaultCase(
        name="tls-no-goodbye", about="a body that ends with the connection, and that without the goodbye of TLS",
        scheme="https", host="localhost", accept=_encrypted("good", _cut), needs_trustme=True,
        error="broken_exchange", kind="closed",
    ),
    FaultCase(
        name="tls-line-no-colon", about="a header line without a colon, over TLS", scheme="https", host="localhost",
        accept=_encrypted("good", page("rubbish")), needs_trustme=True, status=200, text=GOOD,
    ),
    FaultCase(
        name="redirect-https-http", about="from HTTPS to HTTP", scheme="https", host="localhost",
        accept=_encrypted("good", _down), needs_trustme=True, status=200, text=GOOD,
    ),
)  # fmt: skip
"""The cases."""
