"""`GovernedTransport`: any httpx transport, kept within what servers allow and the user asks for.

It sends a request when the limits allow it (`crawler.api_client.queue`), learns from the response, and retries what was
refused or failed for a moment (`crawler.api_client.sending`). httpx handles redirects, authentication and cookies above
it, so each hop waits for the limits too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import httpx

from crawler.api_client.policy import DAY, Deadlines, PaceRules, RetryRules
from crawler.api_client.queue import Costs, FairQueue
from crawler.api_client.sending import RetryingSend
from crawler.errors import ConfigError
from crawler.limits.events import QuotaEvent
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit
from crawler.limits.registry import Limits
from crawler.transport.curl import CurlTransport
from crawler.transport.extensions import EXTENSION, wire_options

__all__ = ["GovernedTransport", "is_transport"]

NOT_QUOTAS: Final = "extensions['quotas'] must map names of budgets to units above 0"


def is_transport(value: object) -> bool:
    """Whether it is what httpx sends by, on trio."""
    return isinstance(value, httpx.AsyncBaseTransport)


class GovernedTransport(httpx.AsyncBaseTransport):
    """Sends over another transport what may be sent, when it may be sent.

    A request's lane is the origin of its URL, or what ``extensions["lane"]`` says; ``extensions["quotas"]`` names what
    it costs in budgets that lanes share, such as ``{"key:A": 2}``. It is sent when its lane has room and all of them
    are ready. Who waits is served in the order of arrival, and a wait that does not fit into a deadline fails at once
    with `QuotaTimeout`. Waiting is outside of httpx's timeouts. What holds a place in its lane is an answer whose body
    has not ended: read it, or close it.

    Refusals (429, 503 and what `Pace.refusals` names) are asked again when the server allows it, without using up
    attempts; connections that fail, timeouts, 408, 425 and other 5xx after a random backoff, where the method is
    idempotent or nothing was sent. Only a body that is in memory can be sent again. In the end the last answer is
    handed on as it is, or the exception of httpx raised.

    Parameters:
        inner: any transport: `httpx.MockTransport`, `httpx.ASGITransport`, `httpx.AsyncHTTPTransport`, …
        rate: requests per time on each lane, such as ``"60/min"``; several at once are all kept.
        concurrency: requests in flight on one lane, at most; `None`: 8. How many do well is learned.
        delay: seconds between two starts on one lane.
        pacing: glob of lanes, hosts or budgets to `Pace`; the first that matches counts.
        limits: throttles to share with other clients and crawls; `None`: new ones.
        attempts: attempts for one request, the first included.
        longest: seconds: a longer wait that a server asks for is not waited for.
        patience: seconds that one request may wait for its turns, all together; `None`: any time.
        on_deadline: what a wait does that does not fit into the deadline of its cancel scopes: ``"fail"`` at once, or
            ``"wait"`` for it.
        on_event: is called with each `QuotaEvent`; what it raises, the request raises.
        chance: where jitter comes from.

    Raises:
        ConfigError: an option is wrong.
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
        on_deadline: Deadlines = "fail",
        on_event: Callable[[QuotaEvent], object] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        if not is_transport(inner):
            raise ConfigError(f"not a transport of httpx for async clients: {inner!r}")
        if isinstance(inner, GovernedTransport):
            raise ConfigError("this transport is governed already")
        if limits is not None and not isinstance(limits, Limits):
            raise ConfigError(f"limits must be a Limits, not {limits!r}")
        self.inner = inner
        self.rules = RetryRules(
            attempts=attempts,
            longest=longest,
            patience=patience,
            on_deadline=on_deadline,
            on_event=on_event,
            chance=random.Random() if chance is None else chance,
        )
        self.turnstile = FairQueue(Limits() if limits is None else limits)
        self._paces = PaceRules(rate, concurrency, delay, pacing)
        self._tells = isinstance(inner, CurlTransport)  # whether it says when sending begins
        self._added: dict[str, Any] = {}

    def beside(self, inner: httpx.AsyncBaseTransport, *, added: Mapping[str, Any] | None = None) -> GovernedTransport:
        """Another transport under the same rules and limits, with which this one shares its turnstile.

        Parameters:
            inner: where it sends.
            added: extensions that each of its requests is given.

        Raises:
            ConfigError: it is none.
        """
        other = GovernedTransport(inner)
        other.rules, other.turnstile, other._paces = self.rules, self.turnstile, self._paces
        other._added = dict(added or {})
        return other

    @property
    def limits(self) -> Limits:
        """What is known of each scope."""
        return self.turnstile.limits

    def usage(self) -> dict[str, dict[str, Any]]:
        """By lane and budget: what the server declared and what was learned, by policy, as JSON values."""
        return {name: throttle.policies() for name, throttle in self.limits.throttles.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, as soon as its headers are complete.

        Raises:
            QuotaTimeout: its turn does not come in time.
            httpx.RequestError: there is no answer.
        """
        return await RetryingSend(self, request).run()

    async def aclose(self) -> None:
        """Close the inner transport; who waits for a turn gets a `httpx.CloseError`."""
        self.turnstile.close()
        await self.inner.aclose()

    # ---- for errands -------------------------------------------------------------------------------------------------

    def stakes(self, request: httpx.Request) -> Costs:
        """What a request takes of which scopes.

        Raises:
            httpx.LocalProtocolError: its extensions ``lane`` and ``quotas`` cannot be understood.
        """
        self.turnstile.tidy()
        extensions = request.extensions
        lane, quotas = extensions.get("lane"), extensions.get("quotas")
        if lane is None:
            url = request.url  # httpx has brought it to its canonical form
            lane = f"{url.scheme}://{url.netloc.decode('ascii')}"
        elif not isinstance(lane, str) or not lane:
            raise httpx.LocalProtocolError(f"extensions['lane'] must be a name, not {lane!r}", request=request)
        gate = self.turnstile.gate(lane, self._paces.of_lane)
        if not quotas:
            return gate.alone
        if not isinstance(quotas, Mapping):
            raise httpx.LocalProtocolError(f"{NOT_QUOTAS}, not {quotas!r}", request=request)
        stakes = [(gate, 1.0)]
        for name, cost in quotas.items():
            good = isinstance(cost, (int, float)) and not isinstance(cost, bool) and 0 < cost < math.inf
            if not isinstance(name, str) or not name or not good:
                raise httpx.LocalProtocolError(f"{NOT_QUOTAS}, not {name!r} to {cost!r}", request=request)
            if name == lane:
                stakes[0] = (gate, float(cost))
            else:
                stakes.append((self.turnstile.gate(name, self._paces.of_budget), float(cost)))
        return tuple(stakes)

    def wire(self, request: httpx.Request) -> httpx.Request:
        """The request as the inner transport gets it: a copy, where it needs extensions of ours."""
        if not self._tells and not self._added:
            return request
        copy = object.__new__(type(request))
        vars(copy).update(vars(request))
        return copy

    def prepare(self, wire: httpx.Request, permit: Permit) -> bool:
        """See to it that a permit knows when bytes go out. Return whether the inner transport will say so itself."""
        if self._added:
            wire.extensions = {**wire.extensions, **self._added}
        if not self._tells:
            return False
        options = wire_options(wire)
        given = options.on_sent
        user_callback = given.user_callback if isinstance(given, _OnSent) else given  # in the way: an earlier attempt's
        options = attrs.evolve(
            options,
            on_sent=_OnSent(permit, self.turnstile.clock, user_callback),
            resend=options.resend and not permit.is_paced(),
        )
        wire.extensions = {**wire.extensions, EXTENSION: options}
        return True


class _OnSent:
    """Tells a permit, and the callback of the user if there is one, that bytes go out."""

    def __init__(self, permit: Permit, clock: Callable[[], float], user_callback: Callable[[], object] | None) -> None:
        self._permit = permit
        self._clock = clock
        self.user_callback = user_callback

    def __call__(self) -> None:
        self._permit.sent(self._clock())
        if self.user_callback is not None:
            self.user_callback()
