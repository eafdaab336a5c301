"""The CPU time of a page on many hosts, relative to one host.

::

    apt-get install nginx-light
    python tests/bench/many_hosts.py [--pages 20000] [--workers 1000] [http:10000 https:1000 ...]

A *case* is a scheme (``http``, ``https``, or ``h2`` for HTTP/2 over TLS) and a number of hosts. Every case fetches the
same number of pages of 5 kB, from nginx on loopback, which answers to every name; the crawl resolves all names to it.
Each case runs as a child process. `us/page` is the CPU time of the crawl, user and system, without the start of the
interpreter (median of the rounds); `ratio` compares it with one host of the same scheme. Connections, and those among
them that resumed a TLS session, are counted by nginx.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import trio
import trustme
from measure import build, free_ports, running

from crawler import Produced, Request, Response, Settings, Spider, crawl
from crawler.cli.run import set_collector
from crawler.transport.curl import CurlTransport
from crawler.transport.resolver import Resolver

CASES = ("http:10000", "https:1000")
COLUMNS = "{:<12} {:>7} {:>7} {:>9} {:>7} {:>12} {:>8} {:>8}"
NAMES = ("case", "pages", "failed", "us/page", "ratio", "connections", "resumed", "peak MB")
SCHEMES = ("http", "https", "h2")
CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_rlimit_nofile 32768;
events {{ worker_connections 16384; }}
http {{
    types {{ text/html html; }}
    log_format bench '$connection $ssl_session_reused';
    access_log {folder}/access.log bench;
    root {folder};
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_session_cache shared:bench:64m;
    keepalive_timeout 600s;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{ports[0]} backlog=4096; location / {{ try_files /page.html =404; }} }}
    server {{ listen 127.0.0.1:{ports[1]} ssl backlog=4096; location / {{ try_files /page.html =404; }} }}
    server {{ listen 127.0.0.1:{ports[2]} ssl backlog=4096; http2 on; location / {{ try_files /page.html =404; }} }}
}}
"""


@dataclass(frozen=True)
class Case:
    """What one child process crawls."""

    scheme: str
    hosts: int
    pages: int
    workers: int


class Hosts(Spider):
    """Fetches a number of pages of each host in turn."""

    settings = Settings(obey_robots=False)

    def __init__(self, case: Case, port: int) -> None:
        super().__init__()
        self._case = case
        self._port = port

    def start(self) -> Produced:
        """Yield all requests."""
        scheme, hosts = self._case.scheme.replace("h2", "https"), self._case.hosts
        for number in range(self._case.pages):
            page, host = divmod(number, hosts)
            yield Request(f"{scheme}://h{host}.bench.example:{self._port}/{page}.html")

    def parse(self, response: Response) -> Produced:
        """Count the page."""


async def go(case: Case, port: int, authority: str) -> dict[str, Any]:
    """Run a crawl; return its figures."""
    resolver = Resolver(getaddrinfo=lambda *_: [(2, 1, 6, "", ("127.0.0.1", 0))])
    async with CurlTransport(resolver=resolver, tls_verify=authority) as transport:
        settings = Settings(workers=case.workers)
        report = await crawl(Hosts(case, port), settings=settings, transport=transport)
    cost = report.cpu_seconds / report.pages * 1e6
    return {"pages": report.pages, "failed": report.failed, "us/page": cost, "peak MB": round(report.peak_rss / 1e6)}


@contextmanager
def served(folder: Path) -> Iterator[dict[str, int]]:
    """Serve one page under every name; yield the ports by scheme."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.issue_cert("*.bench.example").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    (folder / "page.html").write_text("<!doctype html><title>A page</title><p>" + "word " * 1000)
    ports = free_ports(len(SCHEMES))
    with running(CONFIG.format(folder=folder, ports=ports), ports, folder):
        yield dict(zip(SCHEMES, ports, strict=True))


def run(case: Case, port: int, folder: Path) -> dict[str, Any]:
    """Run a case in a child process; return its figures."""
    log = folder / "access.log"
    os.truncate(log, 0)
    command = [sys.executable, __file__, "--child", json.dumps(vars(case)), str(port), str(folder / "authority.pem")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    sessions = dict(line.split() for line in log.read_text().splitlines())
    figures: dict[str, Any] = json.loads(done.stdout)
    figures["connections"] = len(sessions)
    if case.scheme != "http":
        figures["resumed"] = sum(word == "r" for word in sessions.values())
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", default=CASES, help=f"scheme:hosts ({' '.join(CASES)})")
    parser.add_argument("--pages", type=int, default=20_000, help="pages of each case (20,000)")
    parser.add_argument("--workers", type=int, default=1000, help="requests in flight (1,000)")
    parser.add_argument("--rounds", type=int, default=3, help="crawls of each case, of which the median counts (3)")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        text, port, authority = options.child
        case = Case(**json.loads(text))
        gc.freeze()  # as the command line does
        set_collector(case.workers)
        print(json.dumps(trio.run(go, case, int(port), authority)))
        return
    print(build())
    print(COLUMNS.format(*NAMES))
    cases = []
    for word in options.cases:
        scheme, _, hosts = word.partition(":")
        cases += [Case(scheme, number, options.pages, options.workers) for number in (1, int(hosts))]
    with tempfile.TemporaryDirectory(prefix="many-hosts-") as name, served(Path(name)) as ports:
        rounds = [[run(case, ports[case.scheme], Path(name)) for case in cases] for _ in range(options.rounds)]
    one = 0.0
    for case, figures in zip(cases, zip(*rounds, strict=True), strict=True):
        cost = median(found["us/page"] for found in figures)
        one = cost if case.hosts == 1 else one
        row = figures[0] | {"case": f"{case.scheme}:{case.hosts}", "us/page": round(cost), "ratio": f"{cost / one:.2f}"}
        print(COLUMNS.format(*(row.get(name, "-") for name in NAMES)))


if __name__ == "__main__":
    main()
