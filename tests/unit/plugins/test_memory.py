"""`processes_of` and `largest_renderer`."""

from __future__ import annotations

import subprocess
import sys

from crawler_plugins.browser.memory import Process, largest_renderer, processes_of


def test_the_processes_of_a_group_and_their_memory() -> None:
    code = "x = bytearray(b'x') * 50_000_000; print(flush=True); input()"
    command = [sys.executable, "-c", code, "--type=renderer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        [found] = processes_of(process.pid)
        process.communicate(b"\n")
    assert (found.number, found.is_renderer) == (process.pid, True)
    assert 50_000_000 < found.memory < 100_000_000
    assert processes_of(process.pid) == []


def test_the_largest_renderer() -> None:
    small, large, other = (
        Process(1, 10, is_renderer=True),
        Process(2, 20, is_renderer=True),
        Process(3, 30, is_renderer=False),
    )
    assert largest_renderer([small, large, other]) is large
    assert largest_renderer([other]) is None
