"""`crawled`: a whole crawl or client against a `FamilyServer` in virtual time, as `limit_drive.drive` does it by parts.

It is about fifty times slower, and shows that the drive leaves out nothing that matters.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import attrs
import httpx
import trio
from support.family_server import FamilyServer, Session, least
from support.limit_drive import HORIZON, LANE, WAYS, Run
from support.virtual import run_virtually, seeded

from crawler import Request, Response, Settings, Spider, client, crawl

__all__ = ["crawled"]


@attrs.define(eq=False)
class _Transport(httpx.AsyncBaseTransport):
    server: FamilyServer
    session: Session = attrs.field(default=attrs.Factory(lambda self: Session(self.server), takes_self=True))
    rng: random.Random = attrs.field(default=attrs.Factory(lambda self: self.server.source("latency"), takes_self=True))
    served: list[float] = attrs.field(factory=list)
    refused: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session, latency = self.session, self.server.latency(self.rng)
        travel = latency * self.server.travel
        await trio.sleep(travel)
        session.in_flight += 1
        try:
            reply = session.answer(self.server.begin + trio.current_time(), int(request.url.path[1:]))
            if reply.served:
                await trio.sleep(latency - 2.0 * travel + reply.delay)
        finally:
            session.in_flight -= 1
        await trio.sleep(travel)
        if reply.served:
            self.served.append(trio.current_time())
        else:
            self.refused += 1
        return httpx.Response(reply.status, headers=list(reply.headers), content=reply.body)


class _Pages(Spider):
    def __init__(self, pages: int) -> None:
        super().__init__()
        self._pages = pages

    def start(self) -> Iterator[Request]:
        for page in range(self._pages):
            yield Request(f"{LANE}/{page}")

    def parse(self, response: Response) -> Any:
        return None


def crawled(server: FamilyServer, way: str = "crawl") -> Run:
    """Crawl a server, in one of the `WAYS`."""
    transport, how = _Transport(server), WAYS[way]
    settings = (
        Settings(obey_robots=False) if how.slow_start is True else Settings(obey_robots=False, per_host=how.at_once)
    )

    async def go() -> None:
        with trio.move_on_after(HORIZON):
            if how.sender == "page":
                await crawl(_Pages(server.pages), settings=settings, transport=transport)
                return
            chance = server.source("client")
            made = client(transport=transport, concurrency=how.at_once, chance=chance, timeout=None)

            async def get(page: int) -> None:
                with suppress(httpx.HTTPError):  # a page that is lost
                    await http.get(f"{LANE}/{page}")

            async with made as http, trio.open_nursery() as nursery:
                for page in range(server.pages):
                    nursery.start_soon(get, page)

    run_virtually(go, begin=server.begin, randomness=seeded(server.seed))
    return Run(
        pages=server.pages,
        refused=transport.refused,
        lost=server.pages - len(transport.served),
        seconds=max(transport.served, default=0.0),
        least=least(server, how.at_once),
    )
