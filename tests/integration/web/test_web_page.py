"""The web page of a crawl, in a real browser: what it shows changes with the crawl, and its controls work."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from integration.rate_limiters.packages import node_modules
from integration.web.browser import Browser, browser
from integration.web.site import ManyPages

TOKEN = "a-token-of-the-tests"
VIEWS = ("overview", "hosts", "failures", "items", "pages", "queue", "job", "log")
SPIDER = """\
from crawler import Settings, Spider


class Walk(Spider):
    settings = Settings(attempts=1, delay=0.02, max_seconds=300)

    def parse(self, response):
        yield {"url": response.url, "title": response.css("title::text").get(), "empty": ""}
        yield from response.follow_all("a")
"""


class Crawl:
    """A crawl with a web page, in a process of its own."""

    def __init__(self, folder: Path, site: str) -> None:
        (folder / "walk.py").write_text(SPIDER)
        command = [
            sys.executable, "-m", "crawler", "run", "walk.py", "-a", f'start_urls=["{site}"]', "-p", "web",
            "-P", f"web.token={TOKEN}", "-o", "items.jsonl", "--quiet",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.url = next(found[1] for line in self.process.stderr if (found := re.search(r"(http://\S+)/\?token", line)))

    def api(self, path: str) -> object:
        return httpx.get(f"{self.url}/api/{path}", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False).json()

    def pages(self) -> int:
        return self.api("snapshot")["pages"]  # type: ignore[index]

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def site() -> Iterator[ManyPages]:
    with ManyPages() as site:
        yield site


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as window:
        yield window


@pytest.fixture
def crawl(tmp_path: Path, site: ManyPages) -> Iterator[Crawl]:
    crawl = Crawl(tmp_path, site.url)
    try:
        yield crawl
    finally:
        crawl.end()


@pytest.fixture
def page(crawl: Crawl, window: Browser) -> Browser:
    window.resize(1200, 900)
    window.prefer("light")
    window.open(f"{crawl.url}/?token={TOKEN}")
    window.wait_for_text("running")
    return window


def number(page: Browser, name: str) -> int:
    """Return the number on a tile of the overview."""
    script = "return [...document.querySelectorAll('.tile')].find(t => t.lastChild.textContent === arguments[0])"
    text = page.run(f"{script}?.firstChild.textContent ?? ''", name)
    return int(str(text).replace(",", "") or 0)


def test_the_page_updates_when_the_state_of_the_crawl_changes(page: Browser) -> None:
    first = page.wait(lambda: number(page, "pages"), "no pages")
    page.wait(lambda: number(page, "pages") > first, "the number of pages does not change")
    page.wait(lambda: page.run("return document.querySelectorAll('.plot canvas').length") == 4, "no plots")
    assert "token" not in page.call("GET", "url"), "the token stays out of the history of the browser"


def test_another_page_in_the_same_browser_ends_no_session(
    page: Browser, crawl: Crawl, site: ManyPages, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Crawl(tmp_path / "other", site.url)
    try:
        page.open(f"{other.url}/?token={TOKEN}")
        page.wait_for_text("running", "#state")
        for address in (crawl.url, other.url):
            page.open(f"{address}/")
            page.wait_for_text("running", "#state")
    finally:
        other.end()


def test_pause_really_pauses_and_resume_resumes(page: Browser, crawl: Crawl) -> None:
    page.wait(crawl.pages, "no pages")
    page.click("#pause")
    page.wait_for_text("paused", "#state")
    page.wait(lambda: crawl.api("snapshot")["in_flight"] == 0, "requests stay in flight")  # type: ignore[index]
    before = crawl.pages()
    time.sleep(1.0)
    assert crawl.pages() == before
    page.click("#pause")
    page.wait_for_text("running", "#state")
    page.wait(lambda: crawl.pages() > before, "the crawl does not go on")


def test_a_host_is_paused_and_its_pace_is_changed(page: Browser, crawl: Crawl) -> None:
    page.open(f"{crawl.url}/#hosts")
    page.wait(lambda: page.run("return document.querySelectorAll('tbody button').length"), "no hosts")
    page.click("tbody button")
    page.wait_for_text("paused", "main")
    page.click("tbody button")
    page.wait(lambda: "paused" not in page.text("main"), "the host stays paused")
    page.click("tbody summary")
    page.type("input[name=delay]", "7")
    page.click("tbody form button")
    page.wait_for_text("is changed", "#message")
    assert crawl.api("snapshot")["hosts"][0]["delay"] == 7.0  # type: ignore[index]


def test_failures_items_pages_queue_and_log_are_shown(page: Browser, crawl: Crawl) -> None:
    page.wait(lambda: crawl.api("failures")["latest"], "no failures")  # type: ignore[index]
    expected = {
        "failures": "status_500", "items": "empty", "pages": "/1", "queue": "Next requests of", "job": "kept in memory",
        "log": "The latest records",
    }  # fmt: skip
    for view, text in expected.items():
        page.open(f"{crawl.url}/#{view}")
        page.wait_for_text(text, "main")


def test_a_url_is_explained_and_a_pattern_excluded(page: Browser, crawl: Crawl, site: ManyPages) -> None:
    page.wait(lambda: crawl.pages() > 3, "no pages")
    page.open(f"{crawl.url}/#pages")
    page.wait_for_text("Explain", "main")
    page.type("input[name=url]", f"{site.url}1")
    page.run("document.querySelector('input[name=url]').form.requestSubmit()")
    page.wait_for_text(f"found on\n{site.url}", "#explained")
    page.open(f"{crawl.url}/#queue")
    page.wait_for_text("Exclude", "main")
    page.type("input[name=pattern]", "/never-")
    page.run("document.querySelector('input[name=pattern]').form.requestSubmit()")
    page.wait_for_text("Excluded", "#message")
    assert crawl.api("snapshot")["excluded"] == ["/never-"]  # type: ignore[index]


def test_the_end_of_the_crawl_is_said(page: Browser, crawl: Crawl) -> None:
    crawl.end()
    page.wait_for_text("the crawl has ended", "#state")


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible_and_fits(page: Browser, crawl: Crawl, width: int, height: int, scheme: str) -> None:
    axe = (node_modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.resize(width, height)
    page.prefer(scheme)
    page.wait(lambda: crawl.api("failures")["latest"], "no failures")  # type: ignore[index]
    for view in VIEWS:
        page.open(f"{crawl.url}/#{view}")
        page.wait(lambda: page.run("return document.querySelector('nav a[aria-current]')?.hash") == f"#{view}", view)  # noqa: B023
        page.wait(lambda: page.run("return document.querySelector('main table, main .tile') !== null"), view)
        assert page.run("return scrollY") == 0, f"{view} begins below its header"
        page.run(f"if (!window.axe) {{ {axe} }}")
        found = page.run_async(
            "axe.run(document, {resultTypes: ['violations']}).then(r => arguments[0](r.violations.map("
            "v => [v.impact, v.id, v.nodes.map(n => n.html).slice(0, 3)])))"
        )
        assert [entry for entry in found if entry[0] in ("serious", "critical")] == [], view
        assert page.run("return document.documentElement.scrollWidth <= innerWidth"), f"{view} is wider than the window"
        assert len(page.screenshot()) > 10_000


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"Basic {b64encode(f':{TOKEN}'.encode()).decode()}"}, 200),
        ({}, 403),
        ({"Authorization": "Bearer wrong-token"}, 403),
        ({"Cookie": f"crawler_token={TOKEN}; crawler_page_0={TOKEN}"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.test"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1"}, 403),
    ],
)
def test_only_those_with_the_token_and_the_right_host_get_anything(
    crawl: Crawl, fields: dict[str, str], status: int
) -> None:
    for path in ("", "api/snapshot", "static/app.js"):
        response = httpx.get(f"{crawl.url}/{path}", headers=fields, trust_env=False)
        assert response.status_code == status, path
        assert response.headers["content-security-policy"].startswith("default-src 'self'")


def test_other_origins_change_nothing(crawl: Crawl) -> None:
    known = {"Authorization": f"Bearer {TOKEN}"}
    for origin, status in (("https://evil.test", 403), (crawl.url, 200)):
        response = httpx.post(f"{crawl.url}/api/resume", headers=known | {"Origin": origin}, trust_env=False)
        assert response.status_code == status
