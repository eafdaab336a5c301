"""Where a request through a proxy failed: `find_fault` asks libcurl, `fault_of` reads it from an exception."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pycurl

from crawler.transport.errors import was_sent
from crawler.transport.extensions import ProxyFault, failure_of

__all__ = ["fault_of", "find_fault", "proxy_answer_fault"]

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


def find_fault(curl: Any, code: int, proxy: httpx.URL) -> ProxyFault | None:
    """Return where a transfer failed before its request went out; `None`: proxies have nothing to do with it.

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


def fault_of(error: BaseException | None) -> ProxyFault | None:
    """Return where a request failed; of other transports, a `httpx.ProxyError` counts as a fault of the proxy."""
    failed = failure_of(error)
    if failed is not None:
        return failed.proxy_fault
    return "proxy" if isinstance(error, httpx.ProxyError) and not was_sent(error) else None


def proxy_answer_fault(answer: httpx.Response) -> ProxyFault | None:
    """Return where a request failed if the proxy itself answered it; `None`: the answer is the site's.

    Proxies pass plain HTTP requests on without a tunnel, so an answer may be of either.

    407 comes from nobody else (RFC 9110 section 15.5.8). For 502, 503 and 504 there has to be a word of it: an
    ``error`` in ``Proxy-Status`` (RFC 9209 section 2.1.1), or what Squid says.
    """
    status = answer.status_code
    if status == WANTS_PASSWORD:
        return "proxy"
    if status in GATEWAY and ("x-squid-error" in answer.headers or "error=" in answer.headers.get("proxy-status", "")):
        return "beyond"
    return None
