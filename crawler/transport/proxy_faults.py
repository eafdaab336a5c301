"""Whose fault it is that a request did not get through a proxy: `blame` asks libcurl, `blamed` reads what it said."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import httpx
import pycurl

from crawler.transport.errors import was_sent

__all__ = ["Blame", "blame", "blamed", "is_by_proxy"]

Blame: TypeAlias = Literal["proxy", "beyond"]
"""The proxy's own, or of what lies beyond it: the site cannot be reached, or not by this proxy."""
TLS: Final = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_ISSUER_ERROR})
NETWORK: Final = frozenset(
    {
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_OPERATION_TIMEDOUT,
        pycurl.E_RECV_ERROR,
        pycurl.E_SEND_ERROR,
        pycurl.E_GOT_NOTHING,
        97,  # CURLE_PROXY, which pycurl has no name for
    }
)
SOCKS_REPLIES: Final = range(17, 26)
"""CURLPX_REPLY_…: what a SOCKS server says of its attempt to reach the site (RFC 1928 section 6)."""
GATEWAY: Final = frozenset({502, 503, 504})
WANTS_PASSWORD: Final = 407


def blame(curl: Any, code: int, proxy: httpx.URL) -> Blame | None:
    """Whose fault a transfer is that has failed before the request went out; `None`: not one of proxies at all.

    Parameters:
        curl: libcurl's handle.
        code: its result.
        proxy: the proxy.
    """
    if code == pycurl.E_COULDNT_RESOLVE_PROXY:
        return "proxy"
    status = curl.getinfo(pycurl.HTTP_CONNECTCODE)
    if code in TLS:  # the site's, unless TLS is spoken with the proxy and there is no tunnel yet
        return "proxy" if proxy.scheme == "https" and not status else None
    if code not in NETWORK:
        return None
    if status:  # what the proxy answered to CONNECT
        return "proxy" if status == WANTS_PASSWORD else "beyond" if status in GATEWAY or status < 300 else None
    if curl.getinfo(pycurl.PROXY_ERROR) in SOCKS_REPLIES:
        return "beyond"
    reached = curl.getinfo(pycurl.CONNECT_TIME) > 0
    return "beyond" if reached and code == pycurl.E_OPERATION_TIMEDOUT else "proxy"


def blamed(error: BaseException | None) -> Blame | None:
    """Whose fault it is that a transport raised this; of transports that do not say, a `httpx.ProxyError` is clear."""
    found: Blame | None = getattr(error, "blame", None)
    if found is None and isinstance(error, httpx.ProxyError) and not hasattr(error, "blame") and not was_sent(error):
        return "proxy"
    return found


def is_by_proxy(answer: httpx.Response) -> Blame | None:
    """Whether the proxy itself gave an answer, where it passes requests on without a tunnel, and whose fault it is.

    407 comes from nobody else (RFC 9110 section 15.5.8). For 502, 503 and 504 there has to be a word of it: an
    ``error`` in ``Proxy-Status`` (RFC 9209 section 2.1.1), or what Squid says.
    """
    status = answer.status_code
    if status == WANTS_PASSWORD:
        return "proxy"
    if status in GATEWAY and ("x-squid-error" in answer.headers or "error=" in answer.headers.get("proxy-status", "")):
        return "beyond"
    return None
