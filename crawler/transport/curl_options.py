"""The options of libcurl's easy handles: those of every request (`CurlOptions.configure_handle`), and those of one.

After a request, `connection_stages` reads how long its connection took.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import certifi
import httpx
import pycurl
from msgspec import Struct

from crawler.lazy_pattern import lazy_pattern
from crawler.settings.proxies import PROXY_PORTS
from crawler.transport.decoding import ACCEPTED
from crawler.transport.errors import transport_error
from crawler.transport.transfer import Transfer
from crawler.transport.wire import LeanRequest

__all__ = ["CurlOptions", "connection_stages", "proxy_of"]

TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a method and of a field name (RFC 9110 section 5.6.2)."""
LINE_BREAK: Final = lazy_pattern(rb"[\r\n\0]")
SUPPRESSED: Final = ((b"accept", b"Accept:"), (b"expect", b"Expect:"), (b"content-type", b"Content-Type:"))
"""Fields that libcurl adds by default, and the option that prevents it."""

LOWER_ESCAPE: Final = lazy_pattern(rb"%(?:[0-9A-Fa-f][a-f]|[a-f][0-9A-F])")
"""A percent-encoded byte with a lower-case digit, which libcurl would write in upper case in a path."""


class CurlOptions(Struct, frozen=True, kw_only=True, eq=False):
    """How a transport sends its requests."""

    connect_timeout: float
    """Seconds for connecting, unless the request has its own value."""
    tls_verify: bool | str | os.PathLike[str]
    """Whether certificates are verified, or the path of a file or folder with trusted authorities."""
    http3: bool
    """Whether HTTP/3 is tried too."""

    def configure_handle(self, curl: Any) -> None:
        """Set what is the same for every request, on a new or a reset handle."""
        setopt = curl.setopt
        setopt(pycurl.NOSIGNAL, 1)
        # Bytes that are read from a socket at once: most pages are one read and one callback.
        setopt(pycurl.BUFFERSIZE, 65_536)
        setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_3 if self.http3 else pycurl.CURL_HTTP_VERSION_2TLS)
        setopt(pycurl.HTTP09_ALLOWED, 0)
        setopt(pycurl.PIPEWAIT, 0)  # with 1, requests to a server without HTTP/2 wait for each other
        setopt(pycurl.PATH_AS_IS, 1)
        setopt(pycurl.USERAGENT, "")  # pycurl's own would be sent to proxies too
        setopt(pycurl.HTTP_CONTENT_DECODING, 0)  # libcurl does not say that a coded body ended too early
        setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(self.connect_timeout))
        # Seconds for which libcurl keeps the addresses that a request brings. It scans all that it has for each
        # request.
        setopt(pycurl.DNS_CACHE_TIMEOUT, 2)
        setopt(pycurl.PROXY, "")  # not the one of the environment
        setopt(pycurl.NOPROXY, "")
        if self.tls_verify is False:
            setopt(pycurl.SSL_VERIFYPEER, 0)
            setopt(pycurl.SSL_VERIFYHOST, 0)
            setopt(pycurl.PROXY_SSL_VERIFYPEER, 0)
            setopt(pycurl.PROXY_SSL_VERIFYHOST, 0)
        else:
            authorities = certifi.where() if self.tls_verify is True else os.fspath(self.tls_verify)
            is_folder = self.tls_verify is not True and Path(authorities).is_dir()
            setopt(pycurl.CAPATH if is_folder else pycurl.CAINFO, authorities)
            setopt(pycurl.PROXY_CAPATH if is_folder else pycurl.PROXY_CAINFO, authorities)

    def configure_request(self, curl: Any, transfer: Transfer, addresses: list[str]) -> bool:
        """Set what belongs to one request, on a configured handle."""
        request = transfer.request
        is_lean = isinstance(request, LeanRequest)
        if isinstance(request, LeanRequest):
            fields, address = request.fields, request.address.encode("ascii")
        else:
            url = request.url
            fields, address = request.headers.raw, b"%b://%b%b" % (url.raw_scheme, url.netloc, url.raw_path)
        lines = _header_lines(tuple(fields), len(transfer.body), is_lean)
        setopt = curl.setopt
        setopt(pycurl.URL, address)
        setopt(pycurl.TIMEOUT_MS, _time_left(transfer.complete_by, transfer.clock))
        setopt(pycurl.HTTPHEADER, lines)
        setopt(pycurl.PREREQFUNCTION, transfer.on_start)
        setopt(pycurl.HEADERFUNCTION, transfer.on_header)
        setopt(pycurl.WRITEFUNCTION, transfer.on_body)
        if addresses:  # libcurl does not read an earlier list again
            setopt(pycurl.RESOLVE, addresses)
        needs_reset = False
        if b"%" in address and LOWER_ESCAPE.search(address):
            setopt(pycurl.REQUEST_TARGET, _request_target(address, transfer.proxy))
            needs_reset = True
        if request.method != "GET" or transfer.body:
            _set_method(curl, transfer)
            needs_reset = True
        extensions = request.extensions
        if transfer.new_connection or transfer.connect_only or transfer.proxy is not None or "timeout" in extensions:
            return self._configure_connection(curl, transfer) or needs_reset
        return needs_reset

    def _configure_connection(self, curl: Any, transfer: Transfer) -> bool:
        """Set what is special about the connection of a request; return whether anything is."""
        setopt = curl.setopt
        is_special = False
        if transfer.new_connection:
            setopt(pycurl.FRESH_CONNECT, 1)
            is_special = True
        if transfer.proxy is not None:
            setopt(pycurl.PROXY, str(transfer.proxy))
            setopt(pycurl.PROXYPORT, transfer.proxy.port or PROXY_PORTS[transfer.proxy.scheme])
            # The same for a request through a proxy: libcurl needs the address of the site once it has reached the
            # proxy.
            setopt(pycurl.DNS_CACHE_TIMEOUT, 60)
            if self.http3:  # libcurl would ask each proxy for a tunnel of datagrams first
                setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
            is_special = True
        if transfer.connect_only:
            setopt(pycurl.CONNECT_ONLY, 1)
            setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
            is_special = True
        timeout = transfer.request.extensions.get("timeout")
        if timeout and timeout.get("connect") not in (None, self.connect_timeout):
            setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(timeout["connect"]))
            is_special = True
        return is_special


