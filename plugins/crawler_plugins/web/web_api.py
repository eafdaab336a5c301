"""`make_app`: the pages and the JSON API of the web page."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
import trio
from starlette.applications import Starlette
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import crawler
from crawler.monitor import Snapshot, lane_id, lane_of
from crawler_plugins.web.web_json import Problem, acting, encoded, number, reading, text_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from crawler_plugins.web.web_plugin import Web

__all__ = ["make_app"]

STATIC: Final = Path(__file__).parent / "static"
HOSTS: Final = 200
"""Maximum number of hosts that are described."""
LISTED: Final = 200
"""Default number of pages, requests or records in one response."""
INTERVAL: Final = 1.0
"""Seconds between two events."""
SECRET: Final = frozenset({"headers", "proxies"})
"""Settings whose values may be secret."""


def make_app(web: Web) -> Starlette:
    """Return the application."""
    api = _Api(web)
    reads = {
        "snapshot": api.snapshot, "history": api.history, "failures": api.failures, "items": api.items,
        "pages": api.pages, "queue": api.queue, "explain": api.explain, "log": api.log, "settings": api.settings,
        "job": api.job,
    }  # fmt: skip
    actions = {
        "pause": api.pause, "resume": api.resume, "pace": api.pace, "retry": api.retry, "exclude": api.exclude,
        "stop": api.stop,
    }  # fmt: skip
    return Starlette(
        routes=[
            Route("/", _index),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/events", api.events),
            *(Route(f"/api/{name}", reading(function)) for name, function in reads.items()),
            *(Route(f"/api/{name}", acting(function), methods=["POST"]) for name, function in actions.items()),
        ]
    )


async def _index(_request: Request) -> Response:  # noqa: ASYNC124 - a plain function would run in a thread
    return FileResponse(STATIC / "index.html")


class _Api:
    """The endpoints of the API."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._crawl = web.crawl
        self._observer = web.observer
        self._last_event = b""
        self._event_at = -math.inf

    async def events(self, request: Request) -> Response:
        """Send a snapshot every second, as server-sent events."""

        async def stream() -> AsyncIterator[bytes]:  # noqa: ASYNC900 - it holds nothing that must be closed
            while True:
                yield self._event()
                await trio.sleep(INTERVAL)

        return StreamingResponse(stream(), media_type="text/event-stream")

    def _event(self) -> bytes:
        """Return an event with a snapshot. Clients share a recent one, so that many of them do not slow the crawl."""
        if trio.current_time() - self._event_at >= INTERVAL / 2:
            self._last_event = b"data: " + encoded(self._now(HOSTS)) + b"\n\n"
            self._event_at = trio.current_time()
        return self._last_event

    def _now(self, hosts: int) -> dict[str, Any]:
        now: Snapshot = self._observer.snapshot(hosts)
        return msgspec.structs.asdict(now) | {
            "excluded": list(self._web.excluded),
            "paused": self._web.is_paused,
        }

    # ---- reading -----------------------------------------------------------------------------------------------------

    def snapshot(self, query: dict[str, str]) -> dict[str, Any]:
        """The state of the crawl, with its busiest hosts."""
        return self._now(number(query, "hosts", HOSTS))

    def history(self, query: dict[str, str]) -> list[dict[str, float]]:
        """The rates over time."""
        return self._observer.points

    def failures(self, query: dict[str, str]) -> dict[str, Any]:
        """The kinds of failures, and the latest ones."""
        return {"kinds": dict(self._crawl.stats.kinds), "latest": _latest(self._observer.failures, query)}

    def items(self, query: dict[str, str]) -> dict[str, Any]:
        """The latest items, and how many have a value in each field."""
        observer, stats = self._observer, self._crawl.stats
        return {
            "total": observer.types.total(),
            "types": dict(observer.types),
            "fields": dict(observer.fields.most_common()),
            "dropped": dict(stats.dropped),
            "latest": _latest(observer.items, query),
        }

    def pages(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """The latest pages; ``q`` is a part of the URL or a status."""
        wanted = query.get("q", "").strip().lower()
        found = [
            page for page in self._observer.pages if wanted in page["url"].lower() or wanted == str(page["status"])
        ]
        return _latest(found, query)

    def queue(self, query: dict[str, str]) -> dict[str, Any]:
        """Waiting requests by host; ``host`` lists those of one."""
        lanes = self._crawl.control.statistics().lanes
        hosts = sorted(((lanes[name].waiting, name) for name in lanes), reverse=True)[:HOSTS]
        host = lane_of(query.get("host", "")) or (hosts[0][1] if hosts else "")
        requests = [
            {
                "url": request.shown_url, "method": request.method, "depth": request.depth,
                "priority": request.priority, "callback": str(request.callback or "parse"),
            }
            for request in self._crawl.control.queue(host, number(query, "most", LISTED))
        ]  # fmt: skip
        return {
            "hosts": [
                {"id": lane_id(name), "name": name, "waiting": n, "has_more": lanes[name].has_more} for n, name in hosts
            ],
            "host": host,
            "requests": requests,
        }

    def explain(self, query: dict[str, str]) -> dict[str, Any]:
        """The knowledge of the crawl about a URL."""
        facts = attrs.asdict(self._crawl.control.explain(query.get("url", "")))
        url = facts["url"]
        shown = crawler.Request(url).shown_url
        pages = [page for page in self._observer.pages if page["url"] == shown]
        failures = [entry for entry in self._observer.failures if entry["url"] == shown]
        return facts | {
            "url": shown,
            "found_on": self._observer.found_on(url),
            "excluded": self._web.excludes(url),
            "page": pages[-1] if pages else None,
            "failure": failures[-1] if failures else None,
        }

    def log(self, query: dict[str, str]) -> dict[str, Any]:
        """The last records of the log, what plugins found to be wrong, and what is lost so far."""
        job = self._crawl.job
        return {
            "records": _latest(self._observer.records, query),
            "problems": [*job.problems, *(loss.message for loss in job.losses())],
        }

    def settings(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Every setting and its value."""
        given = self._crawl.settings.given
        return [
            {
                "name": field.name,
                "value": "***" if field.name in SECRET and field.name in given else _shown(self._crawl, field.name),
                "given": field.name in given,
            }
            for field in attrs.fields(type(self._crawl.settings))
            if not field.name.startswith("_")
        ]

    def job(self, query: dict[str, str]) -> dict[str, Any]:
        """The earlier runs of the job."""
        runs = [msgspec.to_builtins(run, enc_hook=str) for run in getattr(self._crawl, "runs", ())]
        return {"durable": self._crawl.job.durable, "runs": runs}

    # ---- acting ------------------------------------------------------------------------------------------------------

    def pause(self, values: dict[str, Any]) -> dict[str, Any]:
        """Pause a lane, or all of them."""
        lane = lane_of(text_of(values, "lane")) or None
        self._crawl.control.pause(lane)
        self._web.is_paused = self._web.is_paused or lane is None
        return {"done": True}

    def resume(self, values: dict[str, Any]) -> dict[str, Any]:
        """Resume a lane, or all of them."""
        self._crawl.control.resume(lane_of(text_of(values, "lane")) or None)
        self._web.is_paused = False
        return {"done": True}

    def pace(self, values: dict[str, Any]) -> dict[str, Any]:
        """Change the delay or the concurrency of a lane."""
        delay, concurrency = values.get("delay"), values.get("concurrency")
        self._crawl.control.set_pace(lane_of(text_of(values, "lane")), delay=delay, concurrency=concurrency)
        return {"done": True}

    def retry(self, values: dict[str, Any]) -> dict[str, Any]:
        """Send the requests of a kind of failure again."""
        return {"retried": self._observer.retry(text_of(values, "kind"))}

    def exclude(self, values: dict[str, Any]) -> dict[str, Any]:
        """Drop the requests whose URL matches a pattern, those that wait and those to come."""
        pattern = text_of(values, "pattern")
        if not pattern:
            raise Problem("pattern is empty")
        self._web.exclude(pattern)
        return {"excluded": list(self._web.excluded)}

    def stop(self, values: dict[str, Any]) -> dict[str, Any]:
        """Let requests in flight finish, and end the crawl."""
        self._crawl.stop("stopped on the web page")
        return {"done": True}


def _latest(entries: Any, query: dict[str, str]) -> list[dict[str, Any]]:
    """Return the last entries, the latest first."""
    return list(entries)[::-1][: number(query, "most", LISTED)]


def _shown(crawl: Any, name: str) -> Any:
    value = getattr(crawl.settings, name)
    return attrs.asdict(value) if attrs.has(type(value)) else msgspec.to_builtins(value, enc_hook=str)
