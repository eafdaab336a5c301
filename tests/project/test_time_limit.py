"""No test holds up the others for ever: one that takes too long fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILE = """
import contextlib
import threading

import pytest
import trio


def test_before():
    pass


async def test_virtual_time_stands_still(autojump_clock):
    while True:
        await trio.sleep(0)


def test_a_lock_is_never_released():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


async def test_the_event_loop_waits_for_ever():
    with contextlib.suppress(BaseException):
        await trio.sleep_forever()
    await trio.sleep_forever()


@pytest.fixture
def endless():
    while True:
        pass


def test_a_fixture_never_ends(endless):
    pass


async def test_after(autojump_clock):
    await trio.sleep(1_000)


async def test_what_is_shielded_never_ends(autojump_clock):
    with trio.CancelScope(shield=True):
        while True:
            await trio.sleep(0)
"""


def test_a_test_that_takes_too_long_fails_and_those_after_it_run(tmp_path: Path) -> None:
    (tmp_path / "test_endless.py").write_text(FILE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\nfilterwarnings = error\n", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "support.time_limit",
            "--longest=0.5",
            "-rA",
            "--tb=no",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = re.findall(r"^([A-Z]+) test_endless\.py::(\w+)", done.stdout, re.MULTILINE)
    assert sorted(told) == [
        ("ERROR", "test_a_fixture_never_ends"),
        ("FAILED", "test_a_lock_is_never_released"),
        ("FAILED", "test_the_event_loop_waits_for_ever"),
        ("FAILED", "test_virtual_time_stands_still"),
        ("FAILED", "test_what_is_shielded_never_ends"),
        ("PASSED", "test_after"),
        ("PASSED", "test_before"),
    ], done.stdout + done.stderr
