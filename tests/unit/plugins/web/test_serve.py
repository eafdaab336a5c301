"""``crawler serve``: the page is served until a signal, which ends the crawls."""

from __future__ import annotations

import signal

import pytest
import trio
from crawler_plugins.web import serve as module
from crawler_plugins.web.job_server import JobServer

from crawler.cli.app import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "FOLDER is missing: crawler serve needs a folder for jobs"),
        (("none",), "no such folder: none; create it with: mkdir none"),
        ((".", "--processes", "0"), "--processes must be at least 1, not 0"),
        ((".", "--spiders", "none"), "no such folder: none"),
        ((".", "--ui", "70000"), "web: port must be from 0 to 65535, not 70000"),
        ((".", "--token", "short"), "web: token must have at least 8 characters"),
        ((".", "--token", "env:NOT_SET"), "crawler serve: argument token: …"),
        ((".", "--ui", "nosuch.invalid:0"), "web: cannot listen on nosuch.invalid:0: …"),
    ],
)
def test_wrong_options_are_refused(refused, words, message):
    said = refused("serve", *words)
    assert said.startswith(message.removesuffix("…"))


def test_a_signal_ends_the_crawls_and_then_the_server(in_process, tmp_path, capsys, monkeypatch):
    events = []

    async def run(self, *, task_status):
        task_status.started()
        signal.raise_signal(signal.SIGTERM)
        try:
            await trio.sleep_forever()
        finally:
            events.append("the crawls have ended")

    monkeypatch.setattr(JobServer, "run", run)
    assert main(["serve", str(tmp_path), "--token", "a-token-of-the-tests"]) == 0
    assert events == ["the crawls have ended"]
    assert capsys.readouterr().err.endswith("/?token=a-token-of-the-tests\n")


def test_the_pages_of_the_crawls_are_on_the_same_address(in_process, tmp_path, monkeypatch):
    made = []

    async def serve(jobs, page):
        made.append(jobs)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(module, "_serve", serve)
    assert main(["serve", str(tmp_path), "--ui", "[::1]:0", "--processes", "3"]) == 0
    assert (made[0]._page, made[0]._max_running) == ("[::1]:0", 3)
