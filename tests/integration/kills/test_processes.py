"""A crawl whose callbacks run in several processes loses and duplicates nothing, whichever of them is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from integration.kills.harness import durable
from integration.kills.results import read_output
from support.environments import environment
from support.localsite import local_site
from support.processes import PIPE, Process

OUTPUTS = ["items.jsonl", "items.csv"]


def test_kills_of_the_crawl_and_of_processes_that_run_callbacks(tmp_path: Path) -> None:
    settings = {"workers": 16, "delay": 0.01, "processes": 2}
    plugins = ["Counts", "ByKey"]
    with durable(
        tmp_path, seed=3, hosts=6, pages=200, outputs=OUTPUTS, settings=settings, plugins=plugins, drag=0.01
    ) as crawl:
        with crawl.killing_callbacks(random.Random(3)) as killed:
            crawl.run_with_kills(2, random.Random(3))
        figures = crawl.figures()
        assert figures.holds(), figures
        assert len(killed) > 3
        assert read_output(tmp_path / "items.jsonl") == read_output(tmp_path / "items.csv")


def test_kills_of_processes_that_always_have_pages(tmp_path: Path) -> None:
    settings = {"workers": 16, "processes": 2, "slow_start": False}
    with durable(tmp_path, seed=5, hosts=6, pages=400, outputs=OUTPUTS, settings=settings, drag=0.02) as crawl:
        with crawl.killing_callbacks(random.Random(5)) as killed:
            crawl.run_with_kills(2, random.Random(5))
        figures = crawl.figures()
        assert figures.holds(), figures
        assert len(killed) > 3
        assert read_output(tmp_path / "items.jsonl") == read_output(tmp_path / "items.csv")


def test_ctrl_c_ends_the_whole_group_with_one_line(tmp_path: Path) -> None:
    settings = {"workers": 8, "delay": 0.01, "processes": 2}
    with durable(tmp_path, seed=4, hosts=4, pages=60, outputs=OUTPUTS, settings=settings) as crawl:
        process = crawl.start(start_new_session=True)
        crawl.wait_for_requests(process, 20)
        os.killpg(process.pid, signal.SIGINT)
        assert crawl.end(process) == (130, "")
        crawl.kills.append(time.monotonic())
        crawl.finish()
        assert crawl.figures().holds()


def test_a_page_whose_callback_kills_its_process_fails_alone(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from crawler import Settings, Spider, run

class Deadly(Spider):
    start_urls = sys.argv[1:]

    def parse(self, response):
        if response.url.endswith("/7"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield {"url": response.url}
        yield from response.follow_all()

report = run(Deadly(), settings=Settings(processes=2, workers=8, per_host=8, slow_start=False))
print(report.items, report.kinds)
"""
    (tmp_path / "deadly.py").write_text(program)
    links = "".join(f'<a href="/{n}">a leaf</a>' for n in range(20))
    with local_site({"/": links} | {f"/{n}": "a leaf" for n in range(20)}) as site:
        process = Process(["deadly.py", site.url], cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out == "20 {'callback_error.parse': 1}\n"
        assert len(site.asked("/7")) == 1  # the first process keeps the page


CORES = """
import json, os
from crawler import Settings, Spider, crawl_items
from crawler.testing import FakeSite

class Cores(Spider):
    def parse(self, response):
        yield {"pid": os.getpid(), "cores": sorted(os.sched_getaffinity(0))}

if __name__ == "__main__":
    spider = Cores(start_urls=[f"https://site.test/{n}" for n in range(40)])
    site = FakeSite({f"/{n}": "a page" for n in range(40)})
    for item in crawl_items(spider, settings=Settings(processes="auto", workers=40), transport=site.transport):
        print(json.dumps(item))
"""


@pytest.mark.parametrize("way", ["crawler run", "run()"])
def test_as_many_processes_as_cores_have_a_core_each_in_a_program_of_ours(way: str, tmp_path: Path) -> None:
    (tmp_path / "cores.py").write_text(CORES)
    usable = sorted(os.sched_getaffinity(0))
    with local_site({f"/{n}": "a page" for n in range(40)}) as site:
        urls = json.dumps([f"{site.url}{n}" for n in range(40)])
        options = ["-o", "-", "-s", "processes=auto", "-s", "workers=40", "-s", "slow_start=false", "--quiet"]
        words = ["-m", "crawler", "run", "cores.py", "-a", f"start_urls={urls}", *options]
        process = Process(
            words if way == "crawler run" else ["cores.py"], cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE
        )
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    items = [json.loads(line) for line in out.splitlines()]
    assert len(items) == 40
    cores = {item["pid"]: item["cores"] for item in items}
    if way == "run()":
        assert all(own == usable for own in cores.values())
    else:
        assert len({tuple(own) for own in cores.values()}) == len(cores)
        assert all(len(own) == 1 for own in cores.values())
