"""``crawler bench``: measure the speed of a crawl on this machine, on a site that is generated for it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration
from crawler.cli.logs import log_to_stderr
from crawler.cli.options import LogLevel, SettingTexts
from crawler.cli.standard_streams import write
from crawler.engine.api import run
from crawler.engine.report import Report
from crawler.settings import Settings
from crawler.spiders import SiteSpider

__all__ = ["bench"]

SERVER_BOUND = 0.8
"""Share of the duration. If the server used more CPU time than that, it was the bottleneck."""


def bench(
    *,
    pages: Annotated[int, Argument("Number of pages of the site (default 1000).", limits=(1, 1_000_000))] = 1000,
    job: Annotated[bool, Argument("Measure a durable crawl, as with run --job.")] = False,
    json: Annotated[bool, Argument("Print one JSON object instead of text.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Measure the speed of a crawl on this machine.

    Another process serves the site, without limits. Every page is parsed, and its title and links are stored. Startup
    does not count. Real sites allow less.

    Example: crawler bench --pages 5000 --job
    """
    log_to_stderr(log_level)
    configuration = Configuration.load(settings=setting)
    with tempfile.TemporaryDirectory(prefix="crawler-bench-") as folder, Site(pages) as site:
        report = run(
            SiteSpider(site.url),
            settings=Settings(per_host=32) | configuration.settings,
            plugins=configuration.plugins,
            outputs=[Path(folder) / "pages.jsonl"],
            job=Path(folder) / "job" if job else None,
        )
    figures = _figures(report, pages, site.cpu_seconds)
    if json:
        write(msgspec.json.encode(figures).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(figures, job=job)))
    return report.exit_code()


class Site:
    """The site, served by another process until the block is left."""

    url: str
    """The URL of its front page."""
    cpu_seconds: float = 0.0
    """CPU seconds of the server, known when the block is left."""

    def __init__(self, pages: int) -> None:
        self._command = [sys.executable, "-P", "-m", "crawler.testing.bench", str(pages)]

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(  # noqa: S603 - ourselves
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.url = f"http://127.0.0.1:{self._read_line()}/"
        return self

    def __exit__(self, *_: object) -> None:
        with self._server as server:
            if server.stdin is not None:
                server.stdin.close()  # which stops the server
            self.cpu_seconds = float(self._read_line() or 0.0)

    def _read_line(self) -> str:
        return "" if self._server.stdout is None else self._server.stdout.readline().strip()


def _figures(report: Report, pages: int, server: float) -> dict[str, Any]:
    return {
        "site": pages,
        "finished": report.finished,
        "pages": report.pages,
        "items": report.items,
        "requests": report.requests,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
        "cpu_seconds": round(report.cpu_seconds, 3),
        "server_cpu_seconds": round(server, 3),
        "pages_per_second": round(report.pages / report.seconds, 1),
        "pages_per_cpu_second": round(report.pages / report.cpu_seconds, 1),
        "peak_rss": report.peak_rss,
    }


def _lines(figures: dict[str, Any], *, job: bool) -> Iterator[str]:
    from crawler.testing.bench import LINKS  # noqa: PLC0415 - a server, which no other command needs

    size = figures["bytes"] / figures["pages"] / 1000 if figures["pages"] else 0.0
    pages = f"{size:.0f} kB with {LINKS} links each"
    yield f"{figures['finished']}: {figures['pages']} of {figures['site']} pages, {pages}"
    where = "in a job" if job else "in memory"
    yield f"  speed     {figures['pages_per_second']:.0f} pages per second, state {where}"
    cpu = f"{figures['cpu_seconds']:.2f} s of CPU time"
    yield f"  cpu       {figures['pages_per_cpu_second']:.0f} pages per CPU second; {cpu}"
    yield f"  memory    {figures['peak_rss'] / 1e6:.0f} MB at peak, including Python"
    server = f"{figures['server_cpu_seconds']:.2f} s of CPU time in {figures['seconds']:.2f} s"
    yield f"  server    {server}{_server_bound(figures)}"
    yield f"  machine   {os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}"


def _server_bound(figures: dict[str, Any]) -> str:
    """Return a warning if the crawl waited for the server."""
    if figures["server_cpu_seconds"] < SERVER_BOUND * figures["seconds"]:
        return ""
    return ": the crawl waited for the server, so only the pages per CPU second are meaningful"
