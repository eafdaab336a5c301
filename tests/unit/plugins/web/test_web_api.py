"""The JSON API of the web page."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trio
from crawler_plugins.web.web_api import make_app
from crawler_plugins.web.web_plugin import Web
from crawler_plugins.web.web_server import WebServer
from trio.testing import MockClock

from crawler import Crawl, Plugin, Request, Response, Settings, Spider, crawl
from crawler.monitor import lane_id, lane_of
from crawler.testing import FakeSite, Page

TOKEN = "a-token-of-the-tests"
HOST = "https://site.test"


class Walk(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(delay=1.0, obey_robots=False, attempts=1, headers={"X-Key": "s3cret"}, max_seconds=600)

    def parse(self, response: Response) -> Iterator[Any]:
        yield {"url": response.url, "nothing": ""}
        yield from response.follow_all("a")


def pages() -> dict[str, Any]:
    links = "".join(f"<a href=/{n}>x</a>" for n in range(40))
    return {"/": links, "/0": Page(status=500)} | {f"/{n}": "x" for n in range(1, 40)}


class Ask(Plugin):
    """Asks the API while the crawl runs; without a server."""

    def __init__(self, web: Web, *steps: tuple[float, str, str, Any]) -> None:
        self.web = web
        self.steps = steps
        self.answers: list[tuple[int, Any]] = []

    def lifespan(self, crawl: Crawl):
        crawl.start_soon(self.ask)
        return super().lifespan(crawl)

    async def ask(self) -> None:
        began = trio.current_time()
        transport = httpx.ASGITransport(make_app(self.web))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for at, method, path, body in self.steps:
                await trio.sleep_until(began + at)
                content = body if isinstance(body, bytes) else None
                values = None if content is not None else body
                response = await client.request(method, f"/api/{path}", json=values, content=content)
                self.answers.append((response.status_code, response.json()))


async def asked(*steps: tuple[float, str, str, Any]) -> tuple[list[tuple[int, Any]], Any]:
    web = Web(token=TOKEN)
    ask = Ask(web, *steps)
    report = await crawl(Walk(), plugins=[web, ask], transport=FakeSite(pages()).transport)
    return ask.answers, report


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time and sockets do not mix."""

    async def serve(self, app, listening, ended, *, task_status):
        listening.close()
        task_status.started()

    monkeypatch.setattr(WebServer, "_serve", serve)


async def test_each_address_has_its_answer(autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["snapshot", "history", "failures", "items", "pages?q=/3", "queue", "log", "settings", "job"]
    answers, _ = await asked(
        *((10.5, "GET", name, None) for name in names), (10.5, "GET", f"explain?url={HOST}/3", None)
    )
    assert {status for status, _ in answers} == {200}
    snapshot, history, failures, items, found, queue, _log, settings, job, facts = [value for _, value in answers]
    assert (snapshot["pages"], snapshot["failed"], snapshot["paused"]) == (10, 1, False)
    assert len(history) == 11
    assert failures["kinds"] == {"status_500": 1}
    assert failures["latest"][0]["url"] == f"{HOST}/0"
    assert (items["total"], items["fields"]) == (10, {"url": 10, "nothing": 0})
    assert [page["url"] for page in found] == [f"{HOST}/3"]
    assert (queue["host"], queue["requests"][0]["url"], queue["requests"][0]["depth"]) == (HOST, f"{HOST}/10", 1)
    assert "s3cret" not in str(settings)
    assert job == {"durable": False, "runs": []}
    assert (facts["found_on"], facts["is_known"], facts["page"]["status"]) == (f"{HOST}/", True, 200)
    assert f"?token={TOKEN}" in capsys.readouterr().err


async def test_actions_change_the_crawl(autojump_clock: MockClock) -> None:
    answers, report = await asked(
        (5.5, "POST", "exclude", {"pattern": "/1[0-9]"}),
        (5.6, "POST", "retry", {"kind": "status_500"}),
        (5.6, "POST", "retry", {"kind": "status_500"}),
        (6.0, "POST", "pace", {"lane": HOST, "delay": 2}),
        (7.0, "POST", "pause", {}),
        (100.0, "GET", "snapshot", None),
        (100.0, "POST", "resume", {}),
        (110.0, "POST", "pause", {"lane": HOST}),
        (200.0, "POST", "resume", {"lane": HOST}),
        (220.0, "POST", "stop", None),
    )
    assert {status for status, _ in answers} == {200}
    assert [value.get("retried") for _, value in answers[1:3]] == [1, 0]
    assert answers[5][1]["paused"] is True
    assert report.finished == "stopped on the web page"
    assert report.filtered["excluded"] == 10
    assert report.pages < 30


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "exclude", {"pattern": "("}, "is not a regular expression"),
        ("POST", "exclude", {"pattern": ""}, "pattern is empty"),
        ("POST", "exclude", {"pattern": 3}, "pattern must be a text"),
        ("POST", "exclude", b"[1]", "not a JSON object"),
        ("POST", "exclude", b"{", "not a JSON object"),
        ("POST", "pace", {"lane": "nosuch", "delay": 1}, "no requests of nosuch"),
        ("POST", "pace", {"lane": HOST, "delay": -1}, "delay"),
        ("POST", "pace", {"lane": HOST, "delay": "fast"}, "delay"),
        ("POST", "pace", {"lane": HOST, "concurrency": 0}, "per_host"),
        ("GET", "pages?most=x", None, "most must be a number"),
        ("GET", "pages?most=99999", None, "most must be a number"),
        ("GET", "explain?url=mailto:a@b", None, "mailto"),
        ("GET", "explain", None, "URL"),
    ],
)
async def test_a_call_that_cannot_be_fulfilled_says_why(
    autojump_clock: MockClock, method: str, path: str, body: Any, words: str
) -> None:
    [(status, value)], report = await asked((5.5, method, path, body))
    assert status == 400
    assert words in value["error"]
    assert report.finished == "finished"


