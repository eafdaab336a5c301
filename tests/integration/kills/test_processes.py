"""A crawl whose callbacks run in several processes loses and duplicates nothing, whichever of them is killed."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from integration.kills.harness import durable
from integration.kills.results import read_output

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


def test_kills_while_processes_fetch(tmp_path: Path) -> None:
    settings = {"workers": 16, "processes": 2, "slow_start": False}
    with durable(tmp_path, seed=5, hosts=6, pages=400, outputs=OUTPUTS, settings=settings, drag=0.02) as crawl:
        with crawl.killing_callbacks(random.Random(5)) as killed:
            crawl.run_with_kills(2, random.Random(5))
        figures = crawl.figures()
        figures.in_flight += len(killed) * settings["workers"]  # what a process has fetched ends with it
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
