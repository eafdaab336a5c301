"""The plugin `stalls`. It measures real time, so these tests block for real, for some hundredths of a second."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
import trio
from crawler_plugins.stalls import Stalls
from support.trees import Follow

from crawler import ConfigError, Response, Settings
from crawler.testing import FakeSite, collect

SITE = {"/": "x"}


class Blocking(Follow):
    """Blocks the event loop in a helper until the watch has noticed, or 10 seconds have passed."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        super().__init__()
        self.caplog = caplog

    def parse(self, response: Response) -> object:
        self.compute()
        return {"url": response.url}

    def compute(self) -> None:
        until = time.monotonic() + 10
        while "is blocked" not in self.caplog.text and time.monotonic() < until:
            time.sleep(0.01)


async def test_the_line_is_logged_while_the_event_loop_is_blocked(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    path = tmp_path / "stalls.jsonl"
    found = await collect(Blocking(caplog), FakeSite(SITE), plugins=[Stalls(threshold=0.05, path=path)])
    is_blocked, was_blocked = [record for record in caplog.records if record.name == "crawler.plugins.stalls"][:2]
    assert is_blocked.threadName == "stalls"
    assert "is blocked for more than 0.05 s, at " in is_blocked.message
    assert "test_stalls.py" in is_blocked.message
    assert "compute" in is_blocked.message
    assert "was blocked for" in was_blocked.message
    assert found.report.counters["stalls"] >= 1
    stall = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert stall["seconds"] >= 0.05
    assert "compute" in stall["place"]
    assert any(frame.endswith(("parse", "Blocking.parse")) for frame in stall["stack"])
    assert "worker" in stall["task"].lower()


async def test_stalls_ends_its_thread() -> None:
    await collect(Follow(), FakeSite(SITE), plugins=[Stalls()], settings=Settings(max_seconds=60))
    for thread in threading.enumerate():
        if thread.name == "stalls":
            await trio.to_thread.run_sync(thread.join, 5)
            assert not thread.is_alive()


@pytest.mark.parametrize("threshold", [0, -1, float("nan"), 1e9])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match=r"stalls: threshold must be from 0.01 to 3600 seconds"):
        Stalls(threshold=threshold)


async def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stalls: cannot write .*: No such file or directory"):
        await collect(Follow(), FakeSite(SITE), plugins=[Stalls(path=tmp_path / "none" / "x")])
