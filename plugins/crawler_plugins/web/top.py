"""``crawler top``: the live view of a crawl that runs elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import trio

from crawler import ConfigError, client
from crawler.api_client import Client
from crawler.cli import Argument, live_view, log_to_stderr, one_line
from crawler.monitor import Host, Rate, Snapshot, printable_line
from crawler.store import JobState, inspect_job

__all__ = ["top"]

INTERVAL: Final = 1.0
"""Seconds between two snapshots."""
TIMEOUT: Final = 10.0
"""Seconds until a web page must have answered."""


def top(
    source: Annotated[str, Argument("The folder of a job, or the address that run --ui printed.")],
    /,
    *,
    once: Annotated[bool, Argument("Print one line, and exit.")] = False,
) -> int:
    """Show the live view of a crawl that runs elsewhere.

    The view stays until the crawl ends or you press Ctrl-C. Of a job it shows the counts; of a web page, hosts, quotas
    and failures as well.

    Example: crawler top books.job
    """
    log_to_stderr("warning")
    trio.run(_watch, source, once)
    if not once:
        sys.stderr.write("the crawl has ended\n")
    return 0


async def _watch(source: str, once: bool) -> None:
    """Show a web page or a job."""
    if "://" in source:
        async with client(attempts=1, timeout=TIMEOUT) as http:
            await _show(_PageSource(source, http).next, once=once)
    else:
        await _show(_JobSource(Path(source)).next, once=once)


async def _show(take: Callable[[], Awaitable[Snapshot | None]], *, once: bool) -> None:
    """Show snapshots until there are no more: on a terminal in place of the one before, else as a line each."""
    if once or not sys.stdout.isatty():
        while (now := await take()) is not None:
            sys.stdout.write(f"{printable_line(one_line(now))}\n")
            sys.stdout.flush()
            if once:
                return
            await trio.sleep(INTERVAL)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    console = Console()
    with Live(console=console, auto_refresh=False) as live:
        while (now := await take()) is not None:
            width, height = console.size
            live.update(live_view(now, width, height), refresh=True)
            await trio.sleep(INTERVAL)


class _PageSource:
    """Takes snapshots from a web page."""

    def __init__(self, address: str, http: Client) -> None:
        try:
            parts = urlsplit(address)
        except ValueError as error:
            raise ConfigError(f"{address!r} is not the address of a web page: {str(error).lower()}") from None
        token = parse_qs(parts.query).get("token", [""])[0]
        self._place = f"{parts.scheme}://{parts.netloc}"
        self._known = {"Authorization": f"Bearer {token or '-'}"}
        self._http = http
        self._has_answered = False

    async def next(self) -> Snapshot | None:
        """Return a snapshot; `None` if the crawl has ended."""
        try:
            response = await self._http.get(f"{self._place}/api/snapshot", headers=self._known)
        except Exception as error:  # of httpx
            if self._has_answered:
                return None
            raise ConfigError(f"no web page of a crawl at {self._place}: {str(error).lower()}") from None
        if response.status_code != 200:
            status = response.status_code
            raise ConfigError(f"{self._place} returned {status}: use the whole address that run --ui printed")
        try:
            snapshot = msgspec.convert(msgspec.json.decode(response.content), Snapshot, strict=False)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{self._place} is not a web page of this version of crawler: {error}") from None
        self._has_answered = True
        return snapshot


class _JobSource:
    """Takes snapshots of a job, from outside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rate = Rate()
        self._began = time.time()
        self._is_finished = False

    async def next(self) -> Snapshot | None:  # noqa: ASYNC124 - as that of a page
        """Return a snapshot; `None` after the last one of a finished job."""
        if self._is_finished:
            return None
        state, now = inspect_job(self._folder), time.time()
        self._is_finished = state.finished
        self._rate.note(now, state.stats.get("pages", 0))
        return _snapshot(state, self._rate, now, self._began)


def _snapshot(state: JobState, rate: Rate, now: float, began: float) -> Snapshot:
    """Return a snapshot of a job from its files."""
    stats: dict[str, Any] = state.stats
    hosts = [_host(name, waiting, stats) for name, waiting in state.waiting_by_lane.items()]
    per_second = rate.per_second()
    return Snapshot(
        time=now,
        seconds=now - began,
        spider=printable_line(state.spider),
        stopping=None,
        pages=stats.get("pages", 0),
        items=state.items,
        requests=stats.get("requests", 0),
        retries=stats.get("retries", 0),
        failed=stats.get("failed", 0),
        filtered=sum(stats.get("filtered", {}).values()),
        body_bytes=stats.get("bytes", 0),
        pages_per_second=per_second,
        average=per_second,
        bytes_per_second=0.0,
        in_flight=0,
        waiting=state.waiting,
        next_start=None,
        seconds_left=state.waiting / per_second if per_second else None,
        network_down_since=None,
        down=(),
        hosts=hosts,
        host_count=len(hosts),
        statuses={int(status): count for status, count in stats.get("statuses", {}).items()},
        problems=(),
    )


def _host(name: str, waiting: int, stats: dict[str, Any]) -> Host:
    counts = stats.get("lanes", {}).get(name, {})
    return Host(
        name=printable_line(name),
        state="waiting",
        words=f"{waiting} waiting",
        in_flight=0,
        waiting=waiting,
        has_more=False,
        requests=counts.get("requests", 0),
        refusals=counts.get("refusals", 0),
        concurrency=0,
        ready_at=None,
    )
