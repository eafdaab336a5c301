"""What the web page keeps, in bounded memory."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from crawler_plugins.web.observer import MAX_FAILURES, MAX_ITEMS, MAX_LINKS, MAX_PAGES, POINTS, Observer, Recorder
from crawler_plugins.web.web_plugin import Web
from crawler_plugins.web.web_server import WebServer
from trio.testing import MockClock

from crawler import Response, Settings, Spider, crawl
from crawler.testing import FakeSite

TOKEN = "a-token-of-the-tests"
HOST = "https://site.test"


class One(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None:
        return None


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time and sockets do not mix."""

    async def serve(self, app, listening, ended, *, task_status):
        listening.close()
        task_status.started()

    monkeypatch.setattr(WebServer, "_serve", serve)


async def test_memory_is_bounded(autojump_clock: MockClock) -> None:
    web = Web(token=TOKEN)
    await crawl(One(), plugins=[web], transport=FakeSite({"/": "x"}).transport)
    observer: Observer = web.observer
    response = Response(f"{HOST}/", 200, [], b"x")
    for n in range(MAX_LINKS + 5):
        observer.note_request(response.follow(f"/{n}"))
    for _ in range(MAX_PAGES + 5):
        observer.note_page(response)
        observer.note_item({f"field {len(observer.items)}": object()}, response)
    for _ in range(3 * POINTS):
        observer._drawn = 0.0
        observer.snapshot(0)
    assert (len(observer.pages), len(observer.items), len(observer._found_on)) == (MAX_PAGES, MAX_ITEMS, MAX_LINKS)
    assert len(observer.points) <= POINTS
    assert len(observer._requests) <= MAX_FAILURES


def test_a_record_whose_arguments_do_not_fit_does_not_stop_the_code_that_logs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept: list[object] = []
    recorder = Recorder(SimpleNamespace(records=kept))
    for value in ("no", 1):
        recorder.handle(logging.LogRecord("mine", logging.WARNING, "mine.py", 1, "%d pages", (value,), None))
    assert [record["text"] for record in kept] == ["1 pages"]
    assert "--- Logging error ---" in capsys.readouterr().err


async def test_observed_requests_have_no_secrets(autojump_clock: MockClock) -> None:
    class Secret(One):
        start_urls = [f"{HOST}/?api_key=s3cret", f"{HOST}/bad?api_key=s3cret"]

        def parse(self, response: Response):
            yield {"a": 1}
            yield response.follow("/next")
            if "bad" in response.url:
                raise ValueError("https://x.test/?token=s3cret")

    web = Web(token=TOKEN)
    pages = {"/?api_key=s3cret": "x", "/bad?api_key=s3cret": "x", "/next": "x"}
    await crawl(Secret(), plugins=[web], transport=FakeSite(pages).transport)
    kept = web.observer
    assert (len(kept.pages), len(kept.failures), bool(kept.records), len(kept.items)) == (2, 1, True, 2)
    assert kept.found_on(f"{HOST}/next") == f"{HOST}/?api_key=***"
    assert "s3cret" not in str([kept.pages, kept.failures, kept.records, kept.items])
