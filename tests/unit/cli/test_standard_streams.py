"""Standard streams that are closed or full: the error is reported where that is possible, and no data is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.environments import environment
from support.localsite import local_site
from support.processes import DEVNULL


@pytest.fixture
def under(tmp_path):
    """Run ``python -m crawler ...`` in a folder, with redirections of a shell."""

    def under(redirections, *arguments):
        line = [sys.executable, "-m", "crawler", *map(str, arguments)]
        shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", *line]
        done = subprocess.run(
            shell, check=False, cwd=tmp_path, env=environment(COLUMNS="100"), capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return under


@pytest.mark.parametrize(
    ("redirections", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
)
def test_output_that_cannot_be_written_is_an_error(under, site, redirections, why):
    assert under(redirections, "fetch", site.url) == (1, "", f"crawler: cannot write to standard output: {why}\n")


@pytest.mark.parametrize("command", ["links", "robots", "limits"])
def test_every_command_reports_output_that_cannot_be_written(start, site, command):
    with Path("/dev/full").open("w") as full:
        for options in ({"stdout": full.fileno()}, {"stdout": DEVNULL, "closed": [1]}):
            process = start(command, site.url, **options)
            _, err = process.communicate(timeout=60)
            why = "Bad file descriptor" if "closed" in options else "No space left on device"
            assert (process.returncode, err) == (1, f"crawler: cannot write to standard output: {why}\n")


def test_a_closed_standard_output_matters_only_to_items_that_go_there(under, site, tmp_path):
    run = ["run", site.url, "-s", "max_pages=1", "--quiet"]
    assert under(">&-", *run, "-o", "-") == (
        2,
        "",
        "crawler: cannot write items to standard output (-o -): it is closed\n",
    )
    assert under("<&- >&- 2>&-", *run, "-o", "items.jsonl") == (0, "", "")
    assert (tmp_path / "items.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_closed_or_full_standard_error_changes_neither_data_nor_exit_code(under, site, redirection):
    code, out, _ = under(redirection, "run", site.url, "-s", "max_pages=1", "-o", "-")
    assert (code, out.count("\n")) == (0, 1)
    assert under(redirection, "run", "nothing.py")[0] == 2


def test_data_is_utf_8_and_text_is_escaped_whatever_the_encoding_of_the_terminal(command):
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    with local_site({"/": "<a href='/x'>für</a>"}) as site:
        code, out, err = command("links", site.url, "--json", env=ascii_only | {"LC_ALL": "C.UTF-8"}, fresh=True)
        assert (code, json.loads(out)["text"], err) == (0, "für", "")
    assert command("shell", "-c", "print('ü')", env=ascii_only, fresh=True) == (0, "\\xfc\n", "")