async def test_lanes_with_odd_names_are_paused_and_listed_by_their_ids(autojump_clock: MockClock) -> None:
    name = "50% / \x1b[2J \u2028"

    class Odd(Spider):
        settings = Settings(obey_robots=False, delay=1.0)

        def start(self) -> Iterator[Request]:
            yield from (Request(f"{HOST}/{n}", lane=name) for n in range(40))

        def parse(self, response: Response) -> None:
            return None

    web = Web(token=TOKEN)
    lane = lane_id(name)
    ask = Ask(
        web,
        (5.5, "GET", "snapshot", None),
        (5.5, "POST", "pause", {"lane": lane}),
        (20.5, "GET", "snapshot", None),
        (20.5, "GET", f"queue?host={quote(lane)}", None),
        (20.5, "POST", "resume", {"lane": lane}),
    )
    await crawl(Odd(), plugins=[web, ask], transport=FakeSite(pages()).transport)
    (_, before), _, (_, after), (_, queue), _ = ask.answers
    assert [host["id"] for host in before["hosts"]] == [lane]
    assert lane.isascii()
    assert lane_of(lane) == name
    assert after["pages"] - before["pages"] <= 1
    assert (after["hosts"][0]["words"], len(queue["requests"])) == ("paused", queue["hosts"][0]["waiting"])
    assert queue["hosts"][0]["id"] == lane


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){20}"])
async def test_an_expression_that_would_take_forever_elsewhere_takes_no_time(pattern: str) -> None:
    web = Web(token=TOKEN)
    web.exclude(pattern)
    began = time.process_time()
    assert web.excludes(f"{HOST}/{'a' * 5000}!") == (pattern == "(.*a){20}")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "x{1,2000}", "\udc80"])
async def test_an_expression_without_linear_time_is_refused(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    web = Web(token=TOKEN)
    with pytest.raises(ValueError):
        web.exclude(pattern)
    assert web.excluded == {}
    assert capfd.readouterr() == ("", "")


async def test_a_large_body_is_refused(autojump_clock: MockClock) -> None:
    [(status, value)], _ = await asked((5.5, "POST", "exclude", b" " * 100_000))
    assert (status, value) == (413, {"error": "the body is too large"})


async def test_texts_that_utf8_does_not_have_are_shown(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(Walk):
        def parse(self, response: Response) -> Iterator[Any]:
            if response.url.endswith("/2"):
                raise ValueError("no file \udcff")
            if response.url.endswith("/3"):
                logging.getLogger("mine").warning("no file \udcff")
                yield {"field \udcff": 1}
            yield from super().parse(response)

    for handler in logging.getLogger().handlers:  # of pytest: workers of pytest-xdist cannot send such texts
        monkeypatch.setattr(handler, "level", logging.CRITICAL + 1)
    web = Web(token=TOKEN)
    ask = Ask(web, *((10.5, "GET", name, None) for name in ("failures", "log", "items", "snapshot")))
    await crawl(Odd(), plugins=[web, ask], transport=FakeSite(pages()).transport)
    assert [status for status, _ in ask.answers] == [200] * 4
    failures, records, items, _ = [value for _, value in ask.answers]
    assert "no file" in failures["latest"][0]["traceback"]
    assert "no file \udcff" in [record["text"] for record in records["records"]]
    assert "field \udcff" in items["fields"]
