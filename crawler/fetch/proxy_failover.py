"""Requests through several proxies in turn: the next one takes over when a proxy fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from crawler.errors import RequestError
from crawler.fetch.proxies import Proxies, Proxy, Rotation
from crawler.messages import Request, Response
from crawler.settings.proxies import label
from crawler.transport.errors import transport_error, was_sent
from crawler.transport.proxy_faults import fault_of, proxy_response_fault

__all__ = ["raise_if_proxy_answered", "with_failover"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


async def with_failover(
    proxies: Proxies,
    rotation: Rotation,
    request: Request,
    send: Callable[[str | None], Awaitable[Response]],
    clock: Callable[[], float],
) -> Response:
    """Return the response over the first proxy that works; each is tried once at most."""
    tried: list[Proxy] = []
    doubtful: list[tuple[Proxy, float, RequestError]] = []  # failed beyond the proxy: is it the site or the proxy?
    while True:  # noqa: ASYNC913 - each turn sends a request
        started = clock()
        proxy = rotation.choose(started, tried)
        assert proxy is not None, "one is left, or the last failure would have been raised"
        proxies.requests[proxy.name] += 1
        try:
            response = await send(proxy.url)
        except RequestError as error:
            fault = fault_of(error.__cause__)
            if fault is None:
                raise
            tried.append(proxy)
            if fault == "proxy":
                proxies.mark_failed(proxy, started, clock(), error)
            else:
                doubtful.append((proxy, started, error))
            if len(tried) == len(rotation.proxies) or not _may_resend(error, request):
                raise
            continue
        proxy.mark_working(started)
        for other, then, why in doubtful:  # the site works, so it was the proxy
            proxies.mark_failed(other, then, clock(), why)
        return response


async def raise_if_proxy_answered(response: httpx.Response, request: httpx.Request, proxy: str) -> None:
    """Raise if a response without a tunnel is not the site's but the proxy's own."""
    fault = None if proxy.startswith("socks") else proxy_response_fault(response)
    if fault is not None:
        await response.aclose()
        message = f"the proxy {label(proxy)} answered {response.status_code}"
        raise transport_error(httpx.ProxyError, message, request=request, sent=fault == "beyond", proxy_fault=fault)


def _may_resend(error: RequestError, request: Request) -> bool:
    """Return whether another proxy may be tried at once: the site did not get the request, or may get it twice."""
    cause = error.__cause__
    return request.method in SAFE_METHODS or (isinstance(cause, Exception) and not was_sent(cause))
