"""`Fetcher`: one crawl for all pages that a prompt asks for."""

from __future__ import annotations

from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from support.localsite import Answer, local_site

from crawler import ConfigError, CrawlFailed, Plugin, Request, RequestError
from crawler.cli.configuration import Configuration
from crawler.cli.fetcher import Fetcher


def cookie(asked):
    """Return the cookie of a request, and set one."""
    return Answer(asked.headers.get("cookie") or "none", headers={"Set-Cookie": "visited=yes"})


@pytest.fixture
def site():
    with local_site({"/": cookie, "/away": Answer(status=302, headers={"Location": "/"})}) as site:
        yield site


def configuration(*settings: str) -> Configuration:
    """Return a configuration without the file and the environment of this process."""
    return Configuration.load(settings=settings, environment={})


def test_cookies_and_robots_txt_last_from_page_to_page(site):
    with Fetcher(configuration()) as fetcher:
        texts = [fetcher.fetch(Request(f"{site.url}away")).text for _ in range(2)]
    assert texts == ["none", "visited=yes"]
    assert [asked.path for asked in site.log] == ["/robots.txt", "/away", "/", "/away", "/"]


def test_nothing_begins_without_a_page():
    with Fetcher(configuration()) as fetcher:
        assert fetcher._thread is None


def test_a_page_can_be_fetched_by_code_that_runs_in_an_event_loop(site):
    async def code() -> int:
        await trio.lowlevel.checkpoint()
        return fetcher.fetch(Request(site.url)).status

    with Fetcher(configuration()) as fetcher:
        assert trio.run(code) == 200


def test_an_error_ends_neither_the_crawl_nor_the_prompt(site, capsys):
    with Fetcher(configuration("attempts=1")) as fetcher:
        with pytest.raises(RequestError, match="connection refused by 127.0.0.1:9"):
            fetcher.fetch(Request("http://127.0.0.1:9/"))
        assert fetcher.fetch(Request(f"{site.url}lost")).status == 404
    assert capsys.readouterr().err == f"crawler: {site.url}lost returned 404 Not Found\n"


def test_robots_txt_that_forbids_a_page_is_named_with_the_setting():
    forbids = local_site({"/robots.txt": "User-agent: *\nDisallow: /"})
    with (
        forbids as site,
        Fetcher(configuration()) as fetcher,
        pytest.raises(RequestError, match="obey_robots=false"),
    ):
        fetcher.fetch(Request(site.url))


def test_a_crawl_that_cannot_begin_says_why():
    class Broken(Plugin):
        name = "broken"

        @asynccontextmanager
        async def lifespan(self, crawl):
            raise ConfigError("broken is not configured")
            yield

    with Fetcher(attrs.evolve(configuration(), plugins=(Broken(),))) as fetcher:
        for _ in range(2):
            with pytest.raises(ConfigError, match="broken is not configured"):
                fetcher.fetch(Request("http://127.0.0.1:9/"))


def test_a_crawl_that_has_ended_says_so(site):
    with Fetcher(configuration()) as fetcher:
        fetcher.fetch(Request(site.url))
        fetcher._spider.token.run_sync_soon(fetcher._spider.crawl.stop, "closed")
        fetcher._thread.join()
        with pytest.raises(CrawlFailed, match="has ended"):
            fetcher.fetch(Request(site.url))
