"""The command line from outside, and a site to use it on."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
from support.environments import environment
from support.processes import PIPE, Process

from crawler.cli import main
from crawler.testing.demo import demo_site


@pytest.fixture(scope="session")
def site():
    """The demo's site, on loopback."""
    with demo_site() as site:
        yield site


@pytest.fixture
def start(tmp_path):
    """Starts ``python -m crawler ...`` in an empty folder.

    Options are those of `Process`; with `fresh` an interpreter is started, as a user starts it, and they are those of
    `subprocess.Popen`.
    """
    running = []

    def start(*arguments, env=None, fresh=False, **options):
        words = ["-m", "crawler", *map(str, arguments)]
        options = {"cwd": tmp_path, "stdout": PIPE, "stderr": PIPE} | options
        options["env"] = environment(limited="preexec_fn" in options, COLUMNS="100", **(env or {}))
        if fresh:
            process = subprocess.Popen([sys.executable, *words], text=True, **options)
        else:
            process = Process(words, **options)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def command(start):
    """Runs ``python -m crawler ...`` to its end: exit code, standard output, standard error.

    A traceback is expected where the user's own code raised, and nowhere else.
    """

    def command(*arguments, env=None, traceback=False, fresh=False):
        process = start(*arguments, env=env, fresh=fresh)
        out, err = process.communicate(timeout=60)
        assert ("Traceback" in err) is traceback
        return process.returncode, out, err

    return command


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Runs a command that cannot be right, in this process: its one line on standard error."""
    root = logging.getLogger()
    handlers, level, modules = root.handlers[:], root.level, set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    for name in list(os.environ):
        if name.startswith("CRAWLER_"):
            monkeypatch.delenv(name)

    def refused(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert (code, out) == (2, "")
        assert err.startswith("crawler: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        return err.removeprefix("crawler: ").rstrip("\n")

    yield refused
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


SPIDER = """\
from crawler import Plugin, Settings, Spider


class Books(Spider):
    start_urls = ["{url}"]
    shelf: int = 1

    def parse(self, response):
        yield {{"url": response.url, "title": response.css("h1::text").get()}}
        yield from response.follow_all("a")
"""


@pytest.fixture
def books(tmp_path, site):
    """A spider of the demo's site."""
    path = tmp_path / "books.py"
    path.write_text(SPIDER.format(url=site.url))
    return path
