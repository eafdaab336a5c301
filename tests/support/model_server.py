"""Servers with limits in virtual time, by a model of each, and the least time that an all-knowing client needs.

A `Model` has the limits of a server, whose algorithms are in `support.server_limits`, and the words in which it
declares them.
"""

from __future__ import annotations

import copy
import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import attrs
import httpx
import trio
from support.server_limits import (
    Answer,
    Fields,
    Limit,
    PricedWindow,
    until_free,
)
from support.virtual import EPOCH, run_virtually, seeded

from crawler import Pace, Request, Response, Settings, Spider, client, crawl

__all__ = ["CLIENTS", "Model", "Run", "least", "run"]

PATIENCE: Final = 400 * 86400.0
"""Seconds of virtual time after which a run is ended."""
JSON: Final = {"Content-Type": "application/json"}
CLIENTS: Final = ("crawl", "client")


def _latency(rng: random.Random, in_flight: int) -> float:
    return rng.uniform(0.05, 0.15)


def _travel(model: Model) -> float:
    return 0.1 if model.at_once < math.inf else 0.5


@attrs.frozen(kw_only=True)
class Model:
    """A kind of server."""

    page: str
    """The documentation that it is written from."""
    limits: Callable[[random.Random], Sequence[Limit]] = lambda rng: ()
    says: Sequence[Fields] = ()
    """Header fields of every response."""
    refuses: Sequence[Fields] = ()
    """Further header fields of refusals."""
    status: int = 429
    body: str = "slow down"
    """The body of refusals."""
    type: str = "text/plain"
    """The media type of refusals."""
    answers: Callable[[Answer], str] | None = None
    """Returns the JSON body of each response. `None` means that only refusals have a body."""
    declared: bool = True
    """Whether a client can know the limits without a refusal."""
    at_once: float = math.inf
    """Requests that are processed at once; further ones are refused."""
    pages: int = 300
    latency: Callable[[random.Random, int], float] = _latency
    """Seconds from request to response, by random source and requests in flight."""
    travel: float = attrs.field(default=attrs.Factory(_travel, takes_self=True))
    """Share of the latency after which the server decides. Half of it: the network is slow, and the server is fast."""
    begins: float = 0.0
    """The run begins up to so many seconds, at random, after a whole day of the server's clock."""
    others: float = 0.0
    """Requests per second of other clients."""
    quotas: Mapping[str, float] = {}
    """The budgets that each request names."""
    costs: Callable[[int], int] | None = None
    """Returns the units of a page by its number; one that costs more than one unit is asked for by POST. `None` means
    one unit each."""
    processes: int = 1
    """Clients that share the pages, and know nothing of each other."""
    hosts: int = 1
    """Hosts that share the limits; more than one lane."""
    pacing: Mapping[str, Pace] = {}
    """The paces that the user has to configure."""

    def cost(self, number: int) -> int:
        """Return the units of a page."""
        return 1 if self.costs is None else self.costs(number)

    def price(self, limits: Sequence[Limit], number: int) -> None:
        """Tell limits the units of the page that is asked for next."""
        for limit in limits:
            if isinstance(limit, PricedWindow):
                limit.cost = self.cost(number)


