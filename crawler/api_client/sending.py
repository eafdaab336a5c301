"""`RetryingSend`: sends one request until there is an answer to return: it waits, sends, and retries.

::

    permit ─► send ─► response ───────────────────────────► returned; its place in the lane is free when its body ends
       ▲        │        │
       │        │        └─ refused ─► the limits know how long to wait ─┐
       │        └─ failed, or a passing error ─► backoff ─┐              │
       └──────────────────────────────────────────────────┴──────────────┘
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import httpx
import trio

from crawler.api_client.body import Body, close, read_ahead
from crawler.api_client.errors import QuotaTimeout
from crawler.errors import WouldExceedDeadline
from crawler.limits.backoff import full_jitter
from crawler.limits.permit import MAX_BODY, Permit
from crawler.transport.errors import was_sent
from crawler.transport.extensions import failure_of, wire_options

if TYPE_CHECKING:
    from crawler.api_client.transport import GovernedTransport

__all__ = ["RetryingSend"]

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""RFC 9110 section 9.2.2."""
TRANSIENT: Final = frozenset({408, 425})
"""Statuses below 500 that say nothing about the resource."""
FINAL: Final = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)
"""What would fail in the same way again."""
OVERLOADED: Final = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
"""How servers fail that have too much to do."""
REFUSALS: Final = 20
"""Refusals that one request is sent again after."""
KEPT: Final = 1024 * 1024
"""Bytes of an answer's body that are kept while its request is sent again: who sends more is not asked again."""
BASE: Final = 0.5
"""Seconds: the longest wait before the second attempt; doubled for each further one."""
CAP: Final = 30.0
"""Seconds: the longest wait between two attempts."""


