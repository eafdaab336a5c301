"""`OutageMonitor`: reports to the breakers what attempts show of their hosts, and logs what is down."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from crawler import urls
from crawler.decision.retry_policy import may_repeat
from crawler.errors import BodyTooLarge, BrokenExchange, ConnectFailed, FetchError, FetchTimeout, RequestError
from crawler.frontier import PageTicket, RobotsTicket, StartTicket
from crawler.http.retry_safety import is_transient
from crawler.limits.headers.refusal_status import REFUSAL_STATUSES
from crawler.logs import get_logger
from crawler.outages.breaker import MAX_REST
from crawler.outages.failed_attempt import Contact, FailedAttempt, Outage
from crawler.outages.network import PROBE_REST
from crawler.transport.proxy_faults import fault_of

if TYPE_CHECKING:
    from crawler.decision.decide import Policy
    from crawler.frontier import Frontier
    from crawler.messages import Response

__all__ = ["MIN_OUTAGE_STATUS", "OutageMonitor", "contact_of"]

GATEWAY_ERRORS: Final = frozenset({502, 504, 520, 521, 522, 523, 524, 530})
"""Statuses by which a gateway says that it got no response of its server (RFC 9110 sections 15.6.3 and 15.6.5). Those
from 520 on are Cloudflare's."""
MIN_OUTAGE_STATUS: Final = 408
"""Lowest status that may mean that a host is down."""
MAX_LOGGED: Final = 20
"""Hosts whose outages are logged as warnings, those of others at level DEBUG: a broad crawl meets thousands."""
log = get_logger("crawler.engine")


class OutageMonitor:
    """Reports attempts to the breakers, which the requests of the frontier wait for."""

    def __init__(self, frontier: Frontier, policy: Policy) -> None:
        self._frontier = frontier
        self._outages = frontier.outages
        self._policy = policy
        self._logged: set[str] = set()

    def received(self, ticket: StartTicket, response: Response, now: float) -> None:
        """Note a response. If it says that the host is down, set `StartTicket.outage` to what that means."""
        is_proof = self._outages.network.breaker is not None
        contact = None if is_proof else self._contact(ticket, response)
        if contact is None:
            self.answered(ticket, now)
            return
        error = FetchError(f"status {response.status}", request=ticket.request)
        outage = self._note(ticket, error, contact, now)
        if may_repeat(ticket.request):
            ticket.outage = outage

    def _contact(self, ticket: StartTicket, response: Response) -> Contact | None:
        """Return how far a request got whose response may mean that its host is down; `None`: the host is well.

        Without its robots.txt nothing of a host may be fetched (RFC 9309 section 2.3.1.4), so that a temporary error
        of that file is waited for. A host that has answered nothing but errors so far may always do so.
        """
        status = response.status
        if _blocks_host(ticket):
            return "gateway" if status == 429 or status >= 500 else None
        if self._policy.accepts(response) or self._policy.wall(response) is not None:
            return None
        if status in GATEWAY_ERRORS:
            return "gateway"
        is_error = is_transient(status) and status not in REFUSAL_STATUSES
        return "error" if is_error and _is_known(ticket) else None

    def answered(self, ticket: StartTicket, now: float) -> None:
        """Note that a response has arrived while something was down."""
        outages, network = self._outages, self._outages.network.breaker
        scopes = outages.scopes(ticket.request)
        for scope in scopes:
            self._log_recovery(scope, now)
        outages.end(ticket)
        was_down = outages.answered(scopes, now)
        if network is not None:
            log.warning("network back after %.0f s", now - network.since)
        if network is not None or len(scopes) > 1:
            self._frontier.wake_all()
        elif was_down:
            self._frontier.wake(scopes)

    def failed(self, ticket: StartTicket, error: RequestError, now: float) -> None:
        """Note that an attempt has failed, and set `FetchError.outage` to what that means."""
        outages = self._outages
        is_proxy = isinstance(error, FetchError) and fault_of(error.__cause__) == "proxy"
        contact = contact_of(error, is_known=_is_known(ticket) or is_proxy)
        if contact is None or not isinstance(error, FetchError):
            if outages.active and has_response(error):
                self.answered(ticket, now)
            return
        network = outages.network.breaker
        outage = self._note(ticket, error, contact, now, is_proxy=is_proxy)
        if not ticket.is_sent or may_repeat(ticket.request):
            error.outage = outage
        if outages.network.breaker is not network:
            self._log_network()
        if outages.network.breaker is not network or is_proxy:
            self._frontier.wake_all()

    def _note(
        self, ticket: StartTicket, error: FetchError, contact: Contact, now: float, *, is_proxy: bool = False
    ) -> Outage | None:
        """Report a failed attempt."""
        request, pending = ticket.request, ticket.pending
        scope = self._outages.scopes(request)[-1 if is_proxy else 0]
        may_be_alone = isinstance(ticket, PageTicket) and request.depth > 0
        failed_before = pending.first_failed_at
        if failed_before is None:
            pending.first_failed_at = now
        attempt = FailedAttempt(
            scope=scope,
            contact=contact,
            error=error,
            url=request.url,
            ticket=ticket,
            started=ticket.now,
            is_known=_is_known(ticket),
            failed_before=failed_before,
            may_be_alone=may_be_alone and self._policy.retries.allows_for_chance(request),
            blocks_host=_blocks_host(ticket),
            is_proxy=is_proxy,
        )
        outage = self._outages.failed(attempt, now)
        self._log_outage(scope)
        return outage

    def _log_outage(self, scope: str) -> None:
        """Log once that a host which has answered before is down."""
        breaker = self._outages.breaker_of(scope)
        if breaker is None or breaker.is_logged or self._outages.network.breaker:
            return
        if breaker.down_for < 10.0 or not (breaker.is_known and breaker.is_open):  # a restart is over by then
            return
        breaker.is_logged = True
        self._logged.add(scope)
        log.log(
            logging.WARNING if len(self._logged) <= MAX_LOGGED else logging.DEBUG,
            "%s been down since %s, retrying every 1 to %.0f s: %s",
            f"the proxies {scope} have" if ", " in scope else f"{scope} has",
            time.strftime("%H:%M:%S", time.localtime(breaker.since)),
            MAX_REST,
            breaker.error,
        )

    def _log_recovery(self, scope: str, now: float) -> None:
        """Log that a host answers again whose outage was logged."""
        breaker = self._outages.breaker_of(scope)
        if breaker is not None and breaker.is_logged:
            level = logging.WARNING if len(self._logged) <= MAX_LOGGED else logging.DEBUG
            which = f"one of the proxies {scope}" if ", " in scope else scope
            log.log(level, "%s answers again after %.0f s", which, now - breaker.since)

    def _log_network(self) -> None:
        """Log that the network is down, or was given up."""
        network = self._outages.network.breaker
        if network is None:
            log.warning("network given up: waiting requests fail until something answers")
        else:
            since = time.strftime("%H:%M:%S", time.localtime(network.since))
            log.warning("network down since %s, trying every %.0f s: %s", since, PROBE_REST, network.error)


