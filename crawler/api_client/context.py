"""`SendContext`: the parts that all requests of one governed transport share, and the preparation of each request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import httpx
from msgspec.structs import replace

from crawler.api_client.policy import ClientRetries, PaceRules, RetryRules
from crawler.api_client.queue import Costs, FairQueue
from crawler.clock import Clock
from crawler.decision.decide import Policy
from crawler.limits.permit import Permit
from crawler.outages.breaker import Breaker
from crawler.transport.curl import CurlTransport
from crawler.transport.wire import EXTENSION, wire_options

__all__ = ["SendContext"]

NOT_QUOTAS: Final = "extensions['quotas'] must map names of budgets to units above 0"


def _policy(context: SendContext) -> Policy:
    return Policy(ClientRetries(context.rules))


def _reports_sending(context: SendContext) -> bool:
    return isinstance(context.inner, CurlTransport)


@attrs.define(eq=False, kw_only=True)
class SendContext:
    """The inner transport, and the rules by which requests are sent over it."""

    inner: httpx.AsyncBaseTransport
    queue: FairQueue
    rules: RetryRules
    paces: PaceRules
    extensions: Mapping[str, Any] = attrs.field(factory=dict)
    breakers: dict[str, Breaker] = attrs.field(factory=dict)
    """The lanes that cannot be reached, by name."""
    policy: Policy = attrs.field(default=attrs.Factory(_policy, takes_self=True), init=False)
    """`rules`, as `decide` reads them."""
    reports_sending: bool = attrs.field(default=attrs.Factory(_reports_sending, takes_self=True), init=False)
    """Whether the inner transport reports when bytes of a request go out."""

    def costs(self, request: httpx.Request) -> Costs:
        """Return the limits that a request names, and the units that it takes of each."""
        self.queue.drop_idle()
        lane_name, quotas = request.extensions.get("lane"), request.extensions.get("quotas")
        if lane_name is None:
            url = request.url  # httpx has brought it to its canonical form
            lane_name = f"{url.scheme}://{url.netloc.decode('ascii')}"
        elif not isinstance(lane_name, str) or not lane_name:
            raise httpx.LocalProtocolError(f"extensions['lane'] must be a name, not {lane_name!r}", request=request)
        lane = self.queue.limit(lane_name, self.paces.of_lane)
        if not quotas:
            return lane.costs
        if not isinstance(quotas, Mapping):
            raise httpx.LocalProtocolError(f"{NOT_QUOTAS}, not {quotas!r}", request=request)
        costs = [(lane, 1.0)]
        for name, cost in quotas.items():
            is_valid = isinstance(cost, (int, float)) and not isinstance(cost, bool) and 0 < cost < math.inf
            if not isinstance(name, str) or not name or not is_valid:
                raise httpx.LocalProtocolError(f"{NOT_QUOTAS}, not {name!r} to {cost!r}", request=request)
            if name == lane_name:
                costs[0] = (lane, float(cost))
            else:
                costs.append((self.queue.limit(name, self.paces.of_budget), float(cost)))
        return tuple(costs)

    def wire_request(self, request: httpx.Request) -> httpx.Request:
        """Return the request that the inner transport gets: a copy if it needs further extensions."""
        if not self.reports_sending and not self.extensions:
            return request
        copy = object.__new__(type(request))
        vars(copy).update(vars(request))
        return copy

    def prepare(self, wire_request: httpx.Request, permit: Permit) -> None:
        """Prepare a request for one attempt. If the inner transport reports sending, it reports it to the permit."""
        if self.extensions:
            wire_request.extensions = {**wire_request.extensions, **self.extensions}
        if not self.reports_sending:
            return
        options = wire_options(wire_request)
        given = options.on_sent
        user_callback = given.user_callback if isinstance(given, _OnSent) else given  # an earlier attempt wrapped it
        options = replace(
            options,
            on_sent=_OnSent(permit, self.queue.clock, user_callback),
            resend=options.resend and not permit.is_paced(),
        )
        wire_request.extensions = {**wire_request.extensions, EXTENSION: options}


@attrs.frozen(eq=False)
class _OnSent:
    """Reports to a permit, and to the callback of the user if there is one, that bytes go out."""

    permit: Permit
    clock: Clock
    user_callback: Callable[[float], object] | None

    def __call__(self, at: float) -> None:
        self.permit.sent(self.clock.from_trio(at))
        if self.user_callback is not None:
            self.user_callback(at)
