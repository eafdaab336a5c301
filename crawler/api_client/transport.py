"""`GovernedTransport`: any httpx transport, within the limits of servers and those of the user.

It sends a request when the limits allow it (`crawler.api_client.queue`), learns from the response, and retries what was
refused or failed for a moment (`crawler.api_client.sending`). httpx handles redirects, authentication and cookies above
it, so each hop waits for the limits too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import httpx

from crawler.api_client.context import SendContext
from crawler.api_client.policy import DAY, Deadlines, PaceRules, RetryRules
from crawler.api_client.queue import FairQueue
from crawler.api_client.sending import RetryingSend
from crawler.clock import Clock
from crawler.errors import ConfigError
from crawler.event_loop import require_trio
from crawler.limits.events import QuotaEvent
from crawler.limits.pace import Pace
from crawler.limits.registry import Limits

__all__ = ["GovernedTransport", "is_transport"]

INSTEAD = (
    "in IPython and Jupyter, %autoawait trio makes await work; "
    "an asyncio program awaits asyncio.to_thread(trio.run, main)"
)
"""How to use a client in asyncio."""


def is_transport(value: object) -> bool:
    """Return whether a value is a transport for httpx's async clients."""
    return isinstance(value, httpx.AsyncBaseTransport)


class GovernedTransport(httpx.AsyncBaseTransport):
    """A transport that sends requests over another one, each as soon as the limits allow it.

    The lane of a request is the origin of its URL, or ``extensions["lane"]``. ``extensions["quotas"]`` maps the budgets
    that the request uses to its cost, such as ``{"key:A": 2}``. A request is sent when its lane has a free slot and
    the lane and all budgets are ready. Requests are served in the order in which they came. A request that cannot start
    before a deadline fails at once with `QuotaTimeout`. The time spent waiting does not count toward httpx's timeouts.
    A response keeps its slot of the lane until its body ends: read it, or close it.

    After a refusal (429, 503 and the statuses in `Pace.refusals`) the request is sent again when the server allows it,
    which uses up no attempt. After a 403 that says nothing, the last GET that was served is sent once more: if it is
    refused, the server bans, and 403 is a refusal until it serves; ``extensions["accept_status"] = (403,)`` spares
    that. After a failed connection, a timeout, a 408, a 425 or another 5xx but 501 and 505 it is
    sent again after a random backoff. A request that is not idempotent (`is_idempotent`) is sent again only if the
    server has not processed it. A request can be sent again only if its body is in memory. After the last attempt the
    response is returned as it is, or the exception of httpx is raised.

    Parameters:
        inner: Any transport: `httpx.MockTransport`, `httpx.ASGITransport`, `httpx.AsyncHTTPTransport`, …
        rate: Requests per time on each lane, such as ``"60/min"``. Several rates are all kept.
        concurrency: Maximum number of requests in flight on one lane. `None` means 8. A lane starts with one
            request at a time, whatever the number, and the best one up to it is learned: at a server that states no
            limit, the first refusal then meets few requests. ``Pace(slow_start="first")`` starts as a crawl does.
        delay: Seconds between two starts on one lane.
        pacing: Glob of lanes, hosts or budgets to `Pace`. The first glob that matches counts.
        limits: Limits to share with other clients and crawls. `None` means new ones.
        attempts: Attempts for one request, including the first.
        longest: Seconds. A response that asks for a longer wait is returned instead.
        patience: Seconds that one request may wait to start, over all its attempts. `None` means no limit.
        outage_patience: Seconds for which a request waits, without using up attempts, if its host has answered before
            and cannot be reached. `None` means no limit; 0 that each failed connection is an attempt.
        on_deadline: How a request fails that cannot start before the deadline of its cancel scopes: ``"fail"`` raises
            at once, ``"wait"`` waits until the deadline.
        on_event: Called with every `QuotaEvent`. An exception that it raises is raised by the request.
        chance: Source of jitter.

    Raises:
        ConfigError: A value is out of range or of the wrong type.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        rate: str | Sequence[str] | None = None,
        concurrency: int | None = None,
        delay: float | None = None,
        pacing: Mapping[str, Pace] | None = None,
        limits: Limits | None = None,
        attempts: int = 3,
        longest: float = DAY,
        patience: float | None = None,
        outage_patience: float | None = 0.0,
        on_deadline: Deadlines = "fail",
        on_event: Callable[[QuotaEvent], object] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        _check_inner(inner)
        if limits is not None and not isinstance(limits, Limits):
            raise ConfigError(f"limits must be a Limits object, not {limits!r}")
        rules = RetryRules(
            attempts=attempts,
            longest=longest,
            patience=patience,
            outage_patience=outage_patience,
            on_deadline=on_deadline,
            on_event=on_event,
            chance=random.Random() if chance is None else chance,
        )
        queue = FairQueue(Limits() if limits is None else limits)
        self._context = SendContext(
            inner=inner, queue=queue, rules=rules, paces=PaceRules(rate, concurrency, delay, pacing)
        )

    def beside(
        self, inner: httpx.AsyncBaseTransport, *, extensions: Mapping[str, Any] | None = None
    ) -> GovernedTransport:
        """Return a transport that sends elsewhere, under the same rules and limits and with the same queue.

        Parameters:
            inner: The transport that sends.
            extensions: Extensions that every request gets, such as a proxy.

        Raises:
            ConfigError: `inner` is not a transport for httpx's async clients.
        """
        _check_inner(inner)
        other = object.__new__(GovernedTransport)
        other._context = attrs.evolve(self._context, inner=inner, extensions=dict(extensions or {}))
        return other

    @property
    def inner(self) -> httpx.AsyncBaseTransport:
        """The transport that sends."""
        return self._context.inner

    @property
    def clock(self) -> Clock:
        """The clock of its limits, whose seconds count since the epoch. Only in `trio.run`."""
        return self._context.queue.clock

    @property
    def limits(self) -> Limits:
        """The limits of each lane and budget."""
        return self._context.queue.limits

    def usage(self) -> dict[str, dict[str, Any]]:
        """Return the declared and the learned quotas as JSON values: by lane or budget, then by policy."""
        return {name: throttle.policies() for name, throttle in self.limits.throttles.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the response as soon as its header is complete.

        Raises:
            ConfigError: This is not a trio program.
            QuotaTimeout: The request cannot start in time.
            httpx.RequestError: There is no response.
        """
        require_trio("client()", INSTEAD)
        return await RetryingSend(self._context, request).run()

    async def aclose(self) -> None:
        """Close the inner transport. Requests that still wait to start raise `httpx.CloseError`."""
        self._context.queue.close()
        await self._context.inner.aclose()


def _check_inner(inner: object) -> None:
    if not is_transport(inner):
        raise ConfigError(f"not a transport for httpx's async clients: {inner!r}")
    if isinstance(inner, GovernedTransport):
        raise ConfigError("this transport is already governed: use it directly")
