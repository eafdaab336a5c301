"""Requests that go through the proxies of a route in turn: the next one takes over when a proxy fails."""

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

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


async def with_failover(
    proxies: Proxies,
    rotation: Rotation,
    request: Request,
    send: Callable[[str | None], Awaitable[Response]],
    clock: Callable[[], float],
) -> Response:
    """The answer that the first proxy gets which does what it is for; each is asked once at most.

    Parameters:
        proxies: is told which failed.
        rotation: those to choose from.
        request: what is asked.
        send: one exchange through the proxy of this URL, or through none.
        clock: gives seconds.

    Raises:
        RequestError: there was no answer, and not for want of a proxy; or none of them got one.
    """
    tried: list[Proxy] = []
    doubted: list[tuple[Proxy, float, RequestError]] = []
    while True:  # noqa: ASYNC913 - each time something is sent
        began = clock()
        proxy = rotation.choose(began, tried)
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
                proxies.failed(proxy, began, clock(), error)
            else:
                doubted.append((proxy, began, error))
            if len(tried) == len(rotation.proxies) or not _may_go_again(error, request):
                raise
            continue
        proxy.worked(began)
        for other, then, why in doubted:  # it was not the site, then
            proxies.failed(other, then, clock(), why)
        return response


async def raise_if_proxy_answered(answer: httpx.Response, wire: httpx.Request, proxy: str) -> None:
    """Refuses an answer that is the proxy's own.

    Parameters:
        answer: to a request without a tunnel.
        wire: that request.
        proxy: the URL of the proxy.

    Raises:
        httpx.ProxyError: it is.
    """
    fault = None if proxy.startswith("socks") else proxy_response_fault(answer)
    if fault is not None:
        await answer.aclose()
        words = f"the proxy {label(proxy)} answered {answer.status_code}"
        raise transport_error(httpx.ProxyError, words, request=wire, sent=fault == "beyond", proxy_fault=fault)


def _may_go_again(error: RequestError, request: Request) -> bool:
    """Whether another proxy may be asked at once: the site has not got it, or would not mind to get it twice."""
    cause = error.__cause__
    return request.method in SAFE or (isinstance(cause, Exception) and not was_sent(cause))
