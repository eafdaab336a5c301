"""`Browser`: whole crawls in virtual time with a browser in memory. `tests/integration/browser` has a real one."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from crawler_plugins.browser import Browser
from crawler_plugins.browser.browser_plugin import parse_viewport
from support.cases import each
from support.fake_chromium import FakeBrowser
from support.quotaserver import QuotaServer
from support.trees import FREE
from trio.testing import MockClock

from crawler import ConfigError, Plugin, Request, Response, Settings, Spider, crawl
from crawler.testing import Collected, FakeSite, Page, collect

APP = "<title>shop</title>\nGET /api\n"
SITE = {"/": APP, "/api": Page("<b>two</b>")}


class One(Spider):
    """Keeps the responses to its requests."""

    settings = Settings(attempts=1) | FREE

    def __init__(self, *requests: Request, **options: Any) -> None:
        super().__init__(**options)
        self.requests = requests or (Request("https://site.test/"),)
        self.responses: list[Response] = []

    def start(self) -> Any:
        return list(self.requests)

    def parse(self, response: Response) -> Any:
        self.responses.append(response)
        yield {"url": response.url}


async def render(pages: dict[str, Any], *requests: Request, settings: Settings | None = None, **options: Any) -> Any:
    """Return the responses, the report, the site and the plugin of a crawl."""
    spider, site, plugin = One(*requests), FakeSite(pages), FakeBrowser(**options)
    collected: Collected = await collect(spider, site, settings=settings, plugins=[plugin])
    return spider.responses, collected.report, site, plugin


def to(path: str = "/", **options: Any) -> Request:
    return Request(f"https://site.test{path}", plugins={"browser": options})


async def test_the_body_is_the_document_after_its_requests(autojump_clock: MockClock) -> None:
    [response], report, site, plugin = await render(SITE)
    assert response.css("b::text").get() == "two"
    assert (response.source, response.status, response.encoding) == ("browser", 200, "utf-8")
    assert response.original.text == APP
    assert response.original.source == "network"
    assert (report.pages, report.requests) == (1, 2), "the document, and the request of the page"
    assert report.counters == {"browser/requests": 1, "browser/pages": 1}
    assert len(site.visits("/api")) == 1
    assert [tab.is_open for tab in plugin.started[0].tabs.values()] == [True]


async def test_a_response_that_is_not_a_page_is_not_rendered(autojump_clock: MockClock) -> None:
    pages = {"/data": Page({"a": 1}), "/error": Page("<p>no", 404), "/": "<p>x", "/robots.txt": "<p>no robots here"}
    requests = [
        to("/data"),
        to("/error").replace(accept_status=[404]),
        Request("https://site.test/", plugins={"browser": False}),
    ]
    responses, _, _, plugin = await render(pages, *requests)
    assert sorted(response.source for response in responses) == ["browser", "network", "network"]
    assert plugin.started[0].commands("Target.createTarget") == [
        {"url": "about:blank", "browserContextId": "context 1"}
    ]


async def test_only_pages_that_ask_for_it_are_rendered(autojump_clock: MockClock) -> None:
    pages = {"/": "<p>x", "/asks": "<p>y"}
    responses, _, _, _ = await render(pages, Request("https://site.test/"), to("/asks"), every="asked")
    assert sorted(response.source for response in responses) == ["browser", "network"]


async def test_only_pages_that_need_it_are_rendered(autojump_clock: MockClock) -> None:
    pages = {"/has": "<b>one</b>", "/lacks": APP, "/api": "<b>two</b>"}
    requests = [Request("https://site.test/has"), Request("https://site.test/lacks")]
    responses, _, _, _ = await render(pages, *requests, every="needed", wait="b")
    assert {response.url[-4:]: response.source for response in responses} == {"/has": "network", "acks": "browser"}


async def test_a_host_whose_pages_do_not_need_it_is_no_longer_rendered(autojump_clock: MockClock) -> None:
    requests = [Request(f"https://site.test/{number}") for number in range(60)]
    pages = {f"/{number}": "<p>x" for number in range(60)}
    settings = Settings(per_host=1)
    responses, report, _, _ = await render(pages, *requests, every="needed", wait="b", settings=settings)
    assert len(responses) == 60
    assert report.counters["browser/pages"] == 5 + 1
    assert report.failed == 0


async def test_requests_of_a_page_obey_robots_txt(autojump_clock: MockClock) -> None:
    pages = SITE | {"/robots.txt": "User-agent: *\nDisallow: /api"}
    [response], report, site, _ = await render(pages, settings=Settings(obey_robots=True))
    assert "BlockedByClient" in response.text
    assert site.visits("/api") == []
    assert report.counters["browser/refused"] == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/", "http://10.0.0.1/", "http://169.254.169.254/latest/"])
async def test_requests_of_a_page_to_other_networks_are_refused(address: str, autojump_clock: MockClock) -> None:
    # The transport of this test connects to nothing, so the guard is asked as libcurl asks it.
    def guarded(request: httpx.Request) -> Page:
        guard = request.extensions["crawler"].address_guard
        guard.check(request.url.host, (request.url.host,))
        return Page("reached")

    pages = {"/": f"<p>\nGET {address}", address: guarded}
    [response], report, _, _ = await render(pages)
    assert "BlockedByClient" in response.text
    assert report.filtered == {"network": 1}


@pytest.mark.parametrize("settings", [Settings(per_host=1), Settings(delay=10.0), Settings(per_host=1, delay=2.0)])
async def test_requests_of_pages_keep_to_the_limits_of_their_host(
    settings: Settings, autojump_clock: MockClock
) -> None:
    requests = "".join(f"GET /api?{number}\n" for number in range(5))
    pages = {f"/{page}": f"<p>\n{requests}" for page in range(3)} | {"/api": Page("<b>x</b>", delay=0.5)}
    spider = [Request(f"https://site.test/{page}") for page in range(3)]
    responses, _, site, _ = await render(pages, *spider, settings=settings)
    assert [len(response.css("b")) for response in responses] == [5, 5, 5]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(site.log)]
    assert min(gaps) >= (settings.delay or 0.0) - 1e-6
    if settings.per_host == 1:
        assert site.peak["https://site.test"] == 1


async def test_a_page_without_limits_makes_requests_at_once(autojump_clock: MockClock) -> None:
    requests = "".join(f"GET /api?{number}\n" for number in range(6))
    pages = {"/": f"<p>\n{requests}", "/api": Page("x", delay=1.0)}
    settings = Settings(slow_start=False, per_host=4)
    _, _, site, _ = await render(pages, settings=settings)
    assert site.peak["https://site.test"] == 4


async def test_scripts_are_requested_once_for_many_pages(autojump_clock: MockClock) -> None:
    pages = {f"/{page}": "<p>\nSCRIPT /app.js" for page in range(4)} | {"/app.js": Page("run()")}
    responses, report, site, _ = await render(pages, *[to(f"/{page}") for page in range(4)], tabs=1)
    assert len(responses) == 4
    assert len(site.visits("/app.js")) == 1
    assert report.counters["browser/kept"] == 3


async def test_images_are_not_requested_unless_a_picture_is_taken(autojump_clock: MockClock) -> None:
    pages = {"/": "<p>\nIMAGE /a.png", "/a.png": Page(b"png", headers={"Content-Type": "image/png"})}
    [response], report, site, _ = await render(pages)
    assert (site.visits("/a.png"), report.counters["browser/blocked"]) == ([], 1)
    assert (response.screenshot, response.pdf) == (None, None)
    [response], _, site, _ = await render(pages, to(screenshot=True, pdf=True))
    assert len(site.visits("/a.png")) == 1
    assert (response.screenshot, response.pdf) == (b"png", b"pdf")
    assert response.replace(status=201).screenshot == b"png"


async def test_cookies_reach_the_page_and_come_back(autojump_clock: MockClock) -> None:
    login = Page("<p>\nGET /api\nCOOKIE theme=dark", headers={"Set-Cookie": "sid=7; HttpOnly; Path=/"})
    pages = {"/login": login, "/after": "<p>x", "/api": "x"}
    _, _, site, plugin = await render(pages, to("/login"), to("/after"), settings=Settings(per_host=1))
    [given, *_] = plugin.started[0].commands("Storage.setCookies")
    assert [(cookie["name"], cookie["httpOnly"]) for cookie in given["cookies"]] == [("sid", True)]
    assert site.visits("/api")[0].headers["cookie"] == "sid=7"
    assert site.visits("/after")[0].headers["cookie"] == "sid=7; theme=dark"


async def test_sessions_have_contexts_of_their_own(autojump_clock: MockClock) -> None:
    requests = [to().replace(session=name, dont_filter=True) for name in ("a", "b", "a")]
    _, report, _, plugin = await render({"/": "<p>x"}, *requests)
    assert report.pages == 3
    made, disposed = (plugin.started[0].commands(f"Target.{verb}BrowserContext") for verb in ("create", "dispose"))
    assert len(made) - len(disposed) == 2, "two pages that start together may make one each; one of them is kept"


async def test_wrong_options_of_a_request_fail_it(autojump_clock: MockClock) -> None:
    _, report, site, _ = await render(
        {"/": "<p>x", "/2": "<p>x"}, to(wait=""), Request("https://site.test/2", plugins={"browser": "yes"})
    )
    assert report.failures == {"hook_error": 2}
    assert site.visits("/") == []


async def test_answers_of_other_plugins_are_rendered_too(autojump_clock: MockClock) -> None:
    class Archive(Plugin):
        async def answer(self, request: Request) -> Response | None:
            if request.url.endswith("robots.txt"):
                return None
            return Response(
                request.url,
                headers={"Content-Type": "text/html"},
                body=APP if request.url == "https://site.test/" else "<b>old</b>",
            )

    spider, site, plugin = One(), FakeSite({}), FakeBrowser()
    await collect(spider, site, plugins=[plugin, Archive()])
    assert spider.responses[0].css("b::text").get() == "old"
    assert site.log == []


async def test_the_language_is_sent_with_the_document(autojump_clock: MockClock) -> None:
    _, _, site, plugin = await render({"/": "<p>x"}, locale="de-DE")
    assert site.visits("/")[0].headers["accept-language"] == "de-DE"
    assert plugin.started[0].commands("Emulation.setLocaleOverride") == [{"locale": "de-DE"}]


@each(
    ("options", "words"),
    [
        ({"wait": "js:"}, "wait must be"),
        ({"actions": ("fly",)}, "no such action"),
        ({"block": ("pictures",)}, "neither a pattern"),
        ({"timeout": 0.0}, "timeout must be"),
        ({"tabs": 0}, "tabs must be from 1 to 64"),
        ({"memory": 1}, "memory must be at least 500"),
        ({"every": "some"}, "every must be"),
        ({"every": "needed"}, "needs a CSS selector"),
        ({"viewport": "800"}, "viewport must be"),
        ({"locale": "de_DE!"}, "locale must be"),
        ({"executable": "/no/such/browser"}, "no such program"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Browser(**({"executable": "/bin/sh"} | options))


def test_a_viewport_is_two_sizes() -> None:
    assert parse_viewport("800x600") == (800, 600)
    for text in ("", "x", "800x", "0x10", "800x600x2", "99999x1", "aXb"):
        with pytest.raises(ValueError, match="1280x800"):
            parse_viewport(text)


async def test_a_page_with_a_declared_quota_is_never_refused(autojump_clock: MockClock) -> None:
    """Requests of pages count in the quota of their host: its server sees no more than it allows."""

    def body(request: httpx.Request) -> bytes:
        path = request.url.path
        return b"<b>x</b>" if path == "/api" else b"<p>\n" + b"".join(b"GET /api?%d\n" % n for n in range(4))

    class Shop(QuotaServer):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            response = await super().__call__(request)
            fields = [*response.headers.items(), ("Content-Type", "text/html")]
            kept = [(name, value) for name, value in fields if name.lower() != "content-length"]
            return httpx.Response(response.status_code, headers=kept, content=body(request))

    server = Shop(limit=10, window=60.0)
    spider = One(*[to(f"/{number}") for number in range(12)])
    transport = httpx.MockTransport(server)
    await crawl(spider, transport=transport, plugins=[FakeBrowser()], settings=Settings(attempts=3))
    assert [len(response.css("b")) for response in spider.responses] == [4] * 12
    assert (len(server.served), server.refused) == (60, [])
