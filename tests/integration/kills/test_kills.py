"""A durable crawl loses and duplicates nothing, however and however often it is ended."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from pathlib import Path

import pytest
from integration.kills.harness import SPIDER, Durable, Figures, durable
from integration.kills.plans import PLANS
from integration.kills.results import read_output

OUTPUTS = ["items.jsonl", "items.json", "items.csv"]
PACKED = ["items.jsonl.zst", "items.csv.gz", "items.sqlite", "part-%(n)03d.jsonl.gz?max_rows=30"]


def check(crawl: Durable, figures: Figures) -> None:
    """Check the figures of a crawl, and that all outputs have the same items in the same order."""
    assert figures.holds(), figures
    contents = [read_output(crawl.folder / output) for output in crawl.outputs]
    assert all(content == contents[0] for content in contents)


def test_a_crawl_in_memory_finds_the_whole_web(tmp_path: Path) -> None:
    with durable(tmp_path, seed=1, hosts=12, pages=300, outputs=OUTPUTS) as crawl:
        crawl.finish(job=None)
        figures = crawl.figures()
        check(crawl, figures)
        assert figures.refetches == 0


@pytest.mark.parametrize(
    ("first", "again", "killed", "forgotten"),
    [(-10, -5, True, 0), (-10, -5, False, 1), (-10, 60, True, 1)],
    ids=["lost by a kill", "fetched twice by one run", "with more pages since than one kill can lose"],
)
def test_a_robots_txt_may_be_fetched_again_only_if_a_kill_can_have_lost_it(
    tmp_path: Path, first: float, again: float, killed: bool, forgotten: int
) -> None:
    with durable(tmp_path, seed=1, hosts=2, pages=60, settings={"workers": 8}) as crawl:
        crawl.finish(job=None)
        lines = crawl.log.read_text().splitlines()
        robots = next(line for line in lines if "/robots.txt" in line)
        since, at, rest = robots.split(" ", 2)
        fetches = [f"{float(since) + seconds} {float(at) + seconds} {rest}" for seconds in (first, again)]
        crawl.kills = [float(since) + again - 1] if killed else []
        crawl.log.write_text("\n".join([*fetches, *(line for line in lines if line != robots)]))
        figures = crawl.figures()
        assert (figures.forgotten, figures.refetches, figures.holds()) == (forgotten, 0, not forgotten), figures


def test_compressed_files_parts_and_databases_survive_kills(tmp_path: Path) -> None:
    with durable(tmp_path, seed=9, hosts=6, pages=200, outputs=PACKED, settings={"delay": 0.01}) as crawl:
        crawl.run_with_kills(4, random.Random(5))
        check(crawl, crawl.figures())
    parts = [len(read_output(part)) for part in sorted(tmp_path.glob("part-*"))]
    assert set(parts[:-1]) == {30}


def test_a_crawl_killed_six_times_loses_and_duplicates_nothing_and_stays_polite(tmp_path: Path) -> None:
    # The delay of the last host is longer than a start takes, so a run that forgets earlier starts would be too early.
    settings = {"workers": 16, "delay": 0.02, "pacing": {"127.0.0.13": {"delay": 1.2}}}
    with durable(tmp_path, seed=1, hosts=12, pages=500, outputs=OUTPUTS, settings=settings) as crawl:
        crawl.run_with_kills(6, random.Random(1))
        figures = crawl.figures()
        check(crawl, figures)
        assert figures.kills == 6


def test_a_crawl_killed_three_times_whose_commits_wait_for_the_disk(tmp_path: Path) -> None:
    settings = {"workers": 16, "durability": "power"}
    with durable(tmp_path, seed=2, hosts=6, pages=200, outputs=OUTPUTS, settings=settings) as crawl:
        crawl.run_with_kills(3, random.Random(2))
        check(crawl, crawl.figures())


@pytest.mark.parametrize(
    ("name", "seed", "drag"),
    [("links", 16, 0.0), ("rules", 12, 0.0), ("sitemap", 15, 0.0), ("api", 4, 0.03), ("records", 4, 0.02)],
)
def test_a_crawl_of_each_kind_that_is_ended_in_every_way_loses_and_duplicates_nothing(
    tmp_path: Path, name: str, seed: int, drag: float
) -> None:
    settings = {"workers": 8, "grace": 0.2}
    plugins = ["Counts", "ByKey", "ByPosition"]
    plan = PLANS[name]
    with durable(
        tmp_path,
        seed=seed,
        hosts=4,
        pages=70,
        outputs=OUTPUTS,
        settings=settings,
        drag=drag,
        plan=plan,
        plugins=plugins,
    ) as crawl:
        crawl.run_with_endings(8, random.Random(name))
        figures = crawl.figures()
        check(crawl, figures)
        assert figures.kills > 1


def test_a_process_that_is_stopped_for_longer_than_its_deadlines_completes_the_crawl(tmp_path: Path) -> None:
    settings = {"workers": 8, "request_deadline": 0.6, "connect_timeout": 0.6}
    with durable(
        tmp_path, seed=3, hosts=4, pages=60, outputs=OUTPUTS, settings=settings, drag=0.05, plugins=["Counts", "ByKey"]
    ) as crawl:
        process = crawl.start()
        crawl.wait_for_requests(process, 12)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)  # longer than the deadlines, and too short for a hook to be named that blocks the loop
        process.send_signal(signal.SIGCONT)
        crawl.kills.append(time.monotonic())  # requests in flight may be repeated
        assert crawl.end(process) == (0, "")
        check(crawl, crawl.figures())


def test_a_sink_that_lags_at_a_kill_gets_the_rest_with_the_same_keys(tmp_path: Path) -> None:
    slow = ["-p", f"{SPIDER.stem}:Slow", "-P", "slow.path=slow.txt"]
    with durable(tmp_path, seed=3, hosts=6, pages=300, settings={"workers": 16, "sink_lag": 100}) as crawl:
        behind = []
        for _ in range(3):
            process = crawl.start(*slow)
            crawl.wait_for_requests(process, 80)
            crawl.kill(process)
            kept = [(tmp_path / name).read_text().count("\n") for name in ("items.jsonl", "slow.txt")]
            behind.append(kept[0] - kept[1])
        assert max(behind) > 0
        crawl.finish(*slow)
        check(crawl, crawl.figures())
        rows = [line.split(" ", 1) for line in (tmp_path / "slow.txt").read_text().splitlines()]
    items: dict[str, str] = {}
    for key, item in rows:
        assert items.setdefault(key, item) == item
    assert sorted(map(json.loads, items.values()), key=str) == sorted(
        ({"url": url, "n": n} for url, n in read_output(tmp_path / "items.jsonl")), key=str
    )


def test_a_sink_that_lags_at_an_interrupt_is_reported_and_gets_the_rest_in_the_next_run(tmp_path: Path) -> None:
    slow = ["-p", f"{SPIDER.stem}:Slow", "-P", "slow.path=slow.txt"]
    with durable(tmp_path, seed=3, hosts=6, pages=100, settings={"workers": 16, "grace": 1}) as crawl:
        process = crawl.start(*slow, "-P", "slow.seconds=3600")
        crawl.wait_for_requests(process, 50)
        code, said, _ = crawl.interrupt(process, signal.SIGINT)
        assert (code, said.count("\n")) == (130, 1)
        assert re.search("slow did not store the last [0-9]+ items in time: the next run stores them", said)
        crawl.finish(*slow)
        check(crawl, crawl.figures())
        keys = {line.split(" ", 1)[0] for line in (tmp_path / "slow.txt").read_text().splitlines()}
    assert len(keys) == len(read_output(tmp_path / "items.jsonl"))


@pytest.mark.parametrize("each", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_crawl_within_its_grace_and_the_next_run_completes_it(
    tmp_path: Path, each: signal.Signals
) -> None:
    settings = {"grace": 0.2, "slow_start": False}
    with durable(tmp_path, seed=2, hosts=4, pages=13, outputs=OUTPUTS, settings=settings, drag=0.6) as crawl:
        process = crawl.start()
        crawl.wait_for_requests(process, 6)
        code, said, seconds = crawl.interrupt(process, each)
        assert (code, said) == (130, "")
        assert seconds < 5.0
        for output in OUTPUTS:  # it had time to complete them
            read_output(tmp_path / output)
        crawl.finish()
        check(crawl, crawl.figures())


def test_the_second_signal_ends_a_crawl_at_once(tmp_path: Path) -> None:
    settings = {"grace": 60, "slow_start": False}
    with durable(tmp_path, seed=2, hosts=4, pages=13, outputs=OUTPUTS, settings=settings, drag=0.9) as crawl:
        process = crawl.start()
        crawl.wait_for_requests(process, 6)
        code, said, seconds = crawl.interrupt(process, signal.SIGINT, signal.SIGINT)
        assert (code, said) == (130, "")
        assert seconds < 10.0
        crawl.finish()
        check(crawl, crawl.figures())