def contact_of(error: RequestError, *, is_known: bool) -> Contact | None:
    """Return how far a failed request got; `None` if that does not show whether its host is down.

    A certificate that does not verify does only if the host is known to have answered before.
    """
    contact: Contact | None = None
    if isinstance(error, ConnectFailed):
        contact = "lookup" if error.kind == "dns" else "local" if error.kind == "unreachable" else "refused"
        if error.kind == "proxy" and fault_of(error.__cause__) is None:
            contact = None  # the proxy is up, and declined
        elif not error.retryable:
            contact = "name" if contact == "lookup" else "refused" if is_known else None
    elif isinstance(error, FetchTimeout):
        contact = "lookup" if error.kind == "dns" else "none" if error.kind == "connect" else "sent"
    elif isinstance(error, BrokenExchange) and error.kind in {"", "closed", "reset", "stale"}:  # without a response
        contact = "sent"
    return None if contact == "sent" and has_response(error) else contact


def has_response(error: RequestError) -> bool:
    """Return whether the host has answered, although the request failed."""
    if isinstance(error, FetchError):
        return error.has_response or error.is_refusal
    return isinstance(error, BodyTooLarge)


def _is_known(ticket: StartTicket) -> bool:
    """Return whether the host of a ticket has answered before, in this run or an earlier one of the job."""
    lane, request = ticket.lane, ticket.request
    is_own = request.lane is not None or lane.name == urls.origin(request.url)  # else it borrows the lane of another
    return is_own and lane.throttle.concurrency.has_answered


def _blocks_host(ticket: StartTicket) -> bool:
    """Return whether all requests of a host wait for a ticket: that of a robots.txt of which there is no copy."""
    return isinstance(ticket, RobotsTicket) and ticket.origin not in ticket.lane.robots.expired
