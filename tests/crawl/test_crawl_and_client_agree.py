"""A response changes the limits of a crawl and of a client in the same way, and correctly; both retry alike.

Each `Row` of the table is a response, or an error in its place, and the resulting state of its lane and of the budget
that its request names. These rules follow from "never more than the server allows":

* A refusal with a status below 500 and declared quotas concern the budget if the request names one, else the lane.
* A refusal with a status of 500 or more, failures and response times concern the lane. So does a declared concurrency,
  because budgets do not limit concurrency.
* Neither a refusal nor a failure raises the concurrency level.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import httpx
import msgspec
import pytest
import trio
import trio.testing
from support.virtual import EPOCH, Half, run_repeatably

from crawler import Limits, Pace, Request, Response, Settings, Spider, client, crawl

HOST = "https://api.test"
BUDGET = "key:A"
TRIP = 0.1
"""Seconds that a response takes."""


# ---- throttle states -----------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Seen:
    """The state of a throttle right after a response was processed."""

    level: int | None = None
    """Requests that may be in flight now; `None` for a budget, which does not limit them."""
    most: int | None = None
    """The maximum of the level; `None` for a budget."""
    blocked: float = 0.0
    """Seconds until the next start."""
    by: str = ""
    """The reason for that wait."""
    next_start: float = 0.0
    """Seconds until the next start that the delay allows."""
    quotas: dict[str, tuple[Any, Any]] = attrs.field(factory=dict)
    """Limit and remaining units, by policy."""
    inflight: int = 0
    """Starts that are not settled yet."""


def seen(throttle: Any, now: float, *, is_lane: bool) -> Seen:
    """Read the state of a throttle; the only function of this file that depends on the attributes of `Throttle`."""
    ready_at = throttle.ready_at(now)
    if is_lane:
        assert throttle.busy == throttle.inflight
    return Seen(
        level=throttle.concurrency.limit if is_lane else None,
        most=throttle.concurrency.most if is_lane else None,
        blocked=max(0.0, round(ready_at - now, 2)),
        by=throttle.blocked_by,
        next_start=max(0.0, round(throttle.pacing.next_start - now, 2)),
        quotas={name: (quota.get("limit"), quota.get("remaining")) for name, quota in throttle.policies().items()},
        inflight=throttle.inflight,
    )


def lane(level: int, most: int = 8, **fields: Any) -> Seen:
    return Seen(level=level, most=most, **fields)


def budget(**fields: Any) -> Seen:
    return Seen(**fields)


# ---- the rows --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Row:
    """A response and the expected states."""

    answer: httpx.Response | Exception
    alone: Seen
    """The lane, if the request names no budget."""
    shared: tuple[Seen, Seen]
    """The lane and the budget, if it names one."""
    pacing: Mapping[str, Pace] = attrs.field(factory=dict, kw_only=True)
    """The paces that the user configures."""
    earlier: int = attrs.field(default=0, kw_only=True)
    """Number of sequential responses with status 200 before this one."""
    beside: int = attrs.field(default=0, kw_only=True)
    """Number of requests that stay in flight beside this one."""


def said(status: int, *, json: Any = None, **headers: str) -> httpx.Response:
    """Return a response; ``_`` in the names of its header fields stands for ``-``."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if json is None:
        return httpx.Response(status, headers=fields, content=b"x")
    return httpx.Response(
        status, headers=fields | {"Content-Type": "application/json"}, content=msgspec.json.encode(json)
    )


def of_lane(answer: httpx.Response | Exception, level: int, most: int = 8, **rest: Any) -> Row:
    """Return a row whose response concerns the lane, with or without a budget."""
    options, fields = _split(rest)
    found = lane(level, most, inflight=options.get("beside", 0), **fields)
    return Row(answer, found, (found, budget(inflight=options.get("beside", 0))), **options)


def of_budget(answer: httpx.Response | Exception, level: int, most: int = 8, **rest: Any) -> Row:
    """Return a row whose response concerns the budget, if there is one, and in any case the level of the lane."""
    options, fields = _split(rest)
    inflight = options.get("beside", 0)
    shared = (lane(level, most, inflight=inflight), budget(inflight=inflight, **fields))
    return Row(answer, lane(level, most, inflight=inflight, **fields), shared, **options)


