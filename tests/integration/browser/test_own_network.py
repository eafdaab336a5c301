"""Chromium makes the requests of pages itself; their documents keep to the limits of the crawl."""

from __future__ import annotations

import itertools

import trio
from crawler_plugins.browser import Browser
from support.localsite import Answer, local_site

from crawler import Response, Settings, Spider, crawl

SHOP = """\
<title>x</title><div id=app></div>
<script>fetch("/api").then(r => r.text()).then(t => app.innerHTML = t)</script>"""
LINKS = "".join(f"<a href=/{number}>x</a>" for number in range(4)) + "<img src=/a.png><a href=/data>x</a>"


class Walk(Spider):
    """Follows the links of the front page."""

    settings = Settings(attempts=1, delay=0.6)

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.responses: dict[str, Response] = {}

    def parse(self, response: Response) -> object:
        self.responses[response.url.rpartition("/")[2]] = response
        yield from response.follow_all()


async def test_pages_are_rendered_and_documents_keep_their_pace() -> None:
    pages = {f"/{number}": f"<p>{number}" for number in range(4)} | {
        "/": Answer(SHOP, headers={"Set-Cookie": "sid=7; HttpOnly"}),
        "/api": LINKS,
        "/data": Answer('{"a": 1}', headers={"Content-Type": "application/json"}),
        "/robots.txt": "User-agent: *\nDisallow: /3",
    }
    with local_site(pages) as site:
        spider = Walk(start_urls=[site.url])
        with trio.fail_after(60):
            report = await crawl(spider, plugins=[Browser(network="own")])
    assert sorted(spider.responses) == ["", "0", "1", "2", "data"]
    assert (report.pages, report.failed, report.filtered) == (5, 0, {"robots": 1})
    assert spider.responses["0"].css("p::text").get() == "0"
    assert spider.responses[""].original.text == SHOP
    assert spider.responses["data"].json() == {"a": 1}
    documents = [asked for asked in site.log if asked.path in ("/", "/0", "/1", "/2", "/data")]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(documents)]
    assert min(gaps) >= 0.6 - 0.11
    assert [asked.headers.get("cookie") for asked in documents[1:]] == ["sid=7"] * 4
    assert site.asked("/a.png") == []
