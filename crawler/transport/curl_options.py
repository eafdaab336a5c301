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

from crawler.settings.proxies import PROXY_PORTS
from crawler.transport.decoding import by_libcurl
from crawler.transport.errors import transport_error
from crawler.transport.lean import LeanRequest
from crawler.transport.transfer import Transfer

__all__ = ["Options", "accepted_codings", "proxy_of"]

TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""What a method and the name of a header field are made of (RFC 9110 section 5.6.2)."""
LINE_BREAK: Final = re.compile(rb"[\r\n\0]")
NAMES: Final = ("gzip", "deflate", "br", "zstd")
"""Content codings in the order in which browsers ask for them."""
AS_IS: Final = b"Accept-Encoding: gzip, deflate"
"""What is asked for where libcurl is not to decode: what is decoded without it too."""
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
        setopt(pycurl.PIPEWAIT, 0)  # else, where HTTP/2 is not spoken, each request waits for the one before it
        setopt(pycurl.PATH_AS_IS, 1)
        setopt(pycurl.USERAGENT, "")  # else pycurl names itself, to proxies too
        setopt(pycurl.ACCEPT_ENCODING, "")  # all that it can decode
        setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(self.connect_timeout))
        setopt(pycurl.DNS_CACHE_TIMEOUT, 5)  # every request brings its addresses; all entries are looked through often
        setopt(pycurl.PROXY, "")  # none from the environment
        setopt(pycurl.NOPROXY, "")
        if self.tls_verify is False:
            setopt(pycurl.SSL_VERIFYPEER, 0)
            setopt(pycurl.SSL_VERIFYHOST, 0)
            setopt(pycurl.PROXY_SSL_VERIFYPEER, 0)
            setopt(pycurl.PROXY_SSL_VERIFYHOST, 0)
        else:
            authorities = certifi.where() if self.tls_verify is True else os.fspath(self.tls_verify)
            setopt(pycurl.CAINFO, authorities)
            setopt(pycurl.PROXY_CAINFO, authorities)

    def describe(self, curl: Any, exchange: Transfer, addresses: list[str]) -> bool:
        """Give an equipped handle one request.

        Parameters:
            curl: the handle.
            exchange: the request, and where its answer goes.
            addresses: entries for libcurl's cache of names (CURLOPT_RESOLVE).

        Returns:
            Whether it is a plain one: whatever this set will be set again by the next, so the handle needs no reset.

        Raises:
            ValueError: it is no request that can be sent; the message says why.
        """
        request = exchange.request
        lean = isinstance(request, LeanRequest)
        if isinstance(request, LeanRequest):
            fields, address = request.fields, request.address.encode("ascii")
        else:
            url = request.url
            fields, address = request.headers.raw, b"%b://%b%b" % (url.raw_scheme, url.netloc, url.raw_path)
        lines, decode = _header_lines(tuple(fields), len(exchange.body), lean)
        if decode and not exchange.decode:
            lines = tuple([AS_IS if line[:16].lower() == b"accept-encoding:" else line for line in lines])
        setopt = curl.setopt
        setopt(pycurl.URL, address)
        setopt(pycurl.HTTPHEADER, lines)
        setopt(pycurl.PREREQFUNCTION, exchange.on_start)
        setopt(pycurl.HEADERFUNCTION, exchange.on_header)
        setopt(pycurl.WRITEFUNCTION, exchange.on_body)
        if addresses:  # a list that was given before is not read again
            setopt(pycurl.RESOLVE, addresses)
        plain = True
        if exchange.fresh:
            setopt(pycurl.FRESH_CONNECT, 1)
            plain = False
        if request.method != "GET" or exchange.body:
            _set_method(curl, exchange)
            plain = False
        if not (decode and exchange.decode):
            if not exchange.decode:
                setopt(pycurl.ACCEPT_ENCODING, AS_IS.partition(b" ")[2])
            setopt(pycurl.HTTP_CONTENT_DECODING, 0)
            exchange.decode = plain = False
        if exchange.proxy is not None:
            setopt(pycurl.PROXY, str(exchange.proxy))
            setopt(pycurl.PROXYPORT, exchange.proxy.port or PROXY_PORTS[exchange.proxy.scheme])
            if self.http3:  # else each proxy is asked for a tunnel of datagrams first
                setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
            plain = False
        timeout = request.extensions.get("timeout")
        if timeout and timeout.get("connect") not in (None, self.connect_timeout):
            setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(timeout["connect"]))
            plain = False
        return plain


def proxy_of(request: httpx.Request) -> httpx.URL | None:
    """The proxy that a request is to be sent through, by its extension ``proxy``.

    Raises:
        httpx.UnsupportedProtocol: it is none.
    """
    given = request.extensions.get("proxy")
    if given is None:
        return None
    try:
        proxy = _parsed(given) if isinstance(given, str) else httpx.URL(given)
    except (httpx.InvalidURL, TypeError) as error:
        raise transport_error(
            httpx.UnsupportedProtocol, f"not a proxy: {error}", request=request, sent=False
        ) from error
    if proxy.scheme not in PROXY_PORTS or not proxy.host:
        words = f"not a proxy: a URL with one of {', '.join(PROXY_PORTS)} is needed"
        raise transport_error(httpx.UnsupportedProtocol, words, request=request, sent=False)
    return proxy


@lru_cache(maxsize=1024)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


@lru_cache(maxsize=1024)  # the pages of a site are asked for with the same fields
def _header_lines(
    fields: tuple[tuple[bytes, bytes], ...], body_size: int, whole: bool
) -> tuple[tuple[bytes, ...], bool]:
    """The header lines in their own order and spelling, and whether libcurl decodes all that they say is accepted.

    If they are not the `whole` of it, libcurl says itself what it accepts.
    """
    lines = []
    decode = True
    missing = dict(UNASKED)
    if whole:
        missing[b"accept-encoding"] = b"Accept-Encoding:"
    for name, padded in fields:
        value = padded.strip(b" \t")
        if not name or name.translate(None, TOKEN):
            raise ValueError(f"not the name of a header: {name!r}")
        if LINE_BREAK.search(value):
            raise ValueError(f"a line break in the header {name!r}")
        lines.append(b"%b: %b" % (name, value) if value else b"%b;" % name)
        lowered = name.lower()
        missing.pop(lowered, None)
        if lowered == b"accept-encoding":
            decode = _can_decode(value)
        elif lowered == b"content-length" and value != b"%d" % body_size:
            raise ValueError(f"a Content-Length of {value!r} for a body of {body_size} bytes")
    return (*lines, *missing.values()), decode


def _set_method(curl: Any, exchange: Transfer) -> None:
    """Any method but GET, and any body."""
    method, size = exchange.request.method, len(exchange.body)
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
        curl.setopt(pycurl.READFUNCTION, exchange.on_send)
        curl.setopt(pycurl.SEEKFUNCTION, exchange.on_rewind)
    if method != "POST":
        curl.setopt(pycurl.CUSTOMREQUEST, method)


def _can_decode(accepted: bytes) -> bool:
    """Whether libcurl decodes all that a request says it accepts; else the body is handed on as it comes."""
    codings = {coding.partition(b";")[0].strip().lower().decode("latin-1") for coding in accepted.split(b",")}
    codings.discard("identity")
    return bool(codings) and codings <= by_libcurl()


def accepted_codings() -> str:
    """What this libcurl decodes, as ``Accept-Encoding`` has it."""
    return ", ".join(name for name in NAMES if name in by_libcurl())


def _milliseconds(seconds: float) -> int:
    """As libcurl wants it: 0 would mean its own default."""
    return max(1, round(seconds * 1000))
