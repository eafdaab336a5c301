"""What libcurl is told: once for every handle (`Options.equip`), and for one request (`Options.describe`)."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any, Final

import attrs
import certifi
import httpx
import pycurl

from crawler.fetch.exchange import Exchange
from crawler.fetch.failures import failure

__all__ = ["PROXY_PORTS", "Options", "proxy_of"]

PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Kinds of proxies, and where they listen if nothing is said."""
TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What a method and the name of a header field are made of (RFC 9110 section 5.6.2)."""
LINE_BREAK: Final = re.compile(rb"[\r\n\0]")
UNASKED: Final = ((b"accept", b"Accept:"), (b"expect", b"Expect:"), (b"content-type", b"Content-Type:"))
"""Fields that libcurl would add on its own, and how to tell it not to."""


@attrs.frozen(kw_only=True)
class Options:
    """How requests are sent."""

    connect_timeout: float
    """Seconds for connecting, if the request does not say it."""
    tls_verify: bool | str | os.PathLike[str]
    """Whether certificates are verified, or the file of the authorities that are trusted."""
    http3: bool
    """Whether HTTP/3 is tried too."""

    def equip(self, curl: Any) -> None:
        """Give a new or a reset handle what is the same for every request."""
        setopt = curl.setopt
        setopt(pycurl.NOSIGNAL, 1)
        setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_3 if self.http3 else pycurl.CURL_HTTP_VERSION_2TLS)
        setopt(pycurl.HTTP09_ALLOWED, 0)
        setopt(pycurl.PIPEWAIT, 1)  # rather a stream of a connection that is being made than one more connection
        setopt(pycurl.PATH_AS_IS, 1)
        setopt(pycurl.ACCEPT_ENCODING, "")  # all that it can decode
        setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(self.connect_timeout))
        setopt(pycurl.PROXY, "")  # none from the environment
        setopt(pycurl.NOPROXY, "")
        if self.tls_verify is False:
            for option in (pycurl.SSL_VERIFYPEER, pycurl.SSL_VERIFYHOST, pycurl.PROXY_SSL_VERIFYPEER, pycurl.PROXY_SSL_VERIFYHOST):
                setopt(option, 0)
        else:
            authorities = certifi.where() if self.tls_verify is True else os.fspath(self.tls_verify)
            setopt(pycurl.CAINFO, authorities)
            setopt(pycurl.PROXY_CAINFO, authorities)

    def describe(self, curl: Any, exchange: Exchange, addresses: list[str]) -> None:
        """Give an equipped handle one request.

        Parameters:
            curl: the handle.
            exchange: the request, and where its answer goes.
            addresses: entries for libcurl's cache of names (CURLOPT_RESOLVE).

        Raises:
            httpx.LocalProtocolError, httpx.UnsupportedProtocol: it is no request that can be sent.
        """
        request = exchange.request
        url = request.url
        if url.scheme not in ("http", "https") or not url.host:
            raise failure(httpx.UnsupportedProtocol, f"not an http or https URL: {url}", request=request, sent=False)
        setopt = curl.setopt
        setopt(pycurl.URL, b"%b://%b%b" % (url.raw_scheme, url.netloc, url.raw_path))
        setopt(pycurl.PREREQFUNCTION, exchange.on_start)
        setopt(pycurl.HEADERFUNCTION, exchange.on_header)
        setopt(pycurl.WRITEFUNCTION, exchange.on_body)
        if addresses:
            setopt(pycurl.RESOLVE, addresses)
        setopt(pycurl.HTTPHEADER, _header_lines(curl, exchange))
        if request.method != "GET" or exchange.body:
            _set_method(curl, exchange)
        if exchange.proxy is not None:
            setopt(pycurl.PROXY, str(exchange.proxy))
            setopt(pycurl.PROXYPORT, exchange.proxy.port or PROXY_PORTS[exchange.proxy.scheme])
        timeout = request.extensions.get("timeout")
        if timeout and timeout.get("connect") is not None:
            setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(timeout["connect"]))


def proxy_of(request: httpx.Request) -> httpx.URL | None:
    """The proxy that a request is to be sent through, by its extension ``proxy``.

    Raises:
        httpx.UnsupportedProtocol: it is none.
    """
    given = request.extensions.get("proxy")
    if given is None:
        return None
    try:
        proxy = httpx.URL(given)
    except (httpx.InvalidURL, TypeError) as error:
        raise failure(httpx.UnsupportedProtocol, f"not a proxy: {error}", request=request, sent=False) from error
    if proxy.scheme not in PROXY_PORTS or not proxy.host:
        words = f"not a proxy: a URL with one of {', '.join(PROXY_PORTS)} is needed"
        raise failure(httpx.UnsupportedProtocol, words, request=request, sent=False)
    return proxy


def _header_lines(curl: Any, exchange: Exchange) -> list[bytes]:
    """The header fields in their own order and spelling, and what keeps libcurl from adding to them."""
    request = exchange.request
    names = set()
    lines = []
    for name, value in request.headers.raw:
        if not name or name.translate(None, TOKEN):
            raise failure(httpx.LocalProtocolError, f"not the name of a header: {name!r}", request=request, sent=False)
        value = value.strip(b" \t")
        lines.append(b"%b: %b" % (name, value) if value else b"%b;" % name)
        lowered = name.lower()
        names.add(lowered)
        if lowered == b"accept-encoding":
            exchange.decode = _can_decode(value)
            if not exchange.decode:
                curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        elif lowered == b"content-length" and value != b"%d" % len(exchange.body):
            words = f"a Content-Length of {value!r} and a body of {len(exchange.body)} bytes"
            raise failure(httpx.LocalProtocolError, words, request=request, sent=False)
    if LINE_BREAK.search(b"".join(lines)):
        raise failure(httpx.LocalProtocolError, "a line break in a header", request=request, sent=False)
    lines.extend(silence for name, silence in UNASKED if name not in names)
    return lines


def _set_method(curl: Any, exchange: Exchange) -> None:
    """Any method but GET, and any body."""
    request, body = exchange.request, exchange.body
    method = request.method
    if method.encode("latin-1", "replace").translate(None, TOKEN):
        raise failure(httpx.LocalProtocolError, f"not a method: {method!r}", request=request, sent=False)
    if method == "HEAD":
        if body:
            raise failure(httpx.LocalProtocolError, "a HEAD request with a body", request=request, sent=False)
        curl.setopt(pycurl.NOBODY, 1)
        return
    if body or method == "POST":
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
        curl.setopt(pycurl.READFUNCTION, exchange.on_send)
        curl.setopt(pycurl.SEEKFUNCTION, exchange.on_rewind)
    if method != "POST":
        curl.setopt(pycurl.CUSTOMREQUEST, method)


@lru_cache(maxsize=256)
def _can_decode(accepted: bytes) -> bool:
    """Whether libcurl decodes all that a request says it accepts; else the body is handed on as it comes."""
    codings = {coding.partition(b";")[0].strip().lower() for coding in accepted.split(b",")}
    return bool(codings - {b"identity"}) and codings <= _codings()


def _codings() -> frozenset[bytes]:
    """The content codings that this libcurl decodes."""
    features: int = pycurl.version_info()[4]
    codings = {b"identity"}
    if features & pycurl.VERSION_LIBZ:
        codings |= {b"gzip", b"x-gzip", b"deflate"}
    if features & pycurl.VERSION_BROTLI:
        codings.add(b"br")
    if features & pycurl.VERSION_ZSTD:
        codings.add(b"zstd")
    return frozenset(codings)


def _milliseconds(seconds: float) -> int:
    """As libcurl wants it: 0 would mean its own default."""
    return max(1, round(seconds * 1000))
