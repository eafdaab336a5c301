"""`Launcher`: its processes end when the program ends, however it does. Each test is a program: pytest has threads."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from support.environments import environment
from support.processes import PIPE, Process

PROGRAM = """
import os, signal, sys, time, trio
from crawler.engine.processes.launcher import Launcher

def main(place, channel, calls):
    channel.sendall(str(os.getpid()).encode().ljust(8))
    while channel.recv(1) == b"s":  # spin, as a callback that computes
        signal.pause()

launcher = Launcher.fork(main)
ends = [launcher.launch(place) for place in range(2)]
pids = [int(channel.recv(8)) for channel, _ in ends]

async def ended():
    with trio.fail_after(20):
        return await launcher.ended()

print([launcher._pid, *pids], flush=True)
{rest}
for channel, calls in ends:
    channel.close()
    calls.close()
"""


def program(tmp_path: Path, rest: str) -> tuple[Process, list[int]]:
    """Start the program with further lines; return it and the numbers of the launcher and of its two processes."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.replace("{rest}", rest))
    process = Process([path], cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def wait_until_gone(pids: list[int]) -> None:
    """Wait until processes have ended; their parent may not have noticed."""
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.005)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_that_ends_is_reported_with_its_code_and_its_cpu_time(tmp_path: Path) -> None:
    rest = """
ends[0][0].close()
one = trio.run(ended)
os.kill(pids[1], signal.SIGKILL)
other = trio.run(ended)
print([one.pid == pids[0], one.code, other.pid == pids[1], other.code, one.cpu_seconds >= 0])
launcher.close()
"""
    process, pids = program(tmp_path, rest)
    out, said = process.communicate(timeout=10)
    assert (out, said) == ("[True, 0, True, -9, True]\n", "")
    wait_until_gone(pids)


@pytest.mark.parametrize("rest", ["launcher.close()", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"])
def test_all_processes_end_with_the_program_even_those_that_are_busy(tmp_path: Path, rest: str) -> None:
    process, pids = program(tmp_path, f"for channel, _ in ends: channel.send(b's')\ntime.sleep(0.02)\n{rest}\n")
    process.communicate(timeout=10)
    wait_until_gone(pids)


def test_signals_for_the_whole_group_do_not_end_the_processes(tmp_path: Path) -> None:
    rest = """
signal.signal(signal.SIGINT, lambda *_: None)
for number in (launcher._pid, *pids):
    os.kill(number, signal.SIGINT)
    os.kill(number, signal.SIGTERM)
time.sleep(0.02)
ends.append(launcher.launch(2))
print(int(ends[-1][0].recv(8)) > 0)
launcher.close()
"""
    process, _ = program(tmp_path, rest)
    assert process.communicate(timeout=10) == ("True\n", "")


def test_a_launcher_that_is_killed_is_noticed(tmp_path: Path) -> None:
    rest = """
os.kill(launcher._pid, signal.SIGKILL)
try:
    trio.run(ended)
except EOFError as error:
    print(error)
launcher.close()
"""
    process, pids = program(tmp_path, rest)
    assert process.communicate(timeout=10) == ("the launcher has ended\n", "")
    wait_until_gone(pids)
