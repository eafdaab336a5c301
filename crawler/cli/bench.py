"""``crawler bench``: how fast a crawl is on this machine, measured on a site of its own."""

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
from cyclopts import Parameter, validators

from crawler.cli.configuration import Layers
from crawler.cli.logs import log_to_stderr
from crawler.cli.single_page import LogLevel, SettingTexts
from crawler.cli.standard_streams import write
from crawler.engine.api import run
from crawler.engine.report import Report
from crawler.settings import Settings
from crawler.spiders import SiteSpider

__all__ = ["bench"]

BUSY = 0.8
"""Share of the time for which a server that works is what the crawl waits for."""


def bench(
    *,
    pages: Annotated[
        int, Parameter(help="Pages of the site (default 1000).", validator=validators.Number(gte=1, lte=1_000_000))
    ] = 1000,
    job: Annotated[bool, Parameter(help="Measure a durable crawl, as with run --job.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object.")] = False,
    setting: SettingTexts = (),
    log_level: LogLevel = "warning",
) -> int:
    """Measure a crawl of a site that is served here and now; needs no network.

    The site is served by another process, without limits; every page is parsed, and its title and links are kept.
    Start-up is not counted. What a site of the real world allows is another matter.
    """
    log_to_stderr(log_level)
    layers = Layers.read(settings=setting)
    with tempfile.TemporaryDirectory(prefix="crawler-bench-") as folder, Site(pages) as site:
        report = run(
            SiteSpider(site.url),
            settings=Settings(per_host=32) | layers.settings,
            plugins=layers.plugins,
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
    """The site, served by a process of its own until the block is left.

    Parameters:
        pages: how many it has.
    """

    url: str
    """Where it begins."""
    cpu_seconds: float = 0.0
    """Seconds of CPU that serving it took, known when the block was left."""

    def __init__(self, pages: int) -> None:
        self._command = [sys.executable, "-P", "-m", "crawler.testing.bench", str(pages)]

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(  # noqa: S603 - ourselves
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.url = f"http://127.0.0.1:{self._said()}/"
        return self

    def __exit__(self, *_: object) -> None:
        with self._server as server:
            if server.stdin is not None:
                server.stdin.close()  # which ends it
            self.cpu_seconds = float(self._said() or 0.0)

    def _said(self) -> str:
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
    what = f"{size:.0f} kB with {LINKS} links each"
    yield f"{figures['finished']}: {figures['pages']} of {figures['site']} pages, {what}"
    how = "kept in a job" if job else "kept in memory"
    yield f"  speed     {figures['pages_per_second']:.0f} pages a second, {how}"
    yield f"  cpu       {figures['pages_per_cpu_second']:.0f} pages a CPU-second: {figures['cpu_seconds']:.2f} s of CPU"
    yield f"  memory    {figures['peak_rss'] / 1e6:.0f} MB at its peak, Python and all"
    yield f"  server    {figures['server_cpu_seconds']:.2f} s of CPU in {figures['seconds']:.2f} s{_slower(figures)}"
    yield f"  machine   {os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}"


def _slower(figures: dict[str, Any]) -> str:
    if figures["server_cpu_seconds"] < BUSY * figures["seconds"]:
        return ""
    return ": the crawl had to wait for it, so only the pages a CPU-second tell anything"
