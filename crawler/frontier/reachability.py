"""`Reachability`: the circuit breakers that a request waits for: of its host, of its proxy, and of the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from crawler import urls
from crawler.errors import FetchError

if TYPE_CHECKING:
    from crawler.frontier.ticket import StartTicket
    from crawler.limits.outages import Outages
    from crawler.messages import Request

__all__ = ["Reachability", "given_up_error"]

PUT_OFF: Final = 1.0
"""Seconds for which a request is put off whose lane has other hosts, while its own host is probed."""


def _direct(_request: Request) -> str:
    return ""


class Reachability:
    """Decides which requests may start while hosts, proxies or the network are down.

    Parameters:
        outages: The breakers.
        wake_all: Reschedules all lanes.
    """

    def __init__(self, outages: Outages, wake_all: Callable[[], None]) -> None:
        self.outages = outages
        """The breakers. They are consulted only while `Outages.active` is true."""
        self.wake_all = wake_all
        self.route: Callable[[Request], str] = _direct
        """Returns the name of the proxy of a request; empty: it has none."""

    def scopes(self, request: Request) -> tuple[str, ...]:
        """Return the origin and the proxy of a request, each of which may be down."""
        origin, proxy = urls.origin(request.url), self.route(request)
        return (origin, proxy) if proxy else (origin,)

    def ready_at(self, request: Request, now: float) -> float:
        """Return when the breakers let a request start, in seconds since the epoch; infinite: after a probe.

        A request that names its lane is let through and put off alone, since the others may have another host.
        """
        return -math.inf if request.lane is not None else self.outages.ready_at(self.scopes(request), now)

    def put_off_until(self, request: Request, now: float) -> float:
        """Return the time until which a request that names its lane is put off, in seconds since the epoch."""
        if request.lane is None:
            return -math.inf
        at = self.outages.ready_at(self.scopes(request), now)
        return now + PUT_OFF if at == math.inf else at

    def refusal(self, request: Request, now: float) -> FetchError | None:
        """Return the error of a request whose host was given up; `None`: it was not."""
        breaker = self.outages.given_up(self.scopes(request), now)
        if breaker is None or breaker.error is None:
            return None
        return given_up_error(breaker.error, breaker.down_for, request)

    def start(self, ticket: StartTicket) -> None:
        """Note that a request starts. It may be a probe."""
        self.outages.start(self.scopes(ticket.request), ticket)

    def end(self, ticket: StartTicket) -> None:
        """Note that a request has ended. If it was a probe without a result, another one follows."""
        if self.outages.end(ticket):
            self.wake_all()


def given_up_error(error: FetchError, down_for: float, request: Request) -> FetchError:
    """Return the error of a request to a host that was given up.

    Parameters:
        error: The last failure of the host.
        down_for: Its downtime in seconds.
        request: The request.
    """
    message = f"{error} (unreachable for {down_for:.0f} s, given up)"
    copy = type(error)(message, request=request)
    copy.kind, copy.retryable = error.kind, False
    return copy
