"""A crawl that is killed between any two steps of a commit, or within a step, loses and duplicates nothing."""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path

import pytest
from integration.kills.everything import STEPS
from integration.kills.harness import SPIDER, durable
from integration.kills.results import read_output

OUTPUTS = ["items.jsonl", "items.json", "items.csv"]
PACKED = ["items.jsonl.zst", "items.csv.gz", "items.json.gz", "items.sqlite"]
CALLS = {"output opened": (1, 2, 3), "output begun": (1, 2)}
"""The calls at which successive runs are killed. Outputs are opened one after another, once per run."""


@pytest.mark.parametrize(
    ("step", "outputs"),
    [*((step, OUTPUTS) for step in STEPS), *((step, PACKED) for step in ("written", "half written", "noted"))],
    ids=[*STEPS, "packed written", "packed half written", "packed noted"],
)
def test_a_crawl_killed_at_this_moment_in_every_run_completes(tmp_path: Path, step: str, outputs: list[str]) -> None:
    with durable(tmp_path, seed=6, hosts=4, pages=120, outputs=outputs, settings={"workers": 8}) as crawl:
        for call in CALLS.get(step, (1, 2, 5, 9)) if outputs is OUTPUTS else (1, 2):
            dies = ["-p", f"{SPIDER.stem}:Dies", "-P", f"dies.step={step}", "-P", f"dies.call={call}"]
            process = crawl.start(*dies)
            assert crawl.end(process) == (-signal.SIGKILL, "")
            crawl.kills.append(time.monotonic())
            crawl.look()
        crawl.finish()
        figures = crawl.figures()
        assert figures.holds(), figures
        contents = [read_output(tmp_path / output) for output in outputs]
        assert all(one == other for one, other in itertools.pairwise(contents))
