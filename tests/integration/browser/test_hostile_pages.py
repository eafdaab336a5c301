"""Pages that do harm end at their limits, and others are rendered meanwhile."""

from __future__ import annotations

from typing import Any

import trio
from crawler_plugins.browser import Browser
from support.localsite import local_site

from crawler import Request, Response, Settings, Spider, crawl
from crawler.testing import FakeSite

LOOP = "<b>x</b><script>setTimeout(() => { while (true); }, 100)</script>"
BOMB = "<script>const all = []; setInterval(() => all.push(new Uint8Array(2e7).fill(1)), 10)</script>"
TREE = """\
<script>
setInterval(() => {
  for (let n = 0; n < 2e4; n++) document.body.append('x'.repeat(100), document.createElement('p'));
}, 10)
</script>
"""
GOOD = "<div id=app></div><script>app.innerHTML = '<b>drawn</b>'</script>"


class Visit(Spider):
    """Keeps what is drawn on each of its pages."""

    settings = Settings(attempts=1, obey_robots=False)

    def __init__(self, *requests: Request) -> None:
        super().__init__()
        self.requests = requests
        self.drawn: dict[str, str | None] = {}
        self.responses: list[Response] = []

    def start(self) -> Any:
        return list(self.requests)

    def parse(self, response: Response) -> None:
        self.responses.append(response)
        self.drawn[response.url] = response.css("b::text").get()


async def visit(pages: dict[str, str], *requests: Request, **options: Any) -> Any:
    spider = Visit(*requests)
    with trio.fail_after(120):
        report = await crawl(spider, plugins=[Browser(**options)], transport=FakeSite(pages).transport)
    return spider, report


async def test_a_script_without_an_end_is_stopped() -> None:
    requests = [
        Request("https://site.test/loop", plugins={"browser": {"wait": "5", "timeout": 4}}),
        *[Request(f"https://site.test/good?{number}") for number in range(5)],
    ]
    spider, report = await visit({"/loop": LOOP, "/good": GOOD}, *requests, tabs=2)
    assert report.kinds == {"request_error.browser_timeout": 1}
    assert list(spider.drawn.values()) == ["drawn"] * 5


async def test_a_memory_bomb_is_ended_and_the_others_are_rendered() -> None:
    requests = [
        Request("https://site.test/bomb", plugins={"browser": {"wait": "#never", "timeout": 60}}),
        *[Request(f"https://site.test/good?{number}") for number in range(5)],
    ]
    spider, report = await visit({"/bomb": BOMB, "/good": GOOD}, *requests, tabs=2, memory=900)
    assert report.kinds == {"request_error.browser_crash": 1}
    assert list(spider.drawn.values()) == ["drawn"] * 5


async def test_a_document_that_grows_without_end_fails_by_its_size() -> None:
    request = Request("https://site.test/tree", max_body=5_000_000, plugins={"browser": {"wait": "4"}})
    _, report = await visit({"/tree": TREE}, request, memory=2000)
    assert report.failures in ({"body_too_large": 1}, {"request_error": 1})


async def test_a_page_reaches_no_service_of_this_machine() -> None:
    """A page of a public host cannot; a start page on loopback opens loopback alone."""
    with local_site({"/secret": "<b>secret</b>"}) as service:
        probe = (
            "<div id=app>.</div><script>"
            f"fetch('{service.url}secret', {{mode: 'no-cors'}}).then(() => app.innerHTML = '<b>reached</b>')"
            ".catch(() => app.innerHTML = '<b>refused</b>');"
            f"new WebSocket('{service.url.replace('http', 'ws')}secret');"
            f"new Image().src = '{service.url}secret'; navigator.sendBeacon('{service.url}secret');"
            f"document.body.append(Object.assign(document.createElement('iframe'), {{src: '{service.url}secret'}}))"
            "</script>"
        )
        with local_site({"/": probe.replace(service.url, service.url.replace("127.0.0.1", "10.255.255.1"))}) as start:
            spider = Visit(Request(start.url))
            with trio.fail_after(60):
                report = await crawl(spider, plugins=[Browser()])
        assert list(spider.drawn.values()) == ["refused"]
        assert report.filtered["network"] >= 2
        spider = Visit(Request("https://public.test/"))
        report = await crawl(spider, plugins=[Browser()], transport=FakeSite({"https://public.test/": probe}).transport)
        assert service.log == []
