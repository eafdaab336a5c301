"""A process that a callback forks does not continue the crawl, whatever the callback does in it."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.environments import environment
from support.localsite import local_site
from support.processes import run

PAGES = 40
SPIDER = """
import os
import sys

from crawler import Spider

class Forking(Spider):
    how: str = ""

    def parse(self, response):
        if response.url.endswith("/7") and os.fork() == 0:
            self.crawl.count("copies")
            if self.how == "exit":
                sys.exit(3)
            if self.how == "exit with a large number":
                sys.exit(2**40)
            if self.how == "raise":
                raise ValueError("in the new process")
        yield {"url": response.url}
        yield from response.follow_all("a")
"""

AWAITING = """
import multiprocessing
import os

import trio
from crawler import Spider

class Forking(Spider):
    how: str = ""

    async def parse(self, response):
        yield {"url": response.url}
        for request in response.follow_all("a"):
            yield request
        if response.url.endswith("/7"):
            if self.how == "task":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.fork)
            elif self.how == "multiprocessing":
                process = multiprocessing.get_context("fork").Process(target=print, args=("a program",), daemon=True)
                process.start()
                await trio.to_thread.run_sync(process.join)
            else:
                await self.fork()

    async def fork(self):
        if os.fork() == 0:
            self.crawl.count("copies")
            await trio.sleep(30)
"""


def crawled(program: str, how: str, processes: int, folder: Path, *words: str) -> CompletedProcess[str]:
    """Run a crawl with forks, which loses no page, keeps and requests none twice, and is not continued by a copy."""
    (folder / "forking.py").write_text(program)
    pages = {f"/{n}": f"<a href='/{n + 1}'>next</a><a href='/{n + 2}'>other</a>" for n in range(PAGES)}
    with local_site(pages) as site:
        arguments = ["-a", f"how={how}", "-a", f"start_urls={site.url}0", "-o", "urls.jsonl", "--job", "job"]
        settings = ["-s", f"processes={processes}", "-s", "grace=1"]
        command = ["-m", "crawler", "run", "forking.py", *arguments, *settings, *words]
        ended = run(command, cwd=folder, env=environment(), timeout=60)
        asked = [each.path for each in site.log if each.path != "/robots.txt"]
    assert ended.returncode == 0, ended.stderr
    urls = [json.loads(line)["url"] for line in (folder / "urls.jsonl").read_text().splitlines()]
    assert sorted(urls) == sorted(f"{site.url}{n}" for n in range(PAGES))
    assert len(asked) == len(set(asked))
    assert "copies" not in ended.stderr
    return ended


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("how", ["await", "task", "multiprocessing"])
def test_a_process_that_is_forked_ends_when_it_awaits(how: str, processes: int, tmp_path: Path) -> None:
    ended = crawled(AWAITING, how, processes, tmp_path)
    assert ("has forked the process and awaits in the new one" in ended.stderr) == (how != "multiprocessing")
    assert ("a program" in ended.stdout) == (how == "multiprocessing")


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("how", ["return", "raise", "exit", "exit with a large number"])
def test_a_process_that_a_callback_forks_does_not_continue_the_crawl(how: str, processes: int, tmp_path: Path) -> None:
    ended = crawled(SPIDER, how, processes, tmp_path, "--tolerate", "2")
    reported = (
        "has forked the process for" in ended.stderr and "only one process may continue the crawl" in ended.stderr
    )
    assert reported == (how in {"return", "raise"})
