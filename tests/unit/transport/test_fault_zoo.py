"""All fault cases as one site, crawled by the command line."""

from __future__ import annotations

import json
import sys

import pytest
import trio
from support.faults.server import FAULT_CASES, fault_server

SPIDER = """
from urllib.parse import urlsplit

from crawler import Request, Spider

HANGING = %r

class Zoo(Spider):
    def __init__(self, start: str) -> None:
        super().__init__()
        self.first = start

    def start(self):
        yield Request(self.first)

    def parse(self, response):
        yield {"url": response.url, "became": "page"}
        for hop in response.redirects:
            yield {"url": hop, "became": "redirect"}
        for link in response.links():
            hangs = urlsplit(link.url).path.strip("/") in HANGING
            yield response.follow(link, errback=self.lost, timeout=3 if hangs else None)

    def lost(self, failure):
        for way in (*failure.request.redirects, failure.request.url):
            yield {"url": way, "became": failure.error.full_reason}
"""
LIMITS = (
    # The server and the crawl are slow if other tests use all cores: only the requests that hang have a short deadline.
    "request_deadline=60",
    "connect_timeout=60",
    "obey_robots=false",  # the robots.txt of an origin that hangs would take that long
    "attempts=2",
    "outage_patience=0",
    "slow_start=false",
    "per_host=64",
    "workers=64",
)


async def run(folder, *arguments):
    """Run the command line in a process of its own, and return exit code, report and standard error."""
    settings = [word for limit in LIMITS for word in ("-s", limit)]
    command = [sys.executable, "-m", "crawler", "run", *arguments, *settings, "--report", "report.json"]
    with trio.fail_after(120):
        done = await trio.run_process(command, cwd=folder, capture_stderr=True, capture_stdout=True, check=False)
    return done.returncode, json.loads((folder / "report.json").read_text()), done.stderr.decode()


@pytest.fixture
async def zoo(tmp_path):
    """The server, and a folder with a spider that follows all its links."""
    (tmp_path / "zoo.py").write_text(SPIDER % {name for name, case in FAULT_CASES.items() if case.hangs})
    async with fault_server() as server:
        yield server, tmp_path


async def test_nothing_is_lost_nothing_hangs_and_no_bomb_explodes(zoo):
    server, folder = zoo
    code, report, summary = await run(folder, "zoo.py", "-a", f"start={server.origin}", "-o", "items.jsonl")
    assert (code, report["finished"]) == (4, "finished")
    assert "Traceback" not in summary
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    became = {item["url"]: item["became"] for item in items}
    refused = {url for kind in report["filtered"] for url in report["samples"].get(kind, ())}
    missing = {server.url(name) for name in FAULT_CASES} - became.keys() - refused
    assert missing == set()
    for name, case in FAULT_CASES.items():
        if case.error and not case.or_fails and not case.certified:
            what = became[server.url(name)]
            if name == "accept-reset":  # the reset may arrive before the client knows that it is connected
                assert what in {"connect_failed.reset", "broken_exchange.reset"}
            else:
                assert (name, what.partition(".")[0]) == (name, case.error)
        elif 200 <= case.status < 300 and not case.certified and not case.or_fails:
            assert (name, became[server.url(name)]) in {(name, "page"), (name, "redirect")}
    failed = [case for case in FAULT_CASES.values() if case.error and not case.or_fails]
    assert report["failed"] == sum(report["failures"].values()) == sum(report["kinds"].values()) >= len(failed)
    assert report["failures"].keys() >= {"connect_failed", "fetch_timeout", "broken_exchange", "body_too_large"}
    assert report["kinds"].keys() >= {
        "connect_failed.dns", "connect_failed.refused", "connect_failed.tls_untrusted", "connect_failed.tls_version",
        "connect_failed.tls", "fetch_timeout.deadline", "broken_exchange.closed",
        "broken_exchange.reset", "broken_exchange.no_http", "broken_exchange.bad_header", "broken_exchange.bad_chunk",
        "broken_exchange.headers_too_large", "bad_redirect", "redirect_loop", "too_many_redirects", "status_999",
    }  # fmt: skip
    assert report["pages"] == sum(item["became"] == "page" for item in items) > 80
    assert report["peak_rss"] < 400e6
    for kind in report["kinds"]:
        assert f"  failed    {kind} " in summary