@attrs.define(eq=False)
class ModelServer(httpx.AsyncBaseTransport):
    """A server of a model.

    Parameters:
        model: The model.
        rng: Source of latencies.
    """

    model: Model
    rng: random.Random
    limits: Sequence[Limit] = attrs.field(
        default=attrs.Factory(lambda self: self.model.limits(self.rng), takes_self=True), init=False
    )
    epoch: float = attrs.field(default=0.0, init=False)
    served: list[float] = attrs.field(factory=list, init=False)
    """When requests were served, in seconds since the beginning."""
    refused: list[float] = attrs.field(factory=list, init=False)
    """When requests were refused."""
    in_flight: int = attrs.field(default=0, init=False)

    def decide(self, now: float) -> Answer:
        """Decide about a request of which `in_flight` counts already."""
        too_many = self.in_flight > self.model.at_once
        decisions = [(limit, limit.decide(now, dry=True)) for limit in self.limits]
        if not too_many and all(decision.allowed for _, decision in decisions):
            decisions = [(limit, limit.decide(now)) for limit in self.limits]
        elif not too_many:
            for limit, decision in decisions:
                if getattr(limit, "counts_refused", False) and not decision.allowed:
                    limit.decide(now)
        return Answer(limits=decisions, too_many=too_many, in_flight=self.in_flight, now=now)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Respond."""
        latency = self.model.latency(self.rng, self.in_flight + 1)
        travel = latency * self.model.travel
        await trio.sleep(travel)
        self.in_flight += 1
        try:
            self.model.price(self.limits, int(request.url.path[1:]))
            answer = self.decide(self.epoch + trio.current_time())
            fields = {name: value for says in self.model.says for name, value in says(answer).items()}
            if answer.allowed:
                await trio.sleep(latency - travel + answer.delay)
                self.served.append(trio.current_time())
                if self.model.answers is not None:
                    return httpx.Response(200, headers=fields | JSON, content=self.model.answers(answer))
                return httpx.Response(200, headers=fields, content=b"x")
        finally:
            self.in_flight -= 1
        self.refused.append(trio.current_time())
        fields |= {name: value for says in self.model.refuses for name, value in says(answer).items()}
        await trio.sleep(latency / 10)
        if self.model.answers is not None:
            return httpx.Response(self.model.status, headers=fields | JSON, content=self.model.answers(answer))
        body = self.model.body.encode()
        return httpx.Response(self.model.status, headers=fields | {"Content-Type": self.model.type}, content=body)

    async def send_others(self, rng: random.Random) -> None:
        """Use the quota as other clients do."""
        for at in _others(self.model, rng):
            await trio.sleep_until(at)
            self.decide(self.epoch + trio.current_time())


def _others(model: Model, rng: random.Random) -> Iterator[float]:
    """Return when other clients send requests, in seconds since the beginning."""
    at = 0.0
    while model.others:
        at += rng.expovariate(model.others)
        yield at


def least(model: Model, rng: random.Random, at_once: int, begin: float, others: random.Random) -> float:
    """Return the seconds that a client needs that knows everything and sends each request as early as possible.

    Each host has places and pages of its own. The client is polite: it leaves to other clients what they will use
    before the window ends.
    """
    limits = list(model.limits(rng))
    for limit in limits:
        if hasattr(limit, "blocks"):
            limit.blocks = False
    slots = int(min(at_once * model.hosts * model.processes, model.at_once))
    arrivals = [(begin + model.latency(rng, slots) / 2, number) for number in range(slots)]
    arriving = (begin + at for at in _others(model, others))
    coming: deque[float] = deque()
    left, end = [deque(range(host, model.pages, model.hosts)) for host in range(model.hosts)], begin
    while any(left):
        at, slot = heapq.heappop(arrivals)
        if not left[slot % model.hosts]:
            continue  # its host has no more pages
        model.price(limits, left[slot % model.hosts][0])
        while coming and coming[0] <= at:
            one = coming.popleft()
            if all(limit.decide(one, dry=True).allowed for limit in limits):
                for limit in limits:
                    limit.decide(one)
        decisions = [(limit, limit.decide(at, dry=True)) for limit in limits]
        until = at + max((decision.reset for _, decision in decisions), default=0.0)
        while model.others and (not coming or coming[-1] < until):
            coming.append(next(arriving))
        kept = sum(one < until for one in coming)
        waits = [
            until_free(limit, decision)
            for limit, decision in decisions
            if not decision.allowed or decision.remaining <= kept
        ]
        if waits:
            heapq.heappush(arrivals, (max(at + max(waits), math.nextafter(at, math.inf)) + 1e-6, slot))
            continue
        for limit in limits:
            limit.decide(at)
        left[slot % model.hosts].popleft()
        half = model.latency(rng, slots) / 2 + max((decision.delay for _, decision in decisions), default=0.0)
        end = max(end, at + half)
        heapq.heappush(arrivals, (at + half + model.latency(rng, slots) / 2, slot))
    return end - begin


@attrs.frozen
class Run:
    """One client against one server."""

    refused: int
    lost: int
    seconds: float
    """Until the last page was served."""
    least: float
    """Seconds of the all-knowing client."""

    @property
    def ratio(self) -> float:
        """How many times as long as the all-knowing client it took."""
        return self.seconds / self.least


class _Pages(Spider):
    def __init__(self, model: Model, numbers: Sequence[int]) -> None:
        super().__init__()
        self._model, self._numbers = model, numbers

    def start(self) -> Iterator[Request]:
        for number in self._numbers:
            method, url, quotas = _request(self._model, number)
            yield Request(url, method=method, quotas=quotas or None)

    def parse(self, response: Response) -> Any:
        yield {"url": response.url}


def _request(model: Model, number: int) -> tuple[str, str, dict[str, float]]:
    """Return method, URL and named budgets of a request."""
    cost = model.cost(number)
    quotas = {name: units * cost for name, units in model.quotas.items()}
    return "POST" if cost > 1 else "GET", f"https://h{number % model.hosts}.test/{number}", quotas


_Numbers = Sequence[int]


async def _by_crawl(
    model: Model, numbers: _Numbers, server: ModelServer, at_once: int | None, rng: random.Random
) -> None:
    settings = Settings(obey_robots=False, pacing=dict(model.pacing))
    if at_once is not None:
        settings |= Settings(per_host=at_once)
    await crawl(_Pages(model, numbers), settings=settings, transport=server)


async def _by_client(
    model: Model, numbers: _Numbers, server: ModelServer, at_once: int | None, rng: random.Random
) -> None:
    pacing = dict(model.pacing)

    async def get(number: int) -> None:
        method, url, quotas = _request(model, number)
        await http.request(method, url, extensions={"quotas": quotas} if quotas else {})

    made = client(transport=server, concurrency=at_once, pacing=pacing, chance=rng, timeout=None)
    async with made as http, trio.open_nursery() as nursery:
        for number in numbers:
            nursery.start_soon(get, number)


def run(model: Model, seed: int, *, by: Literal["crawl", "client"], at_once: int | None = None) -> Run:
    """Run one client against one server, and compute the least time beside it.

    Parameters:
        model: The server.
        seed: Seed of everything random.
        by: The sender of the requests.
        at_once: Requests in flight that the user asks for. `None`: default settings, up to 8.
    """
    rng = random.Random(seed)
    begin = EPOCH - EPOCH % 86400 + rng.uniform(0, model.begins)
    server = ModelServer(model, random.Random(seed))
    server.epoch = begin
    send = _by_crawl if by == "crawl" else _by_client

    async def go() -> None:
        with trio.move_on_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                if model.others:
                    nursery.start_soon(server.send_others, random.Random(seed))
                async with trio.open_nursery() as clients:
                    for process in range(model.processes):
                        numbers = range(process, model.pages, model.processes)
                        clients.start_soon(send, model, numbers, server, at_once, rng)
                nursery.cancel_scope.cancel()

    run_virtually(go, begin=begin, randomness=seeded(seed))
    return Run(
        refused=len(server.refused),
        lost=model.pages - len(server.served),
        seconds=max(server.served, default=0.0),
        least=least(copy.copy(model), random.Random(seed), at_once or 8, begin, random.Random(seed)),
    )
