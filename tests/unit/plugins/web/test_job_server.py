"""Crawls are started, stopped and resumed, each in a process of its own."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from crawler_plugins.web.job_server import JobServer
from unit.plugins.web.test_job_folders import job

from crawler import ConfigError
from crawler.files import locked

SPIDERS = """\
from crawler import Spider

class Walk(Spider):
    n: int = 0
    def parse(self, response): ...
class Other(Spider):
    name = "books"
    def parse(self, response): ...
"""


class Process:
    """A process that ends when a test says so."""

    number = 4711

    def __init__(self, arguments, log):
        self.arguments = arguments
        self.log = log
        self.ended = trio.Event()
        self.code = 0
        self.calls = []

    async def wait(self):
        await self.ended.wait()
        return self.code

    def stop(self):
        self.calls.append("stop")

    async def end(self):
        self.calls.append("end")


class Server:
    """A server of jobs whose processes are made up."""

    def __init__(self, tmp_path, *, max_running=1):
        (tmp_path / "jobs").mkdir(exist_ok=True)
        (tmp_path / "spiders.py").write_text(SPIDERS)
        self.processes = []
        self.jobs = JobServer([tmp_path / "jobs"], spiders=tmp_path, max_running=max_running, start=self.start)

    async def start(self, arguments, folder, log):
        await trio.lowlevel.checkpoint()
        self.processes.append(Process(arguments, log))
        return self.processes[-1]

    @asynccontextmanager
    async def running(self):
        async with trio.open_nursery() as nursery:
            await nursery.start(self.jobs.run)
            yield
            nursery.cancel_scope.cancel()

    def states(self):
        return {entry.name: entry.state for entry in self.jobs.jobs()}


@pytest.fixture
def server(tmp_path):
    return Server(tmp_path)


async def test_a_scheduled_crawl_is_a_command_with_its_arguments_and_settings(autojump_clock, server, tmp_path):
    async with server.running():
        name = server.jobs.schedule("walk", {"n": "3"}, {"delay": "1"})
        await trio.sleep(1)
        [process] = server.processes
        assert process.arguments == [
            "run", f"{tmp_path}/spiders.py:Walk", "--job", f"{tmp_path}/jobs/{name}", "--ui", "127.0.0.1:0", "--quiet",
            "-p", "crawler_plugins.web.child:EndsWithParent", "-a", "n=3", "-s", "delay=1",
        ]  # fmt: skip
        assert server.states() == {name: "running"}
        assert server.jobs.jobs()[0].process == 4711


async def test_crawls_beyond_the_number_of_processes_wait_for_their_turn(autojump_clock, server):
    async with server.running():
        for name in ("a", "b", "c"):
            server.jobs.schedule("walk", {}, {}, name)
            await trio.sleep(1)
        assert server.states() == {"a": "running", "b": "pending", "c": "pending"}
        assert server.jobs.stop("b") == "pending"
        server.processes[0].ended.set()
        await trio.sleep(1)
        assert server.states() == {"a": "failed", "c": "running"}, "the processes have made no jobs"


async def test_crawls_that_wait_when_the_server_ends_are_started_by_the_next_one(autojump_clock, server, tmp_path):
    async with server.running():
        server.jobs.schedule("walk", {}, {}, "a")
        server.jobs.schedule("books", {}, {}, "b")
        await trio.sleep(1)
    assert server.processes[0].calls == ["end"]
    later = Server(tmp_path)
    async with later.running():
        await trio.sleep(1)
        assert later.states() == {"a": "failed", "b": "running"}
        assert later.processes[0].arguments[1].endswith("spiders.py:Other")


async def test_why_a_crawl_could_not_begin_is_shown(autojump_clock, server):
    async with server.running():
        server.jobs.schedule("walk", {}, {}, "a")
        await trio.sleep(1)
        server.processes[0].log.write_text("web page: x\ncrawler: spider Walk has no argument 'x'\n")
        server.processes[0].code = 2
        server.processes[0].ended.set()
        await trio.sleep(1)
        assert server.jobs.jobs()[0].message == "spider Walk has no argument 'x'"


@pytest.mark.parametrize("error", [OSError(12, "Cannot allocate memory"), ValueError("embedded null byte")])
async def test_a_process_that_cannot_be_started_is_a_message_and_the_next_one_is_started(
    autojump_clock, tmp_path, error
):
    server = Server(tmp_path)

    async def fails(arguments, folder, log):
        server.jobs._start = server.start
        raise error

    server.jobs._start = fails
    async with server.running():
        server.jobs.schedule("walk", {}, {}, "a")
        server.jobs.schedule("walk", {}, {}, "b")
        await trio.sleep(1)
        assert {entry.name: entry.message for entry in server.jobs.jobs()} == {
            "a": f"cannot start a process: {(getattr(error, 'strerror', None) or str(error)).lower()}",
            "b": "",
        }
        assert server.states()["b"] == "running"


async def test_a_job_of_another_program_is_resumed_by_its_spider_and_arguments(autojump_clock, server, tmp_path):
    await job(tmp_path / "jobs" / "one", max_pages=1)
    async with server.running():
        server.jobs.resume("one")
        await trio.sleep(1)
        assert server.processes[0].arguments[1].endswith("spiders.py:Walk")
        assert server.states() == {"one": "running"}
        with pytest.raises(ConfigError, match="one is running already"):
            server.jobs.resume("one")
        assert server.jobs.stop("one") == "running"
        assert server.processes[0].calls == ["stop"]
        server.processes[0].ended.set()
        await trio.sleep(1)
        assert server.states() == {"one": "stopped"}
        assert server.jobs.stop("one") is None


async def test_a_resumed_job_that_waits_can_be_stopped_without_being_lost(autojump_clock, server, tmp_path):
    await job(tmp_path / "jobs" / "one", max_pages=1)
    server.jobs.resume("one")
    assert server.states() == {"one": "pending"}
    assert server.jobs.stop("one") == "pending"
    assert server.states() == {"one": "stopped"}


async def test_a_job_that_runs_elsewhere_cannot_be_stopped(autojump_clock, server, tmp_path):
    folder = await job(tmp_path / "jobs" / "one", max_pages=1)
    (folder / "lock").write_text("1\n")
    with locked(folder / "lock"), pytest.raises(ConfigError, match="one was started elsewhere"):
        server.jobs.stop("one")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("wolk", {}, {}), "no spider named 'wolk' in .* \\(did you mean walk\\?\\)"),
        (("walk", {}, {"DOWNLOAD_DELAY": "1"}), "no such setting: DOWNLOAD_DELAY"),
        (("walk", {}, {"delay": "x"}), "setting delay"),
        (("walk", {}, {}, "../x"), "cannot be the name of a job"),
        (("walk", {"a=b": "1"}, {}), "not an argument: 'a=b'"),
        (("walk", {"": "1"}, {}), "not an argument: ''"),
        (("walk", {"n": "a\0b"}, {}), "not an argument: 'n'"),
    ],
)
def test_a_run_that_cannot_be_scheduled_is_refused(server, arguments, words):
    with pytest.raises(ConfigError, match=words):
        server.jobs.schedule(*arguments)
    assert server.jobs.jobs() == []


async def test_a_job_is_described_with_its_runs_compared(autojump_clock, server, tmp_path):
    folder = await job(tmp_path / "jobs" / "one", max_pages=1)
    await job(folder)
    found = server.jobs.job("one")
    assert found["job"].state == "finished"
    assert [(run["pages"], run["change"]["items"]) for run in found["runs"]] == [(1, None), (1, 0.0)]
    server.jobs.schedule("walk", {}, {}, "new")
    assert server.jobs.job("new")["runs"] == []


async def test_the_items_of_a_job_are_exported_to_a_new_file(autojump_clock, server, tmp_path):
    await job(tmp_path / "jobs" / "one")
    path, made = await server.jobs.export("one", "jsonl")
    with made:
        assert [json.loads(line)["url"] for line in path.read_text().splitlines()] == [
            "https://site.test/", "https://site.test/1",
        ]  # fmt: skip
    assert not path.exists()
    for ending in ("nosuch", "x/../../y", "%(n)d.jsonl"):
        with pytest.raises(ConfigError):
            await server.jobs.export("one", ending)


def test_the_folder_of_the_spiders_must_exist(tmp_path):
    with pytest.raises(ConfigError, match="no such folder: none"):
        JobServer([tmp_path], spiders=Path("none"))
