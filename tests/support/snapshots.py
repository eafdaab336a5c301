"""A snapshot of a crawl, for tests of what is shown of it."""

from __future__ import annotations

from typing import Any

from crawler.monitor import Host, Snapshot

__all__ = ["NOW", "host", "snapshot"]

NOW = 1000.0


def host(**fields: Any) -> Host:
    known = {
        "name": "https://a.test", "state": "fetching", "words": "3 of 8 in flight", "in_flight": 3, "waiting": 9,
        "has_more": False, "requests": 7, "refusals": 0, "concurrency": 8, "ready_at": None,
    }  # fmt: skip
    return Host(**known | fields)


def snapshot(**fields: Any) -> Snapshot:
    known: dict[str, Any] = {
        "time": NOW, "seconds": 185.0, "spider": "books", "stopping": None, "pages": 1, "items": 2, "requests": 3,
        "retries": 0, "failed": 0, "filtered": 0, "body_bytes": 4_500_000, "pages_per_second": 12.34, "average": 10.0,
        "bytes_per_second": 2000.0, "in_flight": 3, "waiting": 9, "next_start": None, "seconds_left": 75.0,
        "network_down_since": None, "down": [], "hosts": [host()], "host_count": 1, "statuses": {}, "problems": [],
    }  # fmt: skip
    return Snapshot(**known | fields)
