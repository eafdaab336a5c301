"""`RetryingSend`: sends one request until there is a response to return: it waits, sends and retries as `decide` says.

::

    permit ─► send ─► response ──────────────────► returned; its slot of the lane is free when its body ends
       ▲        │        │
       │        │        └─ refused ─► the limits know how long to wait ─┐
       │        └─ failed, or a transient status ─► backoff ─┐           │
       └─────────────────────────────────────────────────────┴───────────┘
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import httpx
import trio

from crawler.api_client.body import Body, close, read_ahead
from crawler.api_client.context import SendContext
from crawler.api_client.queue import AT_ONCE, LimitQueue
from crawler.decision.decide import decide
from crawler.decision.decisions import Again, Decision
from crawler.decision.facts import Facts
from crawler.errors import BadStatus, FetchError, RequestError, WouldExceedDeadline
from crawler.http.retry_safety import is_transient
from crawler.limits.headers.bodies import MAX_BODY
from crawler.limits.headers.refusal_status import FORBIDDEN
from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle
from crawler.messages import Request
from crawler.messages.request import copy_unchecked
from crawler.outages.breaker import Breaker
from crawler.outages.failed_attempt import Outage
from crawler.transport.error_kinds import CALM, kind_of
from crawler.transport.errors import translate, was_sent
from crawler.transport.wire import failure_of, wire_options

if TYPE_CHECKING:
    from crawler.limits.events import QuotaEvent

__all__ = ["ON_DEADLINE", "QuotaTimeout", "RetryingSend"]


class QuotaTimeout(httpx.PoolTimeout):
    """Raised when a request would have to wait for the limits beyond its deadline or beyond `patience`.

    It is raised before anything is sent, as soon as the time of the start is known, in ``trio.move_on_after()``, too:
    with ``on_deadline="wait"``, the deadline cancels the request instead. Its cause is a `WouldExceedDeadline`.

    Parameters:
        message: What happened, in one line.
        retry_at: When the request may start, in seconds since the epoch; infinite if unknown.
        scope: The lane or budget that the request would wait for.
        request: The request.
    """

    def __init__(self, message: str, *, retry_at: float, scope: str, request: httpx.Request | None = None) -> None:
        super().__init__(message, request=request)
        self.retry_at = retry_at
        self.scope = scope

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (str(self), self.retry_at, self.scope)


def _rebuild(message: str, retry_at: float, scope: str) -> QuotaTimeout:
    return QuotaTimeout(message, retry_at=retry_at, scope=scope)


OVERLOADED: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
"""Errors that an overloaded server causes."""
BROKEN: Final = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
"""Errors of a connection that was established."""
TEMPLATE: Final = Request("http://client.invalid/")
"""What `decide` gets of a request: its method and header fields are put into a copy."""
ON_DEADLINE: Final = 'client(on_deadline="wait") waits until the deadline cancels the request'
"""The note for a request that would start after the deadline of its cancel scopes."""


class RetryingSend:
    """One request, from its wait in the queue to its response."""

    def __init__(self, context: SendContext, request: httpx.Request) -> None:
        self._context = context
        self._queue = context.queue
        self._rules = context.rules
        self._request = request
        self._wire_request = context.wire_request(request)
        self._order = context.queue.next_order()
        self._lane: LimitQueue
        self._wants_forbidden = FORBIDDEN in request.extensions.get("accept_status", ())
        self._waited = 0.0  # seconds
        self._facts = Facts(request=TEMPLATE, attempts=0, sender="client")
        self._refused_at = math.inf
        self._was_forbidden = False  # by a 403 that said nothing, while the server served others
        self._kept: httpx.Response | None = None  # the last response, in case there is no better one

    async def run(self) -> httpx.Response:
        """Return the response."""
        while True:
            permit = await self._wait_for_permit()
            if permit is None:
                assert self._kept is not None
                return self._kept
            try:
                response = await self._send(permit)
            except httpx.TransportError as error:
                failure = self._failure(error, permit)
                if not await self._retry(failure, permit, is_sent=was_sent(error)):  # noqa: ASYNC120 - it has no effect
                    raise
                continue
            if permit.asks_recheck:
                await self._recheck(permit)
            if permit.refused_by is None and not is_transient(response.status_code):
                self._note_page(permit, response)
                return response
            if not await self._retry(_status_error(response, permit), permit, response):
                return response

    async def _wait_for_permit(self) -> Permit | None:
        """Wait until the request may start. `None`: it cannot start in time, but there is a response already."""
        queue, reports = self._queue, self._context.reports_sending
        costs = self._context.costs(self._request)
        self._lane = costs[0][0]
        permit = queue.start_now(costs, reports=reports)
        if permit is None:
            now = queue.clock()
            patience = math.inf if self._rules.patience is None else now + self._rules.patience - self._waited
            try:
                permit = await queue.wait(
                    costs, order=self._order, patience=patience, until=self._deadline, reports=reports
                )
            except WouldExceedDeadline as error:
                if self._kept is not None:
                    return None
                late = QuotaTimeout(str(error), retry_at=error.retry_at, scope=error.scope, request=self._request)
                if self._deadline() < min(error.retry_at, patience):
                    late.add_note(ON_DEADLINE)
                raise late from error
            except trio.ClosedResourceError as error:
                raise httpx.CloseError(str(error), request=self._request) from error
            self._waited += queue.clock() - now
        permit.may_recheck &= not self._wants_forbidden
        return permit

    def _deadline(self) -> float:
        """Return when the cancel scopes of the caller expire, in seconds since the epoch."""
        if self._rules.on_deadline == "wait":
            return math.inf
        deadline = min(trio.current_effective_deadline(), wire_options(self._request).deadline)
        return self._queue.clock.from_trio(deadline)

    # ---- one attempt -------------------------------------------------------------------------------------------------

    async def _send(self, permit: Permit) -> httpx.Response:
        """Make one attempt, and settle its permit. The slot of the lane is free when the body ends."""
        clock, reports_sending = self._queue.clock, self._context.reports_sending
        started = clock()
        self._context.prepare(self._wire_request, permit)
        try:
            response = await self._context.inner.handle_async_request(self._wire_request)
        except Exception as error:
            if not reports_sending and was_sent(error):
                permit.sent(started)
            self._settle_failure(permit, error)
            permit.leave()
            raise
        except BaseException:
            if not reports_sending:
                permit.sent(started)
            permit.cancelled()
            permit.leave()
            raise
        if not reports_sending:
            permit.sent(started)
        self._context.breakers.pop(permit.lane.name, None)
        if response.is_closed:
            permit.leave()
        else:
            response.stream = Body(_stream_of(response), permit.leave)
        try:
            await self._settle(permit, response)
        except BaseException:
            await close(_stream_of(response))  # noqa: ASYNC102 - it is shielded, and takes a second at most
            permit.leave()
            if permit.asks_recheck:
                permit.end_recheck()
            raise
        return response

    async def _recheck(self, forbidden: Permit) -> None:
        """Send the last GET that was served once more, to see whether a 403 is that of a ban. Its body is not read."""
        refused_by = None
        try:
            if self._lane.last_page is not None:
                again = RetryingSend(self._context, self._lane.last_page)
                again._order = AT_ONCE
                permit = await again._wait_for_permit()
                assert permit is not None
                await (await again._send(permit)).aclose()
                refused_by = permit.refused_by
        except httpx.TransportError:  # it does not say anything
            return
        finally:
            forbidden.end_recheck(refused_by)

    def _note_page(self, permit: Permit, response: httpx.Response) -> None:
        """Note a page, which may be asked for again."""
        if response.is_success:
            if self._was_forbidden:
                permit.lane.refusal_budget.note_ban()
            if self._request.method == "GET":
                self._lane.last_page = self._request

    def _settle_failure(self, permit: Permit, error: Exception) -> None:
        """Let the limits learn from an exchange without a response."""
        now = self._queue.clock()
        if permit.sent_at is not None and kind_of(error) == CALM:
            self._report(permit.refused(now))
        else:
            permit.failed(now, overloaded=isinstance(error, OVERLOADED) and not _is_stale(error))

    async def _settle(self, permit: Permit, response: httpx.Response) -> None:
        """Let the limits learn from a response, and from its body if that may say something of limits."""
        clock, status = self._queue.clock, response.status_code
        first_byte = None if permit.sent_at is None else max(0.0, clock() - permit.sent_at)
        fields = response.extensions.get("wire_headers") or response.headers.raw
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        body = b""
        try:
            if permit.reads_body(status, headers):
                body = await _read_body(response, permit)
        finally:  # if that was cancelled, the header fields still count
            events = permit.answered(clock(), status=status, headers=headers, body=body, first_byte=first_byte)
        self._report(events)

    def _report(self, events: Sequence[QuotaEvent]) -> None:
        """Call `on_event` with each event."""
        if self._rules.on_event is not None:
            for event in events:
                self._rules.on_event(event)

    # ---- retries -----------------------------------------------------------------------------------------------------

    async def _retry(
        self, error: RequestError, permit: Permit, response: httpx.Response | None = None, *, is_sent: bool = True
    ) -> bool:
        """Return whether to send the request again, when the wait for it is over; its lane may have to wait, too."""
        if not isinstance(self._wire_request.stream, httpx.ByteStream):
            return False  # its body is gone
        decision = self._decide(error, permit, is_sent=is_sent)
        if not isinstance(decision, Again) or not self._fits(decision.wait or 0.0):
            return False
        if response is not None and not await self._keep(response):
            return False
        if decision.is_behind:
            self._order = self._queue.next_order()
        if decision.wait and decision.reason != "waits":  # then its lane waits for its host
            await trio.sleep(decision.wait)
        return True

    def _decide(self, error: RequestError, permit: Permit, *, is_sent: bool) -> Decision:
        """Return the decision about the request after an attempt without a response to return, and book it."""
        facts, wire, now = self._facts, self._wire_request, self._queue.clock()
        method = wire.method if is_sent else "GET"  # what was not sent may be repeated
        facts.request = copy_unchecked(TEMPLATE, method=method, headers=wire.headers)
        facts.attempts += 1
        facts.refusal = None
        if permit.refused_by is not None:
            facts.refusal = permit.judge_refusal(
                now,
                self._refused_at,
                was_forbidden=self._was_forbidden,
                has_others=self._queue.has_waiting(permit.lane.name),
            )
            self._refused_at, self._was_forbidden = now, permit.is_forbidden
        decision = decide(error, facts, self._context.policy, now)
        if isinstance(decision, Again) and decision.reason != "attempt":
            facts.attempts -= 1
            facts.free += (decision.reason,)
        return decision

    def _failure(self, error: httpx.TransportError, permit: Permit) -> RequestError:
        """Return the framework's error of a failure, which says whether the host of its lane is down."""
        failure = translate(error)
        if _is_stale(error):
            failure.kind = "stale"
        if isinstance(failure, FetchError) and failure.retryable and not was_sent(error):
            failure.outage = self._outage(failure, permit.lane)
        return failure

    def _outage(self, failure: FetchError, lane: Throttle) -> Outage | None:
        """Return the outage of a lane that has answered before; until its next probe the lane starts nothing."""
        rules, now = self._rules, self._queue.clock()
        patience = math.inf if rules.outage_patience is None else rules.outage_patience
        if not patience or not lane.concurrency.has_answered:
            return None
        breaker = self._context.breakers.setdefault(lane.name, Breaker(now))
        breaker.note(now, failure)
        if breaker.down_for >= patience:
            return None
        if now >= breaker.probe_at:
            breaker.open(now, rest=min(breaker.rest(rules.chance), patience - breaker.down_for))
            lane.block(breaker.probe_at)
        return Outage(breaker.probe_at - now)

    def _fits(self, seconds: float) -> bool:
        return self._queue.clock() + seconds <= self._deadline()

    async def _keep(self, response: httpx.Response) -> bool:
        """Keep a response, body included, in case there is no better one. Return whether it is small enough."""
        if not response.is_closed:
            assert isinstance(response.stream, Body)
            # A larger body is not kept while its request is sent again: its response is returned.
            if await read_ahead(response, response.stream.on_end, max_size=1024 * 1024) is None:
                return False
        self._kept = response
        return True


def _status_error(response: httpx.Response, permit: Permit) -> BadStatus:
    """Return the framework's error of a status after which a request may be sent again."""
    status, wait = response.status_code, permit.declared.retry_after
    error = BadStatus(f"status {status}", status=status, retry_after=wait)
    error.retryable = is_transient(status)
    return error


def _is_stale(error: Exception) -> bool:
    """Return whether a kept connection failed because the server had closed it; a new one is worth a try at once."""
    failure = failure_of(error)
    return (failure is not None and failure.is_stale) or (isinstance(error, BROKEN) and not was_sent(error))


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


async def _read_body(response: httpx.Response, permit: Permit) -> bytes:
    """Read the body of a response ahead, and return it without its content coding; empty if that is not possible."""
    if response.is_closed:
        return response.content
    body = await read_ahead(response, permit.leave, max_size=MAX_BODY)
    if not body or "content-encoding" not in response.headers:
        return body or b""
    try:
        return httpx.Response(response.status_code, headers=response.headers, content=body).content
    except httpx.DecodingError:
        return b""
