"""``crawler top``: the live view of a crawl that runs elsewhere."""

from __future__ import annotations

import msgspec
import pytest
from crawler_plugins.web.top import _JobSource, _PageSource
from support.localsite import Answer, local_site

from crawler import client
from crawler.errors import ConfigError

SPIDER = """\
from crawler import Settings, Spider

class Walk(Spider):
    settings = Settings(max_pages=2)
    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all("a")
"""


@pytest.fixture
def job(command, tmp_path):
    """The folder of a job that is not finished."""
    (tmp_path / "walk.py").write_text(SPIDER)
    with local_site({"/": "<a href=/1>x</a><a href=/2>x</a><a href=/3>x</a>", "/1": "x", "/2": "x", "/3": "x"}) as site:
        assert (
            command("run", "walk.py", "-a", f'start_urls=["{site.url}"]', "--job", "walk.job", "-s", "workers=1")[0]
            == 0
        )
    return tmp_path / "walk.job"


async def test_a_job_shows_its_counts(command, job):
    code, out, err = command("top", "walk.job", "--once")
    assert (code, err) == (0, "")
    assert out.startswith("2 pages · 0.0/s · 2 items · 0 in flight · 2 waiting")
    snapshot = await _JobSource(job).next()
    assert [(host.words, host.waiting) for host in snapshot.hosts] == [("2 waiting", 2)]


@pytest.mark.parametrize("source", ["nosuch.job", "."])
def test_a_folder_that_is_not_a_job_is_one_line(command, source):
    code, out, err = command("top", source)
    assert (code, out, err.count("\n")) == (2, "", 1)


SNAPSHOT = {
    "time": 1.0, "seconds": 61, "spider": "walk", "stopping": None, "pages": 7, "items": 6, "requests": 9, "retries": 0,
    "failed": 0, "filtered": 0, "body_bytes": 1, "pages_per_second": 2.5, "average": 2.5, "bytes_per_second": 1,
    "in_flight": 1, "waiting": 3, "next_start": None, "seconds_left": 2, "network_down_since": None, "down": [],
    "hosts": [], "host_count": 0, "statuses": {"200": 7}, "problems": [], "paused": False,
}  # fmt: skip


def test_a_web_page_is_shown(command):
    page = Answer(msgspec.json.encode(SNAPSHOT).decode(), headers={"Content-Type": "application/json"})
    with local_site({"/api/snapshot": page}) as site:
        code, out, err = command("top", f"{site.url}?token=abcdefgh", "--once")
    assert (code, err) == (0, "")
    assert out == "7 pages · 2.5/s · 6 items · 1 in flight · 3 waiting · 1:01\n"


async def test_the_crawl_of_a_web_page_has_ended_when_it_is_gone():
    async with client(attempts=1) as http:
        page = Answer(msgspec.json.encode(SNAPSHOT).decode(), headers={"Connection": "close"})
        with local_site({"/api/snapshot": page}) as site:
            source = _PageSource(site.url, http)
            assert (await source.next()).pages == 7
        assert await source.next() is None


async def refusal(url: str) -> str:
    async with client(attempts=1) as http:
        with pytest.raises(ConfigError) as caught:
            await _PageSource(url, http).next()
    return str(caught.value)


async def test_a_url_that_is_not_the_web_page_of_a_crawl_is_one_line():
    with local_site({"/api/snapshot": Answer("no", 403)}) as site:
        assert "returned 403: use the whole address that run --ui printed" in await refusal(site.url)
    for body in ("{}", "<html>"):
        with local_site({"/api/snapshot": body}) as site:
            assert "of this version" in await refusal(site.url)
    for url in ("http://127.0.0.1:9/?token=s3cret", "ftp://a.test/", "http://[/"):
        assert "s3cret" not in await refusal(url)
