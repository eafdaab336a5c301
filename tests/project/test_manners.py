"""The manners of a library: neither an import nor a crawl changes the process of the program that uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import crawler

PACKAGE = Path(crawler.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)
IMPORTS = f"""
import importlib, os
hooks = []
register, os.register_at_fork = os.register_at_fork, lambda **given: hooks.append(given) or register(**given)
import asyncio, concurrent.futures, logging, multiprocessing.process, random, tempfile, threading, uuid
import rich, trio, httpx  # what others register is theirs
hooks.clear()
main = httpx.main
for name in {MODULES}:
    importlib.import_module(name)
assert hooks == [], hooks
assert httpx.main is main
"""
CRAWL = """
import gc, os, signal, socket, sys, threading, warnings
import httpx
from crawler import Settings, Spider, run
from crawler.testing import FakeSite

class Plain(Spider):
    start_urls = ["https://site.test/"]

    def parse(self, response):
        yield {"url": response.url}

def state():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    return {
        "collector": (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()),
        "affinity": getattr(os, "sched_getaffinity", lambda _: None)(0),
        "signals": [signal.getsignal(number) for number in numbers],
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook),
        "search path": [*sys.path],
        "warnings": [*warnings.filters],
        "timeout": socket.getdefaulttimeout(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "httpx": (httpx.main, sys.modules.get("httpx._main")),
    }

before = state()
report = run(Plain(), settings=Settings(processes=PROCESSES), transport=FakeSite({"/": "a page"}).transport)
assert report.pages == 1
after = state()
assert after == before, {name: (before[name], after[name]) for name in before if before[name] != after[name]}
"""


def run_program(text: str) -> None:
    """Run a program, which fails if an assertion does."""
    done = subprocess.run([sys.executable, "-P", "-c", text], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_registers_no_fork_hooks_and_replaces_nothing_in_httpx() -> None:
    run_program(IMPORTS)


def test_a_crawl_in_a_program_leaves_the_process_as_it_was() -> None:
    for processes in (1, 2):
        run_program(CRAWL.replace("PROCESSES", str(processes)))
