"""`RequestError.kind`: one word for what exactly failed, from libcurl's code and message, or from an exception."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import Final

import httpx
import pycurl

from crawler.lazy_pattern import lazy_pattern
from crawler.transport.wire import failure_of

__all__ = [
    "BOMB",
    "CALM",
    "CLOSED",
    "ENDLESS",
    "FINAL_KINDS",
    "INCOMPLETE",
    "TOO_LARGE",
    "is_unknown_host",
    "kind_of",
    "kind_of_code",
]

HTTP2_STREAM: Final = 92
PROXY: Final = 97
TOO_LARGE: Final = 100  # of header lines
"""Codes that pycurl has no name for (include/curl/curl.h)."""
CLOSED: Final = "closed"
"""The kind of a connection that was closed before a response."""
INCOMPLETE: Final = "incomplete"
"""The kind of a body that was cut, by its framing or by its content coding."""
BY_CODE: Final = {
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_RESOLVE_PROXY: "proxy",
    PROXY: "proxy",
    pycurl.E_OPERATION_TIMEDOUT: "connect",
    pycurl.E_COULDNT_CONNECT: "unreachable",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls_untrusted",
    pycurl.E_RECV_ERROR: "reset",
    pycurl.E_SEND_ERROR: "reset",
    HTTP2_STREAM: "reset",
    pycurl.E_GOT_NOTHING: CLOSED,
    pycurl.E_PARTIAL_FILE: INCOMPLETE,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "bad_header",
    pycurl.E_BAD_FUNCTION_ARGUMENT: "bad_header",
    pycurl.E_UNSUPPORTED_PROTOCOL: "no_http",
    pycurl.E_BAD_CONTENT_ENCODING: "bad_coding",
    pycurl.E_WRITE_ERROR: "bad_coding",
}
BY_MESSAGE: Final = (
    (lazy_pattern("has expired|not yet valid"), "tls_expired"),
    (lazy_pattern("subject name|does not match|hostname mismatch", re.IGNORECASE), "tls_host"),
    (lazy_pattern("self.signed|local issuer|certificate verify failed", re.IGNORECASE), "tls_untrusted"),
    (
        lazy_pattern(
            "unsupported protocol|alert (protocol version|handshake failure|no application protocol)", re.IGNORECASE
        ),
        "tls_version",
    ),
)
"""Words of TLS libraries, whose codes do not differ; the first match counts."""
CALM: Final = "enhance_your_calm"
"""The kind of a request that the server refused by the error code ENHANCE_YOUR_CALM of HTTP/2, and libcurl's words."""
RESETS: Final = (("unexpected eof", CLOSED), (CALM.upper(), CALM))
"""Words about connections and streams that have ended: without a TLS close_notify (RFC 9112 section 9.8), and by an
error code."""
MANY_FIELDS: Final = lazy_pattern("too many (response headers|continuation frames)", re.IGNORECASE)
"""Words of libcurl about the limits of header fields in HTTP/2."""
BY_ERRNO: Final = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.EPIPE: "reset"}
BY_CLASS: Final[dict[type[BaseException], str]] = {
    httpx.ConnectTimeout: "connect",
    httpx.ReadTimeout: "read",
    httpx.WriteTimeout: "write",
    httpx.ProxyError: "proxy",
    httpx.DecodingError: "bad_coding",
    socket.gaierror: "dns",
    ConnectionRefusedError: "refused",
    ConnectionError: "reset",
    ssl.SSLCertVerificationError: "tls_untrusted",
    ssl.SSLError: "tls",
}
"""Exceptions whose class says enough; the nearest ancestor counts."""
ENDLESS: Final = "endless"
"""The kind of a response with framing that does not end."""
BOMB: Final = "bomb"
"""The kind of a `BodyTooLarge` for a small body that unpacks to a very large one."""
FINAL_KINDS: Final = frozenset(
    {"bad_header", "headers_too_large", "tls_expired", "tls_host", "tls_untrusted", "tls_version"}
)
"""Kinds that the next attempt would meet again."""
UNKNOWN_HOST: Final = frozenset(getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name))
"""The system's codes for a name that does not exist or has no address; ``EAI_AGAIN`` means a failed lookup instead."""


def kind_of_code(code: int, message: str, os_errno: int) -> str:
    """Return the kind of a transfer that failed in libcurl; empty if its code has none."""
    kind = BY_CODE.get(code, "")
    if code == TOO_LARGE or MANY_FIELDS.search(message):
        return "headers_too_large"
    if kind.startswith("tls"):
        return _by_message(message) or kind
    if kind == "unreachable":
        return BY_ERRNO.get(os_errno, kind)
    if kind == "bad_header" and "status line" in message:
        return "no_http"
    if kind == "reset":
        kind = next((found for text, found in RESETS if text in message), kind)
    return "bad_chunk" if "chunk" in message else kind


def kind_of(error: BaseException) -> str:
    """Return the kind of an exception of a transport, or of its cause; empty if it has none."""
    failure = failure_of(error)
    if failure is not None and failure.kind:
        return failure.kind
    kind = next((BY_CLASS[ancestor] for ancestor in type(error).__mro__ if ancestor in BY_CLASS), "")
    if kind.startswith("tls"):
        return _by_message(str(error)) or kind
    cause = error.__cause__ or error.__context__
    if not kind and cause is not None and isinstance(error, httpx.TransportError):
        return kind_of(cause)
    return kind


def is_unknown_host(error: BaseException) -> bool:
    """Return whether an exception, or its cause, says that a host name does not exist."""
    if isinstance(error, socket.gaierror):
        return error.errno in UNKNOWN_HOST
    return error.__cause__ is not None and is_unknown_host(error.__cause__)


def _by_message(message: str) -> str:
    return next((kind for pattern, kind in BY_MESSAGE if pattern.search(message)), "")
