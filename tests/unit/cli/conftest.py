"""The command line as a user runs it, and a site to run it on."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import attrs
import pytest
from support.environments import environment
from support.processes import PIPE, Process

from crawler.cli import main
from crawler.cli.logs import NOISY
from crawler.testing.demo import PAGES, demo_site


@pytest.fixture(autouse=True)
def levels():
    """Let every logger have the level afterwards that it had before: commands that run in this process change some."""
    loggers = [logging.getLogger(name) for name in (None, "crawler.engine", *NOISY)]
    before = [(logger, logger.level) for logger in loggers]
    yield
    for logger, level in before:
        logger.setLevel(level)


@pytest.fixture(scope="session")
def site():
    """The site of the demo, on loopback, with a slow page that takes a tenth of a second instead of one."""
    slow = attrs.evolve(PAGES["/opening-hours"], delay=0.1)
    with pytest.MonkeyPatch.context() as patch, demo_site() as site:
        patch.setitem(PAGES, "/opening-hours", slow)
        yield site


@pytest.fixture
def start(tmp_path):
    """Start ``python -m crawler ...`` in an empty folder.

    Options are those of `Process`. With `fresh` a new interpreter is started, as a user does, and the options are those
    of `subprocess.Popen`.
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
    """Run ``python -m crawler ...``, and return exit code, standard output and standard error.

    There must be a traceback if the user's own code raised, and none otherwise.
    """

    def command(*arguments, env=None, traceback=False, fresh=False):
        process = start(*arguments, env=env, fresh=fresh)
        out, err = process.communicate(timeout=60)
        assert ("Traceback" in err) is traceback
        return process.returncode, out, err

    return command


@pytest.fixture
def in_process(tmp_path, monkeypatch):
    """Let the command line run in this process, in an empty folder; afterwards logging and modules are as before."""
    loggers = [logging.getLogger(name) for name in (None, "crawler.engine", *NOISY)]
    levels, handlers, modules = [logger.level for logger in loggers], loggers[0].handlers[:], set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    for name in list(os.environ):
        if name.startswith("CRAWLER_"):
            monkeypatch.delenv(name)
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def refused(in_process, capfd):
    """Run a command with an error, in this process, and return its one line on standard error."""

    def refused(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert (code, out) == (2, "")
        assert err.startswith("crawler: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        return err.removeprefix("crawler: ").rstrip("\n")

    return refused


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
    """A spider for the site of the demo."""
    path = tmp_path / "books.py"
    path.write_text(SPIDER.format(url=site.url))
    return path
