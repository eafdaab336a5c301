"""The package on systems that lack what Linux has: it is imported, and crawls, without it.

trio itself needs epoll on Linux, so that of the package alone is taken away.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.environments import environment

from crawler.testing.demo import demo_site

LACKING = """\
import errno, sys
sys.modules.update(dict.fromkeys(("fcntl", "resource")))
del errno.EDQUOT
import crawler.transport.sockets as sockets
sockets.SYSTEM = type("Select", (), {})
import pathlib
pathlib.Path.exists = lambda path, exists=pathlib.Path.exists: str(path) != "/proc/self/status" and exists(path)
from crawler.cli import main
codes = [main(sys.argv[1:]), main([*sys.argv[1:3], "--job", "job"])]
assert not {"fcntl", "resource"} & {name for name, module in sys.modules.items() if module is not None}
print(codes)
"""


MAC = """\
import os, pathlib, select, sys
import pytest
from support.kqueue import use_kqueue
import crawler.transport.sockets as sockets
use_kqueue(pytest.MonkeyPatch())
names = {name: value for name, value in vars(select).items() if "epoll" not in name.lower()}
sockets.SYSTEM = type("Select", (), names)
del os.fdatasync, os.pidfd_open, os.sched_getaffinity
pathlib.Path.exists = lambda path, exists=pathlib.Path.exists: not str(path).startswith("/proc") and exists(path)
from crawler.cli import main
command = ["run", *sys.argv[1:], "--job", "job", "-s", "durability=power"]
code = main(command)
poller = type(sockets.open_poller()).__name__
print(code, main(["job", "job", "--export", "all.csv"]), poller)
"""


def test_a_durable_crawl_works_with_the_modules_of_a_mac(tmp_path):
    with demo_site() as site:
        words = f"{site.url} -s max_pages=3 -s delay=0 -o a.jsonl -p warc -P warc.path=a.warc --quiet".split()
        done = subprocess.run(
            [sys.executable, "-c", MAC, *words],
            cwd=tmp_path, env=environment(PYTHONPATH=str(Path(__file__).parents[1])), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0 0 KqueuePoller\n", "wrote 3 items to all.csv\n")
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "a.warc").stat().st_size > 1000


def test_a_plain_crawl_works_and_a_job_says_what_is_missing(tmp_path):
    with demo_site() as site:
        words = ["run", site.url, "-s", "max_pages=3", "-s", "delay=0", "--report", "report.json", "-o", "a.jsonl"]
        done = subprocess.run(
            [sys.executable, "-c", LACKING, *words, "--quiet"],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    words = "cannot use job as a job folder: this system has no locks of files (flock)"
    assert (done.stdout, done.stderr) == ("[0, 2]\n", f"crawler: {words}\n")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["pages"], report["peak_rss"]) == (3, 0)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