class RetryingSend:
    """One request on its way.

    Parameters:
        transport: whose rules hold.
        request: what to ask.
    """

    def __init__(self, transport: GovernedTransport, request: httpx.Request) -> None:
        self._transport = transport
        self._turnstile = transport.turnstile
        self._rules = transport.rules
        self._request = request
        self._wire = transport.wire(request)
        self._order = self._turnstile.next_order()
        self._waited = 0.0  # seconds
        self._failures = 0
        self._refusals = 0
        self._kept: httpx.Response | None = None  # the last answer, if there is no better one

    async def run(self) -> httpx.Response:
        """The answer.

        Raises:
            httpx.RequestError: there is none.
        """
        while True:
            permit = await self._wait_for_permit()
            if permit is None:
                assert self._kept is not None
                return self._kept
            try:
                response = await self._send(permit)
            except httpx.TransportError as error:
                if not await self._again_after_failure(error):  # noqa: ASYNC120 - cancelled, nobody wants to know it
                    raise
                continue
            if permit.refused_by is not None:
                again = await self._again_after_refusal(response, permit)
            elif response.status_code >= 500 or response.status_code in TRANSIENT:
                again = await self._again_after_answer(response, permit)
            else:
                again = False
            if not again:
                return response

    async def _wait_for_permit(self) -> Permit | None:
        """Wait until the request may start. `None` means that it may not in time, and there is a response already."""
        turnstile = self._turnstile
        stakes = self._transport.stakes(self._request)
        permit = turnstile.start_now(stakes)
        if permit is None:
            now = turnstile.clock()
            patience = math.inf if self._rules.patience is None else now + self._rules.patience - self._waited
            try:
                permit = await turnstile.wait(stakes, order=self._order, patience=patience, until=self._until)
            except WouldExceedDeadline as error:
                if self._kept is not None:
                    return None
                raise QuotaTimeout(
                    str(error), retry_at=error.retry_at, scope=error.scope, request=self._request
                ) from error
            except trio.ClosedResourceError as error:
                raise httpx.CloseError(str(error), request=self._request) from error
            self._waited += turnstile.clock() - now
        return permit

    def _until(self) -> float:
        """Seconds since the epoch: when its cancel scopes end it."""
        if self._rules.on_deadline == "wait":
            return math.inf
        deadline = min(trio.current_effective_deadline(), wire_options(self._request).deadline)
        return self._turnstile.clock.from_trio(deadline)

    async def _send(self, permit: Permit) -> httpx.Response:
        """Make one attempt, and settle its permit. The place in the lane is free when the body ends."""
        clock = self._turnstile.clock
        started = clock()
        is_told = self._transport.prepare(self._wire, permit)
        try:
            response = await self._transport.inner.handle_async_request(self._wire)
        except Exception as error:
            if not is_told and was_sent(error):
                permit.sent(started)
            permit.failed(clock(), overloaded=isinstance(error, OVERLOADED) and not _is_stale(error))
            permit.leave()
            raise
        except BaseException:
            if not is_told:
                permit.sent(started)
            permit.cancelled()
            permit.leave()
            raise
        if not is_told:
            permit.sent(started)
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

    async def _settle(self, permit: Permit, response: httpx.Response) -> None:
        """Let the limits learn from a response, and from its body if that may say something of limits."""
        clock, status = self._turnstile.clock, response.status_code
        first_byte = None if permit.sent_at is None else max(0.0, clock() - permit.sent_at)
        fields = response.extensions.get("wire_headers") or response.headers.raw
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        body = b""
        try:
            if permit.reads_body(status, headers):
                body = await _read_body(response, permit)
        finally:  # cancelled, or broken off: the header fields count all the same
            events = permit.answered(clock(), status=status, headers=headers, body=body, first_byte=first_byte)
        if self._rules.on_event is not None:
            for event in events:
                self._rules.on_event(event)

    # ---- again? ------------------------------------------------------------------------------------------------------

    async def _again_after_refusal(self, response: httpx.Response, permit: Permit) -> bool:
        """Return whether to ask again: the limits know when."""
        self._refusals += 1
        refused_by = permit.refused_by
        assert refused_by is not None
        if self._refusals > REFUSALS or not self._may_repeat(applied=response.status_code >= 500):
            return False
        if self._is_too_long(permit.declared.retry_after) or refused_by.is_stalled(self._turnstile.clock()):
            return False
        return await self._keep(response)

    async def _again_after_answer(self, response: httpx.Response, permit: Permit) -> bool:
        """Return whether to ask again after a response that says nothing of what was asked for."""
        self._failures += 1
        stated = permit.declared.retry_after
        if self._failures >= self._rules.attempts or not self._may_repeat(applied=True) or self._is_too_long(stated):
            return False
        wait = max(self._backoff(), stated or 0.0)
        if not self._fits(wait) or not await self._keep(response):
            return False
        await trio.sleep(wait)
        return True

    async def _again_after_failure(self, error: httpx.TransportError) -> bool:
        """Whether to ask again after there was no answer."""
        self._failures += 1
        failed = failure_of(error)
        if isinstance(error, FINAL) or (failed is not None and failed.retryable is False):
            return False
        sent = was_sent(error)
        if self._failures >= self._rules.attempts or not self._may_repeat(applied=sent):
            return False
        if _is_stale(error):
            return True
        wait = self._backoff()
        if not self._fits(wait):
            return False
        await trio.sleep(wait)
        return True

    def _may_repeat(self, *, applied: bool) -> bool:
        """Whether the request can be sent once more.

        Parameters:
            applied: whether the server may have done already what it asks for.
        """
        return isinstance(self._wire.stream, httpx.ByteStream) and (not applied or self._wire.method in IDEMPOTENT)

    def _is_too_long(self, wait: float | None) -> bool:
        return wait is not None and wait > self._rules.longest

    def _backoff(self) -> float:
        return full_jitter(self._failures, base=BASE, cap=CAP, random=self._rules.chance)

    def _fits(self, seconds: float) -> bool:
        return self._turnstile.clock() + seconds <= self._until()

    async def _keep(self, response: httpx.Response) -> bool:
        """Keep a response, its body included, in case there is no better one. Return whether it is small enough."""
        if not response.is_closed:
            assert isinstance(response.stream, Body)
            if await read_ahead(response, response.stream.on_end, max_size=KEPT) is None:
                return False
        self._kept = response
        return True


def _is_stale(error: BaseException) -> bool:
    """Whether a kept connection failed since the server had closed it: a new one is worth a try at once."""
    failed = failure_of(error)
    if failed is not None and failed.is_stale:
        return True
    broken = isinstance(error, (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError))
    return isinstance(error, Exception) and broken and not was_sent(error)


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
