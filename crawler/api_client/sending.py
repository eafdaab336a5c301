"""`RetryingSend`: sends one request until there is an answer to return: it waits, sends, and retries.

::

    turn ─► send ─► answer ─────────────────────────────► handed on; its token goes back when its body has ended
     ▲        │       │
     │        │       └─ refused ─► the throttle knows how long to wait ─┐
     │        └─ failed, or a passing error ─► backoff ─┐                │
     └──────────────────────────────────────────────────┴────────────────┘
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import attrs
import httpx
import msgspec
import trio

from crawler.api_client.body import Body, close, read_ahead
from crawler.api_client.errors import QuotaTimeout
from crawler.api_client.turn import Turn
from crawler.errors import WouldExceedDeadline
from crawler.limits.backoff import full_jitter
from crawler.limits.headers.json_bodies import read_json_limits
from crawler.limits.pacing import LONGEST
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
            turn = await self._turn()
            if turn is None:
                assert self._kept is not None
                return self._kept
            try:
                response = await self._send(turn)
            except httpx.TransportError as error:
                if not await self._again_after_failure(error):  # noqa: ASYNC120 - cancelled, nobody wants to know it
                    raise
                continue
            if turn.refused_by is not None:
                again = await self._again_after_refusal(response, turn)
            elif response.status_code >= 500 or response.status_code in TRANSIENT:
                again = await self._again_after_answer(response, turn)
            else:
                again = False
            if not again:
                return response

    async def _turn(self) -> Turn | None:
        """Waits for its turn; `None`: that does not fit, and there is an answer already."""
        turnstile = self._turnstile
        stakes = self._transport.stakes(self._request)
        grants = turnstile.take(stakes)
        if grants is None:
            now = turnstile.clock()
            patience = math.inf if self._rules.patience is None else now + self._rules.patience - self._waited
            try:
                grants = await turnstile.wait(stakes, order=self._order, patience=patience, until=self._until)
            except WouldExceedDeadline as error:
                if self._kept is not None:
                    return None
                raise QuotaTimeout(
                    str(error), retry_at=error.retry_at, scope=error.scope, request=self._request
                ) from error
            except trio.ClosedResourceError as error:
                raise httpx.CloseError(str(error), request=self._request) from error
            self._waited += turnstile.clock() - now
        return Turn(stakes, grants, turnstile.clock)

    def _until(self) -> float:
        """Seconds since the epoch: when its cancel scopes end it."""
        if self._rules.on_deadline == "wait":
            return math.inf
        deadline = min(trio.current_effective_deadline(), wire_options(self._request).deadline)
        return self._turnstile.clock.from_trio(deadline)

    async def _send(self, turn: Turn) -> httpx.Response:
        """One attempt; the scopes are told what came of it."""
        told = self._transport.prepare(self._wire, turn)
        try:
            response = await self._transport.inner.handle_async_request(self._wire)
        except BaseException as error:
            known = turn.sent is not None
            sent = (known if told else was_sent(error)) if isinstance(error, Exception) else known
            turn.failed(sent=sent, overloaded=isinstance(error, OVERLOADED) and not _is_stale(error))
            raise
        try:
            self._hear(response, turn)
        except BaseException:
            turn.end()
            assert isinstance(response.stream, httpx.AsyncByteStream)
            await close(response.stream)  # noqa: ASYNC102 - it is shielded, and takes a second at most
            raise
        if response.is_closed:
            turn.end()
        else:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = Body(response.stream, turn.end)
        return response

    def _hear(self, response: httpx.Response, turn: Turn) -> None:
        fields = response.extensions.get("wire_headers") or response.headers.raw
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        events = turn.answered(response.status_code, headers)
        if events and self._rules.on_event is not None:
            for scope, event in events:
                self._rules.on_event(attrs.evolve(event, scope=scope))

    # ---- again? ------------------------------------------------------------------------------------------------------

    async def _again_after_refusal(self, response: httpx.Response, turn: Turn) -> bool:
        """Whether to ask again: the throttle will say when."""
        self._refusals += 1
        refused_by, status = turn.refused_by, response.status_code
        assert refused_by is not None
        if self._refusals > REFUSALS or not self._may_repeat(applied=status >= 500):
            return False
        if self._is_too_long(turn.declared.retry_after) or refused_by.is_stalled(self._turnstile.clock()):
            return False
        body = await self._keep(response)
        if body is None:
            return False
        wait = None if turn.declared.retry_after is not None else _wait_of(response, body)
        if self._is_too_long(wait):
            return False
        if wait is not None:
            refused_by.block(self._turnstile.clock() + min(wait, LONGEST))
        return True

    async def _again_after_answer(self, response: httpx.Response, turn: Turn) -> bool:
        """Whether to ask again after an answer that says nothing of what was asked for."""
        self._failures += 1
        stated = turn.declared.retry_after
        if self._failures >= self._rules.attempts or not self._may_repeat(applied=True) or self._is_too_long(stated):
            return False
        wait = max(self._backoff(), stated or 0.0)
        if not self._fits(wait) or await self._keep(response) is None:
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

    async def _keep(self, response: httpx.Response) -> bytes | None:
        """Keeps an answer, its body included; `None`: that is too large."""
        if response.is_closed:
            body: bytes | None = response.content
        else:
            assert isinstance(response.stream, Body)
            body = await read_ahead(response, response.stream.on_end, most=KEPT)
        if body is not None:
            self._kept = response
        return body


def _is_stale(error: BaseException) -> bool:
    """Whether a kept connection failed since the server had closed it: a new one is worth a try at once."""
    failed = failure_of(error)
    if failed is not None and failed.is_stale:
        return True
    broken = isinstance(error, (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError))
    return isinstance(error, Exception) and broken and not was_sent(error)


def _wait_of(response: httpx.Response, body: bytes) -> float | None:
    """Seconds that the document of an answer asks to wait."""
    if "json" not in response.headers.get("content-type", "") or "content-encoding" in response.headers:
        return None
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return read_json_limits(document).retry_after