def _split(rest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    options = {name: rest.pop(name) for name in ("pacing", "earlier", "beside") if name in rest}
    return options, rest


def window(remaining: int) -> dict[str, str]:
    """Return header fields that declare a window of ten requests a minute (sixth IETF draft)."""
    fields = {"RateLimit_Limit": "10", "RateLimit_Remaining": str(remaining), "RateLimit_Reset": "60"}
    return fields | {"RateLimit_Policy": "10;w=60"}


AFTER = {"Retry_After": "30"}
THREE = {"Concurrency_Limit": "3"}
X_FIELDS = {"X_RateLimit_Limit": "100", "X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{EPOCH + 100:.0f}"}
STRUCTURED = {"RateLimit_Policy": '"default";q=10;w=60', "RateLimit": '"default";r=0;t=30'}
REFUSED = {"by": "refusal"}
AT_ONCE = {HOST: Pace(slow_start=False)}
SLOW = {HOST: Pace(delay=2.0)}
BODIES = {HOST: Pace(bodies=True)}
THROTTLED = {"errors": [{"extensions": {"code": "THROTTLED"}}]}
LEFT_NONE = {"quota_remaining": 0, "quota_max": 100}
USED_UP = {"blocked": 63.0, "by": "quota", "quotas": {"60s": (10, 0)}}
DELAYED = {"blocked": 1.9, "by": "delay", "next_start": 1.9}

ROWS = {
    # Responses
    "200": of_lane(said(200), 2),
    "200 RateLimit": of_budget(said(200, **window(7)), 2, blocked=1.7, by="pace", quotas={"60s": (10, 7)}),
    "200 RateLimit used up": of_budget(said(200, **window(0)), 2, **USED_UP),
    "200 RateLimit structured": of_budget(
        said(200, **STRUCTURED), 2, blocked=33.0, by="quota", quotas={"default": (10, 0)}
    ),
    "200 X-RateLimit": of_budget(said(200, **X_FIELDS), 2, blocked=99.9, by="quota", quotas={"default": (100, 0)}),
    "200 Concurrency-Limit": of_lane(said(200, **THREE), 2, 3),
    "200 delay": of_lane(said(200), 2, pacing=SLOW, **DELAYED),
    "200 rate": of_lane(said(200), 2, pacing={HOST: Pace(rate="30/min")}, blocked=1.9, by="pace"),
    "404": of_lane(said(404), 2),
    "403": of_lane(said(403), 2),
    "408": of_lane(said(408), 2),
    "500": of_lane(said(500), 2),
    "500 Retry-After": of_lane(said(500, **AFTER), 2),
    "502": of_lane(said(502), 2),
    # Refusals of the request
    "429": of_budget(said(429), 1, blocked=1.0, **REFUSED),
    "429 Retry-After": of_budget(said(429, **AFTER), 1, blocked=30.5, **REFUSED),
    "429 Retry-After date": of_budget(
        said(429, Retry_After="Fri, 15 Jan 2027 08:01:00 GMT"), 1, blocked=60.4, **REFUSED
    ),
    "429 JSON": of_budget(said(429, json={"retry_after": 40}), 1, blocked=40.5, **REFUSED),
    "429 RateLimit": of_budget(said(429, Retry_After="60", **window(0)), 1, **USED_UP),
    "429 Concurrency-Limit": of_budget(said(429, **AFTER, **THREE), 1, 3, blocked=30.5, **REFUSED),
    "429 delay": Row(
        said(429, **AFTER),
        lane(1, blocked=30.5, by="refusal", next_start=1.9),
        (lane(1, **DELAYED), budget(blocked=30.5, **REFUSED)),
        pacing=SLOW,
    ),
    "420 Retry-After": of_budget(said(420, Retry_After="3000"), 1, blocked=3000.5, **REFUSED),
    "420": of_budget(said(420), 1, blocked=1.0, **REFUSED),
    "403 Retry-After": of_budget(said(403, **AFTER), 1, blocked=30.5, **REFUSED),
    "403 RateLimit": of_budget(said(403, **window(0)), 1, **USED_UP),
    "400 named by the lane's pace": of_budget(
        said(400, **AFTER), 1, blocked=30.5, pacing={HOST: Pace(refusals=(400,))}, **REFUSED
    ),
    "400 named by the budget's pace": Row(
        said(400), lane(2), (lane(1), budget(blocked=1.0, **REFUSED)), pacing={BUDGET: Pace(refusals=(400,))}
    ),
    "200 JSON refusal": of_budget(said(200, json=THROTTLED), 1, blocked=1.0, pacing=BODIES, **REFUSED),
    "200 JSON backoff": of_budget(said(200, json={"backoff": 40}), 1, blocked=40.5, pacing=BODIES, **REFUSED),
    "200 JSON quota": of_budget(
        said(200, json=LEFT_NONE), 2, blocked=57600.2, by="quota", quotas={"quota": (100, 0)}, pacing=BODIES
    ),
    "200 JSON, bodies not read": of_lane(said(200, json={"error": "ratelimited"}), 2),
    # Overloaded servers
    "503": of_lane(said(503), 1),
    "503 Retry-After": of_lane(said(503, **AFTER), 1, blocked=30.5, **REFUSED),
    "503 JSON": of_lane(said(503, json={"retry_after": 40}), 1, blocked=40.5, **REFUSED),
    "503 RateLimit": Row(said(503, **window(0)), lane(1, **USED_UP), (lane(1), budget(**USED_UP))),
    "503 Concurrency-Limit": of_lane(said(503, **AFTER, **THREE), 1, 3, blocked=30.5, **REFUSED),
    "509": of_lane(said(509), 1, blocked=1.0, **REFUSED),
    "509 Retry-After": of_lane(said(509, **AFTER), 1, blocked=30.5, **REFUSED),
    "529": of_lane(said(529), 1, blocked=1.0, **REFUSED),
    "529 Retry-After": of_lane(said(529, **AFTER), 1, blocked=30.5, **REFUSED),
    "504": of_lane(said(504), 1),
    "504 Retry-After": of_lane(said(504, **AFTER), 1),
    # Without a response
    "timeout": of_lane(httpx.ReadTimeout("late"), 1),
    "reset": of_lane(httpx.ReadError("reset"), 1),
    "broken protocol": of_lane(httpx.RemoteProtocolError("odd"), 1),
    "no connection": of_lane(httpx.ConnectError("refused"), 1),
    "no connection in time": of_lane(httpx.ConnectTimeout("late"), 1),
    "no connection, delay": of_lane(httpx.ConnectError("refused"), 1, pacing=SLOW, **DELAYED),
    "bad request": of_lane(httpx.LocalProtocolError("odd"), 1),
    # While three others are in flight
    "200 beside others": of_lane(said(200), 8, pacing=AT_ONCE, beside=3),
    "200 Concurrency-Limit beside others": of_lane(said(200, **THREE), 3, 3, pacing=AT_ONCE, beside=3),
    "429 beside others": of_budget(said(429), 8, pacing=AT_ONCE, beside=3, blocked=1.0, **REFUSED),
    "420 beside others": of_budget(said(420, **AFTER), 8, pacing=AT_ONCE, beside=3, blocked=30.5, **REFUSED),
    "503 beside others": of_lane(said(503), 3, pacing=AT_ONCE, beside=3, blocked=0.5, **REFUSED),
    "503 Retry-After beside others": of_lane(said(503, **AFTER), 3, pacing=AT_ONCE, beside=3, blocked=30.5, **REFUSED),
    "504 beside others": of_lane(said(504), 2, pacing=AT_ONCE, beside=3),
    "529 beside others": of_lane(said(529), 3, pacing=AT_ONCE, beside=3, blocked=1.0, **REFUSED),
    "500 beside others": of_lane(said(500), 8, pacing=AT_ONCE, beside=3),
    "timeout beside others": of_lane(httpx.ReadTimeout("late"), 2, pacing=AT_ONCE, beside=3),
    "reset beside others": of_lane(httpx.ReadError("reset"), 2, pacing=AT_ONCE, beside=3),
    "no connection beside others": of_lane(httpx.ConnectError("refused"), 8, pacing=AT_ONCE, beside=3),
    "bad coding beside others": of_lane(httpx.DecodingError("not gzip"), 8, pacing=AT_ONCE, beside=3),
    # After twelve responses with status 200: a single failure is attributed to its page
    "200 after others": of_lane(said(200), 3, earlier=12),
    "429 after others": of_budget(said(429), 3, earlier=12, blocked=1.0, **REFUSED),
    "503 after others": of_lane(said(503), 3, earlier=12),
    "503 Retry-After after others": of_lane(said(503, **AFTER), 3, earlier=12, blocked=30.5, **REFUSED),
    "504 after others": of_lane(said(504), 3, earlier=12),
    "504 Retry-After after others": of_lane(said(504, **AFTER), 3, earlier=12),
    "timeout after others": of_lane(httpx.ReadTimeout("late"), 3, earlier=12),
    "reset after others": of_lane(httpx.ReadError("reset"), 3, earlier=12),
}


# ---- crawl and client ------------------------------------------------------------------------------------------------


class Server(httpx.AsyncBaseTransport):
    """Send the earlier responses of a row, then its response, while the concurrent requests get none."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._asked = 0
        self.answered = trio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        number, self._asked = self._asked, self._asked + 1
        await trio.sleep(TRIP)
        if number < self._row.earlier:
            return httpx.Response(200)
        if number < self._row.earlier + self._row.beside:
            await trio.sleep_forever()
        self.answered.set()
        answer = self._row.answer
        if isinstance(answer, Exception):
            raise answer.with_traceback(None)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


# The requests are POST: after most responses they are not retried, so the state stays as the response left it.


async def by_crawl(server: Server, limits: Limits, quotas: dict[str, float], count: int) -> None:
    class Asks(Spider):
        async def start(self) -> Any:
            for number in range(count):
                yield Request(f"{HOST}/{number}", method="POST", quotas=quotas)
                await trio.sleep(1.0)
            await trio.sleep_forever()

        def parse(self, response: Response) -> None:
            return None

    await crawl(Asks(), settings=Settings(obey_robots=False, attempts=1), transport=server, limits=limits)


async def by_client(server: Server, limits: Limits, quotas: dict[str, float], count: int) -> None:
    async def ask(number: int) -> None:
        try:
            await http.post(f"{HOST}/{number}", extensions={"quotas": quotas})
        except httpx.HTTPError:
            assert isinstance(server._row.answer, Exception)

    open_client = client(transport=server, limits=limits, attempts=1, chance=Half())
    async with open_client as http, trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(ask, number)
            await trio.sleep(1.0)
        await trio.sleep_forever()


Way = Callable[[Server, Limits, dict[str, float], int], Awaitable[None]]
WAYS: dict[str, Way] = {"crawl": by_crawl, "client": by_client}


def found(row: Row, way: Way, *, shares: bool) -> tuple[dict[str, Seen], dict[str, Any]]:
    """Return the throttles by name right after the response of a row, and `Limits.state` at that moment."""

    async def ask() -> tuple[dict[str, Seen], dict[str, Any]]:
        server, limits = Server(row), Limits(row.pacing, chance=Half())
        with trio.fail_after(1000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(way, server, limits, {BUDGET: 1.0} if shares else {}, row.earlier + row.beside + 1)
                await server.answered.wait()
                await trio.testing.wait_all_tasks_blocked()
                now = EPOCH + trio.current_time()
                throttles = {name: seen(one, now, is_lane=name == HOST) for name, one in limits.throttles.items()}
                state = limits.state()
                nursery.cancel_scope.cancel()
        return throttles, state

    return run_repeatably(ask)


# ---- the tests -------------------------------------------------------------------------------------------------------


budgets = pytest.mark.parametrize("shares", [False, True], ids=["no budget", BUDGET])


@pytest.mark.parametrize("way", WAYS)
@budgets
@pytest.mark.parametrize("name", ROWS)
def test_a_response_changes_the_limits_as_expected(name: str, shares: bool, way: str) -> None:
    row = ROWS[name]
    throttles, _ = found(row, WAYS[way], shares=shares)
    assert throttles == (dict(zip((HOST, BUDGET), row.shared, strict=True)) if shares else {HOST: row.alone})


@budgets
@pytest.mark.parametrize("name", ROWS)
def test_a_crawl_and_a_client_learn_the_same(name: str, shares: bool) -> None:
    _, of_crawl = found(ROWS[name], by_crawl, shares=shares)
    _, of_client = found(ROWS[name], by_client, shares=shares)
    assert of_crawl == of_client


# ---- retries ---------------------------------------------------------------------------------------------------------


class Heals(httpx.AsyncBaseTransport):
    """Answer the first request with a status, the others with 200."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(self._status if self.asked == 1 else 200)


async def times_sent_by_crawl(status: int, method: str, headers: dict[str, str]) -> int:
    class Asks(Spider):
        def start(self) -> Any:
            yield Request(f"{HOST}/", method=method, headers=headers)

        def parse(self, response: Response) -> None:
            return None

    server = Heals(status)
    await crawl(Asks(), settings=Settings(obey_robots=False), transport=server)
    return server.asked


async def times_sent_by_client(status: int, method: str, headers: dict[str, str]) -> int:
    server = Heals(status)
    async with client(transport=server) as http:
        await http.request(method, f"{HOST}/", headers=headers)
    return server.asked


FINAL_FOR_POST = (500, 502, 503, 504, 599)
FINAL_FOR_ALL = (404, 501, 505)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "8e03978e"}], ids=["no key", "Idempotency-Key"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [408, 420, 425, 429, 509, 529, *FINAL_FOR_POST, *FINAL_FOR_ALL])
async def test_a_crawl_and_a_client_repeat_the_same_requests(
    autojump_clock: object, status: int, method: str, key: dict[str, str]
) -> None:
    once = status in FINAL_FOR_ALL or (status in FINAL_FOR_POST and method == "POST" and not key)
    assert await times_sent_by_crawl(status, method, key) == (1 if once else 2)
    assert await times_sent_by_client(status, method, key) == (1 if once else 2)
