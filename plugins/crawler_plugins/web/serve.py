"""``crawler serve``: the web page of several jobs, which runs, stops and resumes them; and the API of scrapyd."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import trio

from crawler import ConfigError
from crawler.cli import ADDRESS, Argument, address_options, construct, log_to_stderr, require
from crawler_plugins.web.job_server import JobServer
from crawler_plugins.web.web_plugin import Web

__all__ = ["serve"]


def serve(
    *folders: Annotated[Path, Argument("Folders of jobs, or folders that contain them.")],
    ui: Annotated[
        str,
        Argument("Where to serve the page. Default: a free port of 127.0.0.1.", metavar="HOST:PORT", optional=ADDRESS),
    ] = "",
    token: Annotated[
        str, Argument("The token that browsers and programs need; env:NAME reads a variable. Default: a random one.")
    ] = "",
    spiders: Annotated[
        Path, Argument("Folder of the spiders. Default: the working directory.", metavar="DIR")
    ] = Path(),
    processes: Annotated[
        int | None, Argument("Crawls that run at once; others wait. Default: one for each core.", metavar="N")
    ] = None,
) -> int:
    """Serve a web page of jobs, and the API of scrapyd.

    The page compares runs, and starts, stops, resumes and exports crawls. Each crawl is a process of its own. It ends
    with this one, and can be resumed.

    Example: mkdir jobs; crawler serve jobs --ui 127.0.0.1:6800 --token env:UI_TOKEN
    """
    log_to_stderr("warning")
    if not folders:
        raise ConfigError("FOLDER is missing: crawler serve needs a folder for jobs")
    if processes is not None and processes < 1:
        raise ConfigError(f"--processes must be at least 1, not {processes}")
    options = address_options(ui) | ({"token": token} if token else {})
    require("crawler serve", Web.requires)
    page = construct(Web, options, what="crawler serve")
    jobs = JobServer(
        folders,
        spiders=spiders,
        max_running=processes or os.cpu_count() or 1,
        host=options.get("host", "127.0.0.1"),
    )
    trio.run(_serve, jobs, page)
    return 0


async def _serve(jobs: JobServer, page: Web) -> None:
    """Serve the page and run crawls until SIGINT or SIGTERM. Then the crawls are stopped, which takes up to 14 s."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with page.serving_jobs(jobs) as address:
            sys.stderr.write(f"web page: {address}\n")
            async with trio.open_nursery() as nursery:
                await nursery.start(jobs.run)
                await anext(signals)
                nursery.cancel_scope.cancel(reason="a signal ends the server")
