"""`RetryingSend`: sends one request until there is a response to return: it waits, sends and retries.

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
from typing import TYPE_CHECKING, Final

import httpx
import trio

from crawler.api_client.body import Body, close, read_ahead
from crawler.api_client.context import SendContext
from crawler.api_client.errors import QuotaTimeout
from crawler.errors import FetchError, WouldExceedDeadline
from crawler.http.retry_safety import is_idempotent, is_transient, was_processed
from crawler.limits.backoff import full_jitter
from crawler.limits.breaker import Breaker
from crawler.limits.headers.bodies import MAX_BODY
from crawler.limits.permit import Permit
from crawler.transport.error_kinds import CALM, kind_of
from crawler.transport.errors import translate, was_sent
from crawler.transport.extensions import failure_of, wire_options

if TYPE_CHECKING:
    from crawler.limits.events import QuotaEvent

__all__ = ["ON_DEADLINE", "RetryingSend"]

FINAL: Final = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)
"""Errors that another attempt would raise again."""
OVERLOADED: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
"""Errors that an overloaded server causes."""
BROKEN: Final = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
"""Errors of a connection that was established."""
ALONE: Final = 3
"""Factor for `MAX_REFUSALS` if a server that has served requests refuses all of them now."""
MAX_REFUSALS: Final = 20
"""Maximum number of refusals after which one request is sent again."""
MAX_KEPT: Final = 1024 * 1024
"""Maximum size of a body that is kept while its request is sent again, in bytes. A larger response is returned."""
BACKOFF_BASE: Final = 0.5
"""Seconds; the longest wait before the second attempt, doubled for each further one."""
BACKOFF_CAP: Final = 30.0
"""Seconds; the longest wait between two attempts."""
ON_DEADLINE: Final = 'client(on_deadline="wait") waits until the deadline cancels the request'
"""The note for a request that would start after the deadline of its cancel scopes."""


class RetryingSend:
    """One request, from its wait in the queue to its response.

    Parameters:
        context: What all requests of the transport share.
        request: The request of the caller.
    """

    def __init__(self, context: SendContext, request: httpx.Request) -> None:
        self._context = context
        self._queue = context.queue
        self._rules = context.rules
        self._request = request
        self._wire_request = context.wire_request(request)
        self._order = context.queue.next_order()
        self._waited = 0.0  # seconds
        self._failures = 0
        self._refusals = 0
        self._kept: httpx.Response | None = None  # the last response, in case there is no better one

    async def run(self) -> httpx.Response:
        """Return the response.

        Raises:
            httpx.RequestError: There is no response.
        """
        while True:
            permit = await self._wait_for_permit()
            if permit is None:
                assert self._kept is not None
                return self._kept
            try:
                response = await self._send(permit)
            except httpx.TransportError as error:
                if self._waits_out(error, permit) or self._goes_back(permit, applied=True):
                    continue
                if not await self._retry_after_failure(error):  # noqa: ASYNC120 - a cancelled caller needs no error
                    raise
                continue
            if permit.refused_by is not None:
                again = await self._retry_after_refusal(response, permit)
            elif is_transient(response.status_code):
                again = await self._retry_after_status(response, permit)
            else:
                again = False
            if not again:
                return response

    async def _wait_for_permit(self) -> Permit | None:
        """Wait until the request may start. `None`: it cannot start in time, but there is a response already."""
        queue, reports = self._queue, self._context.reports_sending
        costs = self._context.costs(self._request)
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
            raise
        return response

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

    async def _retry_after_refusal(self, response: httpx.Response, permit: Permit) -> bool:
        """Return whether to send the request again; the limits know when."""
        applied = was_processed(response.status_code, refused=True)
        return self._goes_back(permit, applied=applied) and await self._keep(response)

    def _goes_back(self, permit: Permit, *, applied: bool) -> bool:
        """Return whether to send a request again that was refused. `applied` is that of `_may_repeat`."""
        refused_by = permit.refused_by
        if refused_by is None:
            return False
        self._refusals += 1
        budget = refused_by.refusal_budget
        most = MAX_REFUSALS * (ALONE if budget.refuses_all and budget.has_served else 1)
        if self._refusals > most or not self._may_repeat(applied=applied):
            return False
        return not (self._is_too_long(permit.declared.retry_after) or refused_by.is_stalled(self._queue.clock()))

    async def _retry_after_status(self, response: httpx.Response, permit: Permit) -> bool:
        """Return whether to send the request again after a transient status, when the wait for it is over."""
        self._failures += 1
        stated = permit.declared.retry_after
        if self._failures >= self._rules.attempts or self._is_too_long(stated):
            return False
        if not self._may_repeat(applied=was_processed(response.status_code)):
            return False
        wait = max(self._backoff(), stated or 0.0)
        if not self._fits(wait) or not await self._keep(response):
            return False
        await trio.sleep(wait)
        return True

    def _waits_out(self, error: httpx.TransportError, permit: Permit) -> bool:
        """Return whether to send the request again after the outage of its host. Until then its lane starts nothing."""
        rules, lane, failure = self._rules, permit.lane, translate(error)
        patience = math.inf if rules.outage_patience is None else rules.outage_patience
        if not patience or was_sent(error) or not lane.concurrency.has_answered or not self._may_repeat(applied=False):
            return False
        if isinstance(error, FINAL) or not isinstance(failure, FetchError):
            return False
        now = self._queue.clock()
        breaker = self._context.breakers.setdefault(lane.name, Breaker(now))
        breaker.note(now, failure)
        if breaker.down_for >= patience:
            return False
        if now >= breaker.probe_at:
            breaker.open(now, rest=min(breaker.rest(rules.chance), patience - breaker.down_for))
            lane.block(breaker.probe_at)
        return self._fits(breaker.probe_at - now)

    async def _retry_after_failure(self, error: httpx.TransportError) -> bool:
        """Return whether to send the request again after there was no response, when the wait for it is over."""
        self._failures += 1
        failure = failure_of(error)
        if isinstance(error, FINAL) or (failure is not None and failure.retryable is False):
            return False
        if self._failures >= self._rules.attempts or not self._may_repeat(applied=was_sent(error)):
            return False
        if _is_stale(error):
            return True
        wait = self._backoff()
        if not self._fits(wait):
            return False
        await trio.sleep(wait)
        return True

    def _may_repeat(self, *, applied: bool) -> bool:
        """Return whether the request can be sent once more.

        Parameters:
            applied: Whether the server may have processed the request already.
        """
        request = self._wire_request
        return isinstance(request.stream, httpx.ByteStream) and (
            not applied or is_idempotent(request.method, request.headers)
        )

    def _is_too_long(self, wait: float | None) -> bool:
        return wait is not None and wait > self._rules.longest

    def _backoff(self) -> float:
        return full_jitter(self._failures, base=BACKOFF_BASE, cap=BACKOFF_CAP, random=self._rules.chance)

    def _fits(self, seconds: float) -> bool:
        return self._queue.clock() + seconds <= self._deadline()

    async def _keep(self, response: httpx.Response) -> bool:
        """Keep a response, body included, in case there is no better one. Return whether it is small enough."""
        if not response.is_closed:
            assert isinstance(response.stream, Body)
            if await read_ahead(response, response.stream.on_end, max_size=MAX_KEPT) is None:
                return False
        self._kept = response
        return True


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