def connection_stages(curl: Any) -> dict[str, float]:
    """Return the seconds for the connection of a transfer, and for TLS in it; empty if it used a kept one."""
    if not curl.getinfo(pycurl.NUM_CONNECTS):
        return {}
    connected, secured = curl.getinfo(pycurl.CONNECT_TIME), curl.getinfo(pycurl.APPCONNECT_TIME)
    stages = {"connect": max(0.0, connected - curl.getinfo(pycurl.NAMELOOKUP_TIME))}
    if secured > 0:
        stages["tls"] = max(0.0, secured - connected)
    return stages


def proxy_of(request: httpx.Request) -> httpx.URL | None:
    """Return the proxy of a request, from its extension ``proxy``; `None` means a direct connection."""
    given = request.extensions.get("proxy")
    if given is None:
        return None
    try:
        proxy = _parse_url(given) if isinstance(given, str) else httpx.URL(given)
    except (httpx.InvalidURL, TypeError) as error:
        message = f"not a proxy: {error}"
        raise transport_error(httpx.UnsupportedProtocol, message, request=request, sent=False) from error
    if proxy.scheme not in PROXY_PORTS or not proxy.host:
        message = f"not a proxy: a URL with one of {', '.join(PROXY_PORTS)} is needed"
        raise transport_error(httpx.UnsupportedProtocol, message, request=request, sent=False)
    return proxy


@lru_cache(maxsize=1024)
def _parse_url(url: str) -> httpx.URL:
    return httpx.URL(url)


@lru_cache(maxsize=1024)  # the requests to one site have the same fields
def _header_lines(fields: tuple[tuple[bytes, bytes], ...], body_size: int, is_lean: bool) -> tuple[bytes, ...]:
    """Return the header lines in the given order and spelling.

    The fields of a lean request are complete; others accept all codings unless they say so.
    """
    lines = []
    suppressed = dict(SUPPRESSED)
    if not is_lean:
        suppressed[b"accept-encoding"] = b"Accept-Encoding: " + ACCEPTED.encode()
    for name, padded in fields:
        value = padded.strip(b" \t")
        if not name or name.translate(None, TOKEN):
            raise ValueError(f"not the name of a header: {name!r}")
        if LINE_BREAK.search(value):
            raise ValueError(f"a line break in the header {name!r}")
        lines.append(b"%b: %b" % (name, value) if value else b"%b;" % name)
        lowered = name.lower()
        suppressed.pop(lowered, None)
        if lowered == b"content-length" and value != b"%d" % body_size:
            raise ValueError(f"a Content-Length of {value!r} for a body of {body_size} bytes")
    return (*lines, *suppressed.values())


def _request_target(address: bytes, proxy: httpx.URL | None) -> bytes:
    """Return the target of a request line: the path and query, or the whole URL for an HTTP proxy that forwards it."""
    if proxy is not None and address.startswith(b"http:") and not proxy.scheme.startswith("socks"):
        return address
    return address[address.index(b"/", len(b"https://")) :]


def _set_method(curl: Any, transfer: Transfer) -> None:
    """Set a method other than GET, or a body."""
    method, size = transfer.request.method, len(transfer.body)
    if not method or method.encode("latin-1", "replace").translate(None, TOKEN):
        raise ValueError(f"not a method: {method!r}")
    if method == "HEAD":
        if size:
            raise ValueError("a HEAD request with a body")
        curl.setopt(pycurl.NOBODY, 1)
        return
    if size or method == "POST":
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, size)
        curl.setopt(pycurl.READFUNCTION, transfer.on_send)
        curl.setopt(pycurl.SEEKFUNCTION, transfer.on_rewind)
    if method != "POST":
        curl.setopt(pycurl.CUSTOMREQUEST, method)
    if not transfer.is_idempotent:
        # Seconds that a connection may have been idle before a request that must not be sent twice: the server may be
        # closing it, and whether it got the request is then unknown. Servers keep idle connections for some seconds at
        # least.
        curl.setopt(pycurl.MAXAGE_CONN, 1)
        curl.setopt(pycurl.VERBOSE, 1)
        curl.setopt(pycurl.DEBUGFUNCTION, transfer.on_debug)


def _time_left(deadline: float, clock: Callable[[], float]) -> int:
    """Return the milliseconds until a time on trio's clock, at least 1; 0 if it never comes."""
    if deadline == math.inf:
        return 0
    left = math.ceil((deadline - clock()) * 1000)
    return min(max(left, 1), 2**31 - 1)  # the longest timeout of libcurl


def _milliseconds(seconds: float) -> int:
    """Convert a timeout for libcurl, for which 0 means its own default."""
    return max(1, round(seconds * 1000))
