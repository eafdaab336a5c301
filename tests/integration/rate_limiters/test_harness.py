"""The servers themselves: each limits requests, declares its limit in its dialect, and counts its responses.

These tests do not use the framework; `test_real_limits.py` relies on their results.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import trio
from integration.rate_limiters import clients, packages
from integration.rate_limiters.catalogue import PAGES, SERVERS, Quota, Server
from integration.rate_limiters.servers import Counts, Running, serving

BURST = 40
BURSTS = 4
"""Bursts at the same time: more would take longer than windows last."""
SOME = 60
"""Pages that the polite client requests: three windows."""

DELTA, EPOCH, MOMENT = "[1-5]", r"1\d{9}", r"1\d{9}\.\d+"
PK = "pk=:[A-Za-z0-9+/=]+:"
FIVE, FIFTY = rf'"20-in-5sec"; q=20; w=5; {PK}', rf'"60-in-50sec"; q=60; w=50; {PK}'
LEGACY = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "19", "x-ratelimit-reset": EPOCH}

FIRST: Mapping[str, Mapping[str, str]] = {
    "express-legacy": LEGACY,
    "express-draft-6": {
        "ratelimit-limit": "20",
        "ratelimit-policy": "20;w=5",
        "ratelimit-remaining": "19",
        "ratelimit-reset": DELTA,
    },
    "express-draft-7": {"ratelimit": f"limit=20, remaining=19, reset={DELTA}", "ratelimit-policy": "20;w=5"},
    "express-draft-8": {"ratelimit": f'"20-in-5sec"; r=19; t={DELTA}', "ratelimit-policy": FIVE},
    "express-two": {
        "ratelimit": rf'"20-in-5sec"; r=19; t={DELTA}, "60-in-50sec"; r=59; t=\d\d',
        "ratelimit-policy": f"{FIVE}, {FIFTY}",
    },
    "flexible": LEGACY
    | {"x-ratelimit-reset": r"\w{3} \w{3} \d\d \d{4} [\d:]{8} GMT.*", "retry-after": r"[0-5](\.\d+)?"},
    "fastify": LEGACY | {"x-ratelimit-reset": DELTA},
    "koa": LEGACY | {"x-ratelimit-reset": MOMENT},
    "hono": {"ratelimit": f"limit=20, remaining=19, reset={DELTA}", "ratelimit-policy": "20;w=5"},
    "verdaccio": LEGACY,
    "litestar": {
        "ratelimit-limit": "4",
        "ratelimit-policy": "4; w=1",
        "ratelimit-remaining": "3",
        "ratelimit-reset": "1",
    },
    "quart": {"ratelimit-limit": "20", "ratelimit-remaining": "19", "ratelimit-reset": "1"},
    # These two also send `Retry-After` with responses that are not refusals.
    "slowapi": LEGACY | {"x-ratelimit-reset": MOMENT, "retry-after": DELTA},
    "flask-fixed": LEGACY | {"retry-after": DELTA},
    "flask-moving": LEGACY | {"retry-after": DELTA},
}
"""The rate-limit header fields of the first response of each server that has any, as patterns of their values."""
REFUSING = [name for name, server in SERVERS.items() if server.refuses]


def words(answer: httpx.Response) -> dict[str, str]:
    """Return the rate-limit header fields of a response."""
    return {name: text for name, text in answer.headers.items() if "limit" in name or "retry" in name}


@dataclass
class Run:
    """One client against one server."""

    answers: list[httpx.Response] = field(default_factory=list)
    beyond: httpx.Response | None = None
    """The response to the first request beyond the second quota."""
    counts: Counts | None = None
    running: Running | None = None

    @property
    def statuses(self) -> list[int]:
        """Return the statuses of the responses."""
        return [answer.status_code for answer in self.answers]


async def run_all(stack: ExitStack) -> dict[tuple[str, str], Run]:
    """Run both clients against servers of their own: first all greedy clients, then all polite ones.

    The servers of the greedy clients are left running; their windows have ended.
    """
    runs: dict[tuple[str, str], Run] = {}
    room = trio.CapacityLimiter(BURSTS)

    async def greedy(running: Running) -> None:
        run = runs["greedy", running.name] = Run()
        async with room:
            async with clients.client() as http:
                run.answers.append(await http.get(running.page(0)))
            run.answers += await clients.greedy(running, range(1, BURST))

    async def polite(running: Running, start: float) -> None:
        await trio.sleep(start)
        run = runs["polite", running.name] = Run()
        run.answers += await clients.polite(running, range(SOME))
        if len(running.server.quotas) == 2:  # the first quota has been reset, the second has not
            await trio.sleep(running.server.quotas[0].seconds + clients.MARGIN)
            async with clients.client() as http:
                run.beyond = await http.get(running.url + "page/99")

    both = stack.enter_context(serving(*SERVERS, *SERVERS))
    async with trio.open_nursery() as nursery:
        for running in both[: len(SERVERS)]:
            nursery.start_soon(greedy, running)
    async with trio.open_nursery() as nursery:
        for k, running in enumerate(both[len(SERVERS) :]):  # staggered: simultaneous bursts would delay each other
            nursery.start_soon(polite, running, k * 0.25)
    for client, running in zip(["greedy"] * len(SERVERS) + ["polite"] * len(SERVERS), both, strict=True):
        run = runs[client, running.name]
        run.running, run.counts = running, running.stop() if client == "polite" else running.counts()
    return runs


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[tuple[str, str], Run]]:
    with ExitStack() as stack:
        yield trio.run(run_all, stack)


@pytest.mark.parametrize("name", REFUSING)
def test_a_burst_is_refused_beyond_the_limit_and_counted_by_the_server(name: str, runs) -> None:
    run, server = runs["greedy", name], SERVERS[name]
    assert set(run.statuses) == {200, server.refusal}
    assert (run.counts.served, run.counts.refused) == (run.statuses.count(200), run.statuses.count(server.refusal))
    assert run.counts.other == 0
    assert run.counts.pages == {n for n, status in enumerate(run.statuses) if status == 200}
    if server.at_once is None:
        quota = server.quotas[0]
        windows = run.counts.seconds / quota.seconds  # that passed during the burst
        more = {"bucket": 1 + quota.requests * windows, "window": quota.requests * (server.aligned + windows // 1)}
        together = 0 if server.is_atomic else run.counts.at_once
        assert quota.requests <= run.counts.served <= quota.requests + more.get(server.refill, 0) + together
    else:
        # uvicorn refuses more than it must; the log of nginx has milliseconds, in which two responses may overlap
        assert 0 < run.counts.at_once <= server.at_once + 1


def test_a_server_that_slows_down_delays_the_rest_of_a_burst(runs) -> None:
    run = runs["greedy", "express-slow-down"]
    delayed = sorted(answer.elapsed.total_seconds() for answer in run.answers)[20:]
    assert run.statuses == [200] * BURST
    assert min(delayed) >= SERVERS["express-slow-down"].page_seconds


@pytest.mark.parametrize("name", REFUSING)
def test_a_polite_client_is_never_refused_and_nearly_as_fast_as_possible(name: str, runs) -> None:
    run, server = runs["polite", name], SERVERS[name]
    assert run.statuses == [200] * SOME
    assert (run.counts.served, run.counts.other) == (SOME, 0)
    assert run.counts.refused == (run.beyond is not None)
    assert run.counts.pages == set(range(SOME))
    assert server.at_once is None or run.counts.at_once >= server.at_once
    fastest = server.minimum(SOME)
    # The logs have milliseconds and the times at which requests were read, so a run may look faster than possible.
    early = 0.1 + server.aligned * server.quotas[0].seconds if server.quotas else 0.1
    assert fastest - early <= run.counts.seconds <= 1.2 * fastest + 1.5


@pytest.mark.parametrize("name", REFUSING)
def test_every_server_declares_its_limit_in_its_dialect(name: str, runs) -> None:
    run, server = runs["greedy", name], SERVERS[name]
    said, expected = words(run.answers[0]), FIRST.get(name, {})
    assert said.keys() == expected.keys()
    assert {header for header, text in said.items() if not re.fullmatch(expected[header], text)} == set()
    refusal = words(next(answer for answer in run.answers if answer.status_code == server.refusal))
    assert ("retry-after" in refusal) is server.states_wait
    left = [text for text in refusal.values() if re.search(r"(^|r=|remaining=)0\b", text)]
    assert len(left) == server.declares


def test_the_second_of_two_limiters_refuses_independently(runs) -> None:
    refused = runs["polite", "express-two"].beyond
    assert refused.status_code == 429
    assert re.fullmatch(r'"20-in-5sec"; r=19; t=5, "60-in-50sec"; r=0; t=[23]\d', refused.headers["ratelimit"])
    assert 20 <= int(refused.headers["retry-after"]) <= 40


@pytest.mark.parametrize("name", [name for name, server in SERVERS.items() if server.site])
def test_the_front_page_links_to_all_pages_and_robots_txt_is_not_limited(name: str, runs) -> None:
    running = runs["greedy", name].running
    before = len(running.hits())
    with httpx.Client(base_url=running.url) as http:
        links = re.findall(r'href="/page/(\d+)"', http.get("/").text)
        assert [int(n) for n in links] == list(range(PAGES))
        for _ in range(30):
            answer = http.get("/robots.txt")
            assert (answer.status_code, words(answer)) == (404, {})
        page = http.get("/page/7")
        assert page.headers["content-type"].startswith("text/html")
        assert "This is page 7." in page.text
        assert http.get("/page/100").status_code == 404
    counts = running.stop(after=before)
    assert (counts.served, counts.refused, counts.other, counts.pages) == (1, 0, 1, {7})
    assert [hit.uri for hit in running.hits()[before:]].count("/robots.txt") == 30


@pytest.mark.parametrize(
    ("server", "pages", "seconds"),
    [
        (Server((), quotas=(Quota(20, 5.0),)), 20, 0.0),
        (Server((), quotas=(Quota(20, 5.0),)), 21, 5.0),
        (Server((), quotas=(Quota(20, 5.0),)), 100, 20.0),
        (Server((), quotas=(Quota(20, 5.0), Quota(60, 50.0))), 60, 10.0),
        (Server((), quotas=(Quota(20, 5.0), Quota(60, 50.0))), 61, 50.0),
        (Server((), quotas=(Quota(20, 5.0), Quota(60, 50.0))), 100, 55.0),
        (Server((), quotas=(Quota(20, 5.0),), refill="bucket"), 21, 0.25),
        (Server((), quotas=(Quota(20, 5.0),), refill="bucket"), 100, 20.0),
        (Server((), refill="counter"), 20, 0.0),
        (Server((), refill="counter"), 21, 5.25),
        (Server((), refill="counter"), 100, 25.0),
        (Server((), refuses=False, page_seconds=0.5), 20, 0.0),
        (Server((), refuses=False, page_seconds=0.5), 100, 5.0),
        (Server((), quotas=(), at_once=4, page_seconds=0.5), 5, 1.0),
        (Server((), quotas=(), at_once=4, page_seconds=0.5), 100, 12.5),
    ],
)
def test_the_shortest_time_for_a_number_of_pages(server: Server, pages: int, seconds: float) -> None:
    assert server.minimum(pages) == pytest.approx(seconds)


def test_a_server_that_cannot_start_raises_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVERS, "broken", Server(("flask_app.py", "no-such-strategy")))
    with (
        pytest.raises(RuntimeError, match=r"(?s)broken does not answer, exit code 1:.*no-such-strategy"),
        serving("broken"),
    ):
        pass


def test_all_servers_are_stopped_when_the_block_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError), serving("express-draft-8", "nginx-req", "slowapi") as everything:
        raise KeyError
    assert all(running.process.poll() is not None for running in everything)
    for running in everything:
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.url)


def test_missing_programs_name_the_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match="apt-get install nginx-light"), serving("nginx-req"):
        pass
    with pytest.raises(FileNotFoundError, match="apt-get install nodejs npm"), serving("express-draft-8"):
        pass
    with pytest.raises(FileNotFoundError, match="apt-get install haproxy"), serving("haproxy-429"):
        pass


def test_packages_are_installed_once_from_a_lock_file_without_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = json.loads((packages.NODE / "package-lock.json").read_text())
    installed = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"] and "resolved" not in entry for entry in installed.values())
    folder = packages.node_modules(tmp_path)
    assert {path.name for path in folder.glob("express*")} == {"express", "express-rate-limit", "express-slow-down"}
    monkeypatch.setattr(subprocess, "run", None)
    assert packages.node_modules(tmp_path) == folder
    assert len(list(tmp_path.iterdir())) == 1


def test_packages_of_python_are_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("# none\n")
    cache = tmp_path / "cache"
    folder = packages.python_packages(cache, tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    assert packages.python_packages(cache, tmp_path) == folder
    assert list(cache.iterdir()) == [folder]
