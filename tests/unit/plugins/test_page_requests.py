"""`PageRequests`: what the crawl sends for a page. `test_browser_plugin` has whole crawls."""

from __future__ import annotations

import base64
from typing import Any

import attrs
import pytest
import trio
from crawler_plugins.browser.assets import Assets
from crawler_plugins.browser.cdp import CommandFailed
from crawler_plugins.browser.page_options import PageOptions
from crawler_plugins.browser.page_requests import MAX_REQUESTS, PIXEL, PageRequests
from crawler_plugins.browser.stopwatch import Stopwatch
from crawler_plugins.browser.tab import Paused, TabOptions

from crawler import BrokenExchange, ConnectFailed, FetchTimeout, Refused, Request, RequestError, Response

PAGE = Request(
    "https://site.test/page", session="s", cookies={"given": "1"}, auth=("alice", "x"), proxy="http://proxy.test:1",
    lane="own", plugins={"warc": False},
)  # fmt: skip


OPTIONS = TabOptions(user_agent="", locale="", viewport=(1, 1))


class Peer:
    """The connection of a tab."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.rejects = False

    def post(self, method: str, session: str, **params: Any) -> None:
        self.answers.append(params)

    async def call(self, method: str, session: str, **params: Any) -> None:
        if self.rejects:
            raise CommandFailed("Invalid header")
        self.answers.append(params)


@attrs.define
class FakeTab:
    connection: Peer = attrs.field(factory=Peer)
    target: str = "main"
    options: TabOptions = OPTIONS

    def note_request(self, change: int) -> None:
        pass


class FakeCrawl:
    """Answers each request with `result`."""

    def __init__(self, result: Response | Exception) -> None:
        self.result = result
        self.requests: list[Request] = []
        self.counts: dict[str, int] = {}
        self.control = self

    def clock(self) -> float:
        return 0.0

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def explain(self, url: str) -> Any:
        return attrs.make_class("Facts", ["refused_by"])("scope" if "elsewhere" in url else None)

    async def fetch(self, request: Request) -> Response:
        self.requests.append(request)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def event(url: str = "https://site.test/api", kind: str = "XHR", frame: str = "inner", **asked: Any) -> Paused:
    request = {"url": url, "method": "GET", "headers": {"Accept": "*/*"}} | asked
    return Paused("tab", {"requestId": "1", "request": request, "resourceType": kind, "frameId": frame})


async def answers(*events: Paused, result: Response | Exception | None = None, **options: Any) -> Any:
    """Return the answers that the browser gets, and the crawl."""
    crawl = FakeCrawl(Response("https://site.test/api", body="x") if result is None else result)
    document = Response("https://site.test/page", headers={"Content-Encoding": "gzip"}, body="<p>", request=PAGE)
    tab = FakeTab()
    requests = PageRequests(
        crawl,
        tab,
        document,
        PageOptions().changed(options),
        Assets(crawl.clock),
        Stopwatch(),  # type: ignore[arg-type]
    )
    send, receive = trio.open_memory_channel[Paused](len(events))
    with send:
        for one in events:
            send.send_nowait(one)
    await requests.run(receive)
    return tab.connection.answers, crawl


async def test_the_document_is_that_of_the_crawl() -> None:
    [answer], crawl = await answers(event("https://site.test/page", "Document", "main"))
    assert (answer["responseCode"], base64.b64decode(answer["body"]), answer["responseHeaders"]) == (200, b"<p>", [])
    assert crawl.requests == []


async def test_a_request_has_the_fields_of_the_browser_and_the_identity_of_the_page() -> None:
    fields = {
        "Accept": "*/*",
        "X-Token": "7",
        "User-Agent": "Chrome",
        "Cookie": "js=1",
        "Referer": "https://site.test/",
    }
    body = [{"bytes": base64.b64encode(b"a=1").decode()}, {"bytes": base64.b64encode(b"&b=2").decode()}]
    _, crawl = await answers(event(method="POST", headers=fields, postDataEntries=body))
    [request] = crawl.requests
    assert (request.method, request.body, request.session, request.lane) == ("POST", b"a=1&b=2", "s", "own")
    assert request.headers["x-token"] == "7"
    assert request.headers["cookie"] == "js=1; given=1"
    assert "user-agent" not in request.headers, "it is a setting of the crawl"
    assert request.proxy == "http://proxy.test:1"
    assert request.plugins == {"warc": False}


async def test_other_origins_get_no_credentials_of_the_page() -> None:
    _, crawl = await answers(event("https://cdn.test/a", postData="text", method="POST"))
    [request] = crawl.requests
    assert (request.auth, dict(request.cookies), request.lane, request.body) == (None, {}, None, b"text")


@pytest.mark.parametrize(
    "paused",
    [
        event("chrome-extension://x/"),
        event(kind="EventSource"),
        event("https://elsewhere.test/", "Document", "main"),
        event("https://site.test/a.woff", "Font"),
    ],
)
async def test_blocked_requests_get_no_response(paused: Paused) -> None:
    first = event("https://site.test/page", "Document", "main")
    [_, answer], crawl = await answers(first, paused)
    assert answer["errorReason"] == "BlockedByClient"
    assert crawl.requests == []


async def test_blocked_images_and_styles_are_empty() -> None:
    icon = event("https://site.test/favicon.ico", "Other", headers={"Accept": "image/avif,*/*"})
    [image, style, _], crawl = await answers(
        event(kind="Image"), event(kind="Stylesheet"), icon, block=["image", "stylesheet"]
    )
    assert base64.b64decode(image["body"]) == PIXEL
    assert (style["responseCode"], style["body"]) == (200, "")
    assert crawl.counts == {"browser/blocked": 3}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused("no", by="robots"), "BlockedByClient"),
        (FetchTimeout("late"), "TimedOut"),
        (ConnectFailed("refused"), "ConnectionFailed"),
        (BrokenExchange("cut"), "Failed"),
        (RequestError("no"), "Failed"),
    ],
)
async def test_a_page_gets_the_error_of_its_request(error: Exception, reason: str) -> None:
    [answer], _ = await answers(event(), result=error)
    assert answer["errorReason"] == reason


async def test_a_page_that_makes_requests_without_end_is_stopped() -> None:
    found, crawl = await answers(*[event(f"https://site.test/{number}") for number in range(MAX_REQUESTS + 5)])
    assert len(crawl.requests) == MAX_REQUESTS
    assert sum("errorReason" in answer for answer in found) == 5


async def test_fields_that_the_protocol_cannot_carry_are_left_out() -> None:
    response = Response("https://site.test/api", 999, [("Good", "1"), ("Bad name", "2"), ("Transfer-Encoding", "x")])
    [answer], _ = await answers(event(), result=response)
    assert answer["responseHeaders"] == [{"name": "Good", "value": "1"}]
    assert answer["responseCode"] == 200


async def test_a_request_that_cannot_be_made_fails() -> None:
    [answer], crawl = await answers(event(headers={"Bad\nname": "x"}))
    assert answer["errorReason"] == "Failed"
    assert crawl.requests == []
