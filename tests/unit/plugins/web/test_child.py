"""A crawl in a process of its own ends with the process that started it."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import trio
from crawler_plugins.web import child as children
from crawler_plugins.web.child import Child, EndsWithParent

from crawler import Settings, Spider, crawl
from crawler.testing import FakeSite, Page


class One(Spider):
    start_urls = ["https://site.test/"]
    settings = Settings(obey_robots=False)

    def parse(self, response):
        return None


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Let children be another program."""

    def use(text):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))
        return tmp_path

    return use


async def test_its_messages_and_its_exit_code_are_kept(program):
    folder = program('echo "$*"; echo oops >&2; exit 3')
    child = await Child.start(["run", "a b.py"], folder=folder, log=folder / "log")
    assert await child.wait() == 3
    assert (folder / "log").read_text() == "-m crawler run a b.py\noops\n"
    assert (folder / "log").stat().st_mode & 0o777 == 0o600


async def test_a_child_has_its_own_process_group_and_can_be_stopped(program):
    folder = program("exec sleep 60")
    child = await Child.start([], folder=folder, log=folder / "log")
    assert os.getpgid(child.number) == child.number
    child.stop()
    assert await child.wait() == -signal.SIGTERM


async def test_a_process_that_ignores_signals_is_killed(program, monkeypatch):
    monkeypatch.setattr(children, "GRACE", 0.02)
    monkeypatch.setattr(children, "KILL_AFTER", 0.02)
    folder = program("trap '' TERM; echo ready; while :; do read x; done")
    child = await Child.start([], folder=folder, log=folder / "log")
    while not (folder / "log").read_text():
        await trio.sleep(0.005)
    await child.end()
    assert await child.wait() == -signal.SIGKILL


async def test_a_crawl_is_stopped_when_its_standard_input_is_closed(autojump_clock, monkeypatch):
    raised, closed = [], trio.Event()

    async def wait_readable(descriptor):
        assert descriptor == 0
        await closed.wait()

    monkeypatch.setattr(trio.lowlevel, "wait_readable", wait_readable)
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    plugin = EndsWithParent()
    site = FakeSite({"/": Page("x", delay=5)})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: crawl(One(), plugins=[plugin], transport=site.transport))
        await trio.sleep(1)
        assert raised == []
        closed.set()
        await trio.sleep(1)
        assert raised == [signal.SIGTERM]
