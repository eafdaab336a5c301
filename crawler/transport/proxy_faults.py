"""Where a request through a proxy failed: `find_fault` reads it from libcurl, `fault_of` from an exception."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pycurl

from crawler.transport.errors import was_sent
from crawler.transport.wire import ProxyFault, failure_of

__all__ = ["fault_of", "find_fault", "proxy_response_fault"]

TLS_CODES: Final = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_ISSUER_ERROR})
NETWORK_CODES: Final = frozenset(
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
"""CURLPX_REPLY_…: a SOCKS server could not reach the site (RFC 1928 section 6)."""
GATEWAY_STATUSES: Final = frozenset({502, 503, 504})


def find_fault(curl: Any, code: int, proxy: httpx.URL) -> ProxyFault | None:
    """Return where a transfer failed before its request went out; `None` if proxies have nothing to do with it."""
    status = curl.getinfo(pycurl.HTTP_CONNECTCODE)
    if code in TLS_CODES:  # with the site, unless there is no tunnel yet and the proxy itself speaks TLS
        return "proxy" if proxy.scheme == "https" and not status else None
    if code not in NETWORK_CODES:
        return "proxy" if code == pycurl.E_COULDNT_RESOLVE_PROXY else None
    if status == 407:  # Proxy Authentication Required
        return "proxy"
    if status:  # another response of the proxy to CONNECT
        return "beyond" if status in GATEWAY_STATUSES or status < 300 else None
    if curl.getinfo(pycurl.PROXY_ERROR) in SOCKS_REPLIES:
        return "beyond"
    was_reached = curl.getinfo(pycurl.CONNECT_TIME) > 0
    return "beyond" if was_reached and code == pycurl.E_OPERATION_TIMEDOUT else "proxy"


def fault_of(error: BaseException | None) -> ProxyFault | None:
    """Return where a request failed. A `httpx.ProxyError` of another transport counts as a fault of the proxy."""
    failure = failure_of(error)
    if failure is not None:
        return failure.proxy_fault
    return "proxy" if isinstance(error, httpx.ProxyError) and not was_sent(error) else None


def proxy_response_fault(response: httpx.Response) -> ProxyFault | None:
    """Return where a request failed if the proxy itself sent the response; `None` if the site did.

    It may be either where there is no tunnel, that is, for plain HTTP. 407 is always the proxy's (RFC 9110 section
    15.5.8). 502, 503 and 504 are if an ``error`` in ``Proxy-Status`` (RFC 9209 section 2.1.1) or the field of Squid
    says so.
    """
    status = response.status_code
    if status == 407:  # Proxy Authentication Required
        return "proxy"
    headers = response.headers
    if status in GATEWAY_STATUSES and ("x-squid-error" in headers or "error=" in headers.get("proxy-status", "")):
        return "beyond"
    return None
