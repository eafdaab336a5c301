"""`Budget`: keep a crawl within a number of requests, bytes, or an amount of money."""

from __future__ import annotations

import itertools
import logging
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from crawler import ConfigError, Crawl, Pause, Plugin, Request, Stop, Usage, WouldExceedDeadline
from crawler_plugins.alerts import Alert, Alerts

__all__ = ["Budget"]

MAX_SHOWN = 100
"""Maximum number of budgets in the report."""
log = logging.getLogger("crawler.plugins.budget")
WHOLE = "the crawl"
"""The scope of a budget for the crawl as a whole."""


@attrs.define
class Spent:
    """The amounts that were spent of one budget since the beginning of its window."""

    since: float
    requests: int = 0
    bytes: int = 0
    money: float = 0.0
    alerted: bool = False


class Budget(Plugin):
    """Keeps a crawl, or each lane, within a number of requests, bytes, or an amount of money.

    When a request does not fit, the crawl stops with exit code 3, or the lanes pause until the next window. Attempts
    count, those for robots.txt and redirects included. Requests and money are taken before an attempt is sent, so their
    budgets are never exceeded. The decoded size of a body is known only afterwards, so responses in flight may exceed
    a budget of bytes. A job keeps what was spent, except for attempts in flight when it is killed. At the end, the log
    and the counters of the report say what was used of each budget in its last window, with money rounded up.

    Parameters:
        requests: Maximum number of attempts; `None` means any.
        bytes: Maximum size of all decoded bodies, in bytes; `None` means any.
        money: Maximum amount of money; `None` means any.
        price: Amount of money for an attempt. ``Request(plugins={"budget": {"price": 0.5}})`` sets that of one request.
        per: Whether there is one budget for the ``crawl``, or one for each ``lane``.
        window: Seconds after the first request of a budget until it is full again; `None` means never.
        then: What happens when a budget is used up: ``stop`` the crawl, or ``pause`` until the window ends.
        threshold: Share of the budget, from 0 to less than 1. An alert is sent when no more than that is left.
        command: A command that gets each alert as JSON on standard input. No shell interprets it.
        shell: Whether ``/bin/sh`` runs the command.
        webhook: A URL that gets each alert as JSON in a POST, as of the plugin ``quota``. It is kept secret.

    Raises:
        ConfigError: An option is out of range, or there is no budget.
    """

    transport: Any = None
    """The httpx transport of the webhook; `None` means libcurl."""

    def __init__(
        self,
        *,
        requests: int | None = None,
        bytes: int | None = None,  # noqa: A002 - the name of the option
        money: float | None = None,
        price: float = 0.0,
        per: Literal["crawl", "lane"] = "crawl",
        window: float | None = None,
        then: Literal["stop", "pause"] = "stop",
        threshold: float = 0.2,
        command: str = "",
        shell: bool = False,
        webhook: str = "",
    ) -> None:
        self.limits = {
            name: n for name, n in (("requests", requests), ("bytes", bytes), ("money", money)) if n is not None
        }
        if not self.limits:
            raise ConfigError("budget: give requests, bytes or money")
        for name, limit in self.limits.items():
            if not 0 < limit < math.inf:
                raise ConfigError(f"budget: {name} must be above 0, not {limit}")
        if not 0 <= price <= (money if money is not None else sys.float_info.max):
            raise ConfigError(f"budget: price must be from 0 to the whole budget, not {price}")
        if per not in ("crawl", "lane"):
            raise ConfigError(f"budget: per must be crawl or lane, not {per!r}")
        if then not in ("stop", "pause"):
            raise ConfigError(f"budget: then must be stop or pause, not {then!r}")
        if window is not None and not 0 < window < math.inf:
            raise ConfigError(f"budget: window must be above 0 seconds, not {window}")
        if then == "pause" and window is None:
            raise ConfigError("budget: then=pause needs a window, in seconds")
        if not 0 <= threshold < 1:
            raise ConfigError(f"budget: threshold must be a share from 0 to below 1, not {threshold}")
        self.price = price
        self.per = per
        self.window = window
        self.then = then
        self.threshold = threshold
        self._alerts = Alerts("budget", command=command, shell=shell, webhook=webhook, transport=self.transport)
        self._spent: dict[str, Spent] = {}

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Restore what earlier runs of the job have spent, and send alerts while the crawl runs."""
        self._spent = {scope: Spent(**spent) for scope, spent in self.state.items()}
        async with self._alerts.running():
            yield
        self._summarize()

    async def fetch(self, request: Request, send: Any) -> Any:
        """Take the request from its budget, or put it off until there is a budget again."""
        scope = WHOLE if self.per == "crawl" else _lane_of(request)
        spent, price = self._current(scope), self._price(request)
        if self._lacks(spent, price):
            until = self._ends(spent) if self.then == "pause" else self.crawl.clock()
            raise WouldExceedDeadline("the budget is used up", retry_at=until, scope=scope, request=request)
        spent.requests += 1
        spent.money += price
        self._alert(scope, spent)
        self._keep(scope, spent)
        try:
            return await send(request)
        except WouldExceedDeadline:  # another plugin, such as a second budget, has put it off
            spent.requests -= 1
            spent.money -= price
            self._keep(scope, spent)
            raise

    def measure(self, usage: Usage) -> Pause | Stop | None:
        """Add the bytes of a response; pause or stop if the request was put off."""
        if usage.quota is not None:
            return None
        scope = WHOLE if self.per == "crawl" else _lane_of(usage.request)
        spent = self._current(scope)
        if usage.response is not None:
            spent.bytes += len(usage.response.body)
        self._alert(scope, spent)
        self._keep(scope, spent)
        if not isinstance(usage.error, WouldExceedDeadline) or usage.error.scope != scope:
            return None
        if self.then == "stop":
            return Stop(f"budget of {scope}")
        return Pause(max(0.0, self._ends(spent) - self.crawl.clock()))

    def _price(self, request: Request) -> float:
        """Return the price of a request.

        Raises:
            ValueError: It is not a number, or above the whole budget: the request fails.
        """
        options = request.plugins.get(self.name)
        price = options.get("price", self.price) if isinstance(options, dict) else self.price
        if not isinstance(price, (int, float)) or not 0 <= price <= self.limits.get("money", sys.float_info.max):
            raise ValueError(f"the price of the request must be from 0 to the whole budget, not {price!r}")
        return price

    def _current(self, scope: str) -> Spent:
        """Return what was spent in the current window."""
        now, spent = self.crawl.clock(), self._spent.get(scope)
        if spent is None or now >= self._ends(spent):
            spent = self._spent[scope] = Spent(now)
        return spent

    def _ends(self, spent: Spent) -> float:
        """Return when the window ends, in seconds since the epoch; without one, far in the future."""
        return spent.since + (self.window if self.window is not None else 1e9)

    def _lacks(self, spent: Spent, price: float) -> bool:
        """Return whether the budget does not allow one more attempt of a price."""
        limits = self.limits
        return (
            spent.requests + 1 > limits.get("requests", math.inf)
            or spent.bytes >= limits.get("bytes", math.inf)
            or spent.money + price > limits.get("money", math.inf) * (1 + 1e-9)  # sums of decimal fractions
        )

    def _alert(self, scope: str, spent: Spent) -> None:
        """Send an alert the first time in a window that no more than the threshold is left."""
        for name, limit in self.limits.items():
            left = max(0.0, limit - getattr(spent, name))
            if not spent.alerted and left <= self.threshold * limit:
                spent.alerted = True
                self._alerts.send(
                    Alert(
                        text=f"budget of {scope}: {left:g} of {limit:g} {name} left",
                        event="low",
                        scope=scope,
                        policy=name,
                        limit=limit,
                        remaining=left,
                        reset_at=None if self.window is None else self._ends(spent),
                        spider=self.crawl.spider.name,
                    )
                )

    def _summarize(self) -> None:
        """Log what was spent of each budget, and count it in the report."""
        for scope, spent in itertools.islice(self._spent.items(), MAX_SHOWN):
            used = [f"{getattr(spent, name):g} of {limit:g} {name}" for name, limit in self.limits.items()]
            log.warning("budget of %s: used %s", scope, ", ".join(used))
            for name in self.limits:
                counter = f"budget of {scope}: {name}"
                now = math.ceil(getattr(spent, name) - 1e-9)
                self.crawl.count(counter, now - self.crawl.stats.counters[counter])

    def _keep(self, scope: str, spent: Spent) -> None:
        """Keep in the job what was spent. That is not an effect of a page: it is spent even if the page fails."""
        Context().run(self.state.__setitem__, scope, attrs.asdict(spent))


def _lane_of(request: Request) -> str:
    """Return the lane of a request: the one that it names, or its origin."""
    parts = urlsplit(request.url)
    return request.lane or f"{parts.scheme}://{parts.netloc}"
