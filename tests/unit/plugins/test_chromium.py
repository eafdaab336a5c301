"""`run_chromium`, with a shell script instead of Chromium. `tests/integration/browser` has the real one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from crawler_plugins.browser import chromium
from crawler_plugins.browser.chromium import Chromium, find_executable, run_chromium

from crawler import ConfigError, CrawlFailed

ANSWERS = """\
printf '{"id":1,"result":{"product":"Script/1"}}\\0' >&4
exec cat <&3 >/dev/null
"""


def program(folder: Path, script: str) -> str:
    path = folder / "browser"
    note = f'for a in "$@"; do case $a in --user-data-dir=*) echo $a >{folder}/profile;; esac; done'
    path.write_text(f"#!/bin/sh\n{note}\n{script}")
    path.chmod(0o755)
    return str(path)


def running(group: int) -> list[str]:
    """Return the processes of a group that are no zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, number = stat.read_text().rpartition(")")[2].split()[:3]
            if int(number) == group and state != "Z":
                found.append(stat.parent.name)
    return found


async def ended(group: int) -> bool:
    """Return whether all processes of a group end; one that was killed may take a moment."""
    with trio.move_on_after(5):
        while running(group):
            await trio.sleep(0.005)
    return not running(group)


def profile(folder: Path) -> Path:
    return Path((folder / "profile").read_text().strip().partition("=")[2])


async def test_a_browser_runs_until_it_is_closed_and_leaves_nothing(tmp_path: Path) -> None:
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            browser: Chromium = await nursery.start(run_chromium, program(tmp_path, ANSWERS))
            assert browser.version == "Script/1"
            assert profile(tmp_path).is_dir()
            os.kill(browser.pid, 0)
            nursery.cancel_scope.cancel()
    assert not profile(tmp_path).exists()
    assert await ended(browser.pid)
    assert browser.connection.is_closed


async def test_a_browser_that_is_killed_is_noticed(tmp_path: Path) -> None:
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            browser: Chromium = await nursery.start(run_chromium, program(tmp_path, ANSWERS))
            os.killpg(browser.pid, 9)
            await browser.closing.wait()
    assert browser.connection.is_closed
    assert not profile(tmp_path).exists()


async def test_a_browser_that_does_not_start_says_why(tmp_path: Path) -> None:
    with trio.fail_after(20), pytest.RaisesGroup(pytest.RaisesExc(CrawlFailed, match="did not start: no sandbox here")):
        async with trio.open_nursery() as nursery:
            await nursery.start(run_chromium, program(tmp_path, "echo no sandbox here >&2; exit 1"))
    assert not profile(tmp_path).exists()


def test_the_browser_is_the_one_that_is_named_or_the_first_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "google-chrome").write_text("#!/bin/sh\n")
    (tmp_path / "google-chrome").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CRAWLER_BROWSER", raising=False)
    assert find_executable("") == str(tmp_path / "google-chrome")
    monkeypatch.setenv("CRAWLER_BROWSER", "/bin/sh")
    assert find_executable("") == "/bin/sh"
    assert find_executable("google-chrome") == str(tmp_path / "google-chrome")
    with pytest.raises(ConfigError, match="executable: no such program: firefox"):
        find_executable("firefox")
    monkeypatch.setenv("CRAWLER_BROWSER", "firefox")
    with pytest.raises(ConfigError, match="CRAWLER_BROWSER: no such program"):
        find_executable("")
    monkeypatch.delenv("CRAWLER_BROWSER")
    (tmp_path / "google-chrome").unlink()
    with pytest.raises(ConfigError, match="apt install chromium"):
        find_executable("")


def test_without_a_network_no_name_resolves() -> None:
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in chromium.NO_NETWORK


async def test_if_a_browser_cannot_be_watched_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    with pytest.raises(CrawlFailed, match="Chromium is started on Linux only: start one yourself, and name it by brow"):
        await run_chromium(program(tmp_path, ANSWERS))
