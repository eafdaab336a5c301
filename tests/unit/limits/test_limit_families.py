"""The servers that judge the limits: repeatable, met by a careless client, kept by one that knows everything."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import pytest
from support.cases import each
from support.family_crawl import crawled
from support.family_server import FamilyServer, Reply, Session, plan
from support.limit_drive import WAYS, drive, drive_again
from support.limit_families import FAMILIES, draw
from support.noticed_servers import NOTICED

EVERY = FAMILIES | NOTICED
SEEDS = (1, 2)
AT_ONCE = 8


def carelessly(server: FamilyServer) -> Iterator[Reply]:
    """Ask for each page once, eight at a time, whatever the server answers."""
    session, rng = Session(server), server.source("latency")
    free, leaving = [server.begin] * AT_ONCE, list[float]()
    for page in range(server.pages):
        latency = server.latency(rng)
        at = heapq.heappop(free) + latency * server.travel
        while leaving and leaving[0] <= at:
            heapq.heappop(leaving)
        session.in_flight = len(leaving) + 1
        reply = session.answer(at, page)
        if reply.served:
            heapq.heappush(leaving, at + latency * (1.0 - 2.0 * server.travel))
        heapq.heappush(free, at + latency * (1.0 - server.travel if reply.served else server.travel) + reply.delay)
        yield reply


@each("seed", SEEDS)
@each("name", EVERY)
def test_a_client_that_knows_everything_is_never_refused(name: str, seed: int) -> None:
    server = draw(name, seed, EVERY)
    session, leaving = Session(server), list[float]()
    pages = []
    for visit in plan(server, AT_ONCE):
        while leaving and leaving[0] <= visit.at:
            heapq.heappop(leaving)
        session.in_flight = len(leaving) + 1
        reply = session.answer(visit.at, visit.page)
        assert reply.served == visit.served, (visit, reply)
        assert visit.served or server.kind == "random"
        if visit.served:
            pages.append(visit.page)
            heapq.heappush(leaving, visit.ends)
    assert sorted(pages) == list(range(server.pages))


@each("seed", SEEDS)
@each("name", EVERY)
def test_the_limit_is_met_by_a_client_that_does_not_care(name: str, seed: int) -> None:
    assert any(not reply.served for reply in carelessly(draw(name, seed, EVERY)))


@each("name", EVERY)
def test_the_same_seed_is_the_same_server_and_another_is_another(name: str) -> None:
    first, again = (list(carelessly(draw(name, 1, EVERY))) for _ in range(2))
    assert first == again
    assert draw(name, 1, EVERY).trip != draw(name, 2, EVERY).trip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["sliding log", "GCRA", "declared aligned", "ban"])
def test_the_drive_of_the_limits_alone_is_what_a_crawl_does(name: str, way: str) -> None:
    server = draw(name, 1)
    alone, whole = drive(server, way), crawled(server, way)
    assert (alone.refused, alone.lost) == (whole.refused, whole.lost)
    assert alone.seconds == pytest.approx(whole.seconds, rel=0.01)


def test_the_second_run_uses_what_the_first_one_has_learned() -> None:
    servers = [draw("fixed", seed) for seed in range(5)]
    first, second = (sum(run(server).refused for server in servers) for run in (drive, drive_again))
    assert second < first / 4
