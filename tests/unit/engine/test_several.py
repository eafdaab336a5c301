"""Crawls at once in one event loop: each has its own end, and signals reach all of them."""

from __future__ import annotations

import signal
import time

from crawler import JobError, Report, Settings, Spider
from crawler.engine.job import Job
from crawler.engine.session import CrawlSession
from crawler.engine.several import run_several
from crawler.files import locked
from crawler.testing import FakeSite, Page


class Walk(Spider):
    start_urls = ["https://site.test/"]
    settings = Settings(obey_robots=False, grace=0.05)
    wait: float = 0.0

    def parse(self, response):
        if self.wait:
            signal.raise_signal(signal.SIGTERM)
        yield {"url": response.url}


def session(monkeypatch, spider, job=None):
    made = CrawlSession(spider, None, [], [], job)
    site = FakeSite({"/": Page("x", delay=spider.wait)})
    run = made.run
    monkeypatch.setattr(made, "run", lambda: run(site.transport))
    return made


def test_each_crawl_has_its_own_result(monkeypatch, tmp_path):
    (tmp_path / "job").mkdir()
    with locked(tmp_path / "job" / "lock"):
        good, bad = run_several([session(monkeypatch, Walk()), session(monkeypatch, Walk(), Job(tmp_path / "job"))])
    assert isinstance(good, Report)
    assert (good.pages, good.finished) == (1, "finished")
    assert isinstance(bad, JobError)


def test_a_signal_stops_all_crawls(monkeypatch):
    began, before = time.monotonic(), signal.getsignal(signal.SIGTERM)
    first, second = run_several([session(monkeypatch, Walk(wait=0.01)), session(monkeypatch, Walk(wait=30.0))])
    assert time.monotonic() - began < 20
    assert (first.interrupted, first.pages) == (True, 1)
    assert (second.interrupted, second.pages) == (True, 0)
    assert signal.getsignal(signal.SIGTERM) == before
