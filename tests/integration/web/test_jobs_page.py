"""The web page of several jobs, in a real browser: crawls are started, watched, stopped, resumed and exported."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from integration.rate_limiters.packages import node_modules
from integration.web.browser import browser
from integration.web.site import ManyPages
from integration.web.test_web_page import SPIDER

TOKEN = "a-token-of-the-tests"


class Server:
    """`crawler serve`, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "jobs").mkdir()
        (folder / "walk.py").write_text(SPIDER)
        command = [sys.executable, "-m", "crawler", "serve", "jobs", "--token", TOKEN]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.url = next(found[1] for line in self.process.stderr if (found := re.search(r"(http://\S+)/\?token", line)))

    def ask(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}/{path}", auth=("", TOKEN), trust_env=False, follow_redirects=True, timeout=30)

    def job(self) -> dict[str, object]:
        return self.ask("api/jobs").json()["jobs"][0]

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    try:
        yield server
    finally:
        server.end()


def until(condition: object, what: str) -> None:
    end = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.05)


def exists(process: object) -> bool:
    try:
        os.kill(int(process), 0)  # type: ignore[call-overload]
    except ProcessLookupError:
        return False
    return True


def test_a_crawl_is_started_watched_stopped_resumed_and_exported(server: Server) -> None:
    with ManyPages() as site, browser() as page:
        page.resize(1200, 900)
        page.open(f"{server.url}/?token={TOKEN}")
        page.wait_for_text("0 jobs, 0 running", "#state")
        page.type("textarea[name=arguments]", f'start_urls=["{site.url}"]')
        page.type("textarea[name=settings]", "no such")
        page.click("main form button")
        page.wait_for_text("NAME=VALUE is needed, not no such", "#message")
        page.run("document.querySelector('textarea[name=settings]').value = 'workers=2'")
        page.click("main form button")
        page.wait_for_text("1 running", "#state")
        page.wait(
            lambda: page.run("return [...document.querySelectorAll('main a')].some(a => a.text === 'watch')"), "watch"
        )
        page.click("main a[href^='/crawl/']")
        page.wait_for_text("walk", "#spider")
        page.wait_for_text("running", "#state")
        page.open(f"{server.url}/")
        page.wait_for_text("1 running", "#state")
        page.click("main button[aria-label^=Stop]")
        page.wait_for_text("stopped", "main tbody")
        before = int(str(server.job()["pages"]))
        page.click("main button[aria-label^=Resume]")
        page.wait_for_text("running", "main tbody")
        until(lambda: int(str(server.job()["pages"])) > before, "the crawl does not continue")
        page.click("main button[aria-label^=Stop]")
        page.wait_for_text("stopped", "main tbody")
        page.click("main tbody a")
        page.wait_for_text("Runs, compared")
        assert "workers" not in page.text(), "settings are no arguments"
        job = server.job()
        lines = server.ask(f"api/export?name={job['name']}").text.splitlines()
        assert len({json.loads(line)["url"] for line in lines}) == len(lines) == job["items"]
        axe = (node_modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
        for width, scheme in ((1200, "light"), (390, "dark")):
            page.resize(width, 800)
            page.prefer(scheme)
            for view in (f"job?name={job['name']}", "jobs"):
                page.open(f"{server.url}/#{view}")
                page.wait_for_text("Runs, compared" if view != "jobs" else "Start a crawl")
                page.run(f"if (!window.axe) {{ {axe} }}")
                found = page.run_async("axe.run().then(r => arguments[0](r.violations.map(v => [v.impact, v.id])))")
                assert [entry for entry in found if entry[0] in ("serious", "critical")] == [], view
                assert page.run("return document.documentElement.scrollWidth <= innerWidth"), view


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_crawls_end_with_the_server_and_can_be_resumed(server: Server, number: int) -> None:
    with ManyPages() as site:
        values = {"spider": "walk", "arguments": {"start_urls": json.dumps([site.url])}}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        httpx.post(f"{server.url}/api/schedule", json=values, headers=headers, trust_env=False).raise_for_status()
        until(lambda: server.job()["pages"], "no pages")
        child, folder = server.job()["process"], str(server.job()["folder"])
        server.process.send_signal(number)
        server.process.communicate(timeout=30)
        until(lambda: not exists(child), "the crawl continues without its server")
        state = subprocess.run(
            [sys.executable, "-m", "crawler", "job", folder], capture_output=True, text=True, check=True
        )
        assert "requests waiting" in state.stdout


def test_others_get_403(server: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN}", "Host": "evil.test"}):
        for path in ("", "api/jobs", "daemonstatus.json"):
            assert httpx.get(f"{server.url}/{path}", headers=headers, trust_env=False).status_code == 403
