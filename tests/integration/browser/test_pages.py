"""Each page of the site gives what a person sees, through a real Chromium without a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from crawler_plugins.browser import Browser
from integration.browser.site import HOST, SEEN, site

from crawler import Report, Request, Response, Settings, Spider, crawl


class Visitor(Spider):
    """Renders each page of the site as `SEEN` says."""

    settings = Settings(attempts=1, max_redirects=3)

    def __init__(self) -> None:
        super().__init__()
        self.responses: dict[str, Response] = {}

    def start(self) -> Iterator[Request]:
        for path, seen in SEEN.items():
            yield Request(HOST + path, session=path, plugins={"browser": seen.options}, meta={"path": path})

    def parse(self, response: Response) -> None:
        self.responses[response.meta["path"]] = response


@pytest.fixture(scope="module")
def crawled() -> tuple[dict[str, Response], Report]:
    async def main() -> Report:
        with trio.fail_after(120):
            return await crawl(visitor, plugins=[Browser(tabs=4)], transport=site().transport)

    visitor = Visitor()
    return visitor.responses, trio.run(main)


def absolute(path: str) -> str:
    return HOST + path if path.startswith("/") else path


@pytest.mark.parametrize("path", SEEN)
def test_a_rendered_page_has_its_visible_content(path: str, crawled: Any) -> None:
    responses, report = crawled
    assert path in responses, report.failures
    response, seen = responses[path], SEEN[path]
    text = response.css("html").get() or ""
    body = " ".join(response.css("body").xpath("string()").get().split())
    assert [wanted for wanted in seen.texts if wanted not in body] == [], text
    links = response.hrefs()
    assert [link for link in seen.links if absolute(link) not in links] == [], text
    assert response.url == absolute(seen.url or path)
    assert response.source == "browser"
    assert response.original is not None
    assert response.original.source == "network"
