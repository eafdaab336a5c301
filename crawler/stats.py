"""What a crawl has counted so far."""

from __future__ import annotations

import builtins
from collections import Counter
from typing import Any

import attrs
import msgspec

__all__ = ["LaneStats", "Stats"]

MAX_LANES = 10_000
OTHERS = "(others)"


@attrs.define
class LaneStats:
    """Counts of one lane."""

    requests: int = 0
    """Requests that were sent."""
    refusals: int = 0
    """Answers that say that the server was asked too much: 429, 503, …"""
    waited: dict[str, float] = attrs.field(factory=dict)
    """Seconds that requests were ready and had to wait, by reason; of a job, in this run."""
    quotas: dict[str, Any] = attrs.field(factory=dict)
    """What the server declared, by policy."""


@attrs.define
class Stats:
    """Counts of a whole crawl."""

    pages: int = 0
    """Answers whose callback succeeded."""
    items: int = 0
    """Items that were committed."""
    requests: int = 0
    """Attempts that were sent."""
    retries: int = 0
    """Attempts that were followed by another one."""
    redirects: int = 0
    """Answers that led elsewhere, whether that was new and in scope or not."""
    failed: int = 0
    """Requests that could not be had after all attempts, and pages whose handler raised."""
    bytes: int = 0
    """Decoded bytes of all bodies."""
    filtered: Counter[str] = attrs.field(factory=Counter)
    """Requests that were not made, by reason: ``duplicate``, ``scope``, ``depth``, ``robots``, ``network``,
    ``include``, ``trap_repeats``, …, a plugin's word."""
    dropped: Counter[str] = attrs.field(factory=Counter)
    """Items that a plugin did not want, by its word."""
    statuses: Counter[int] = attrs.field(factory=Counter)
    """Answers, by HTTP status."""
    failures: Counter[str] = attrs.field(factory=Counter)
    """What `failed` counts, by kind of error."""
    kinds: Counter[str] = attrs.field(factory=Counter)
    """The same, as finely as is known: ``connect_failed.refused``, ``fetch_timeout.deadline``, ``status_500``."""
    samples: dict[str, list[str]] = attrs.field(factory=dict)
    """A few URLs of each kind of failure, coarse and fine, and of each reason in `filtered`."""
    counters: Counter[str] = attrs.field(factory=Counter)
    """What spiders and plugins counted by `crawl.count`."""
    lanes: dict[str, LaneStats] = attrs.field(factory=dict)
    """Counts by lane; those after the first ten thousand together under ``(others)``."""

    def to_json(self, *, lanes: bool) -> builtins.bytes:
        """The counts as JSON, those of the lanes if asked for."""
        fields = {name: getattr(self, name) for name in _FIELDS if name != "lanes"}
        if lanes:
            fields["lanes"] = {name: attrs.asdict(lane) for name, lane in self.lanes.items()}
        return msgspec.json.encode(fields)

    def restore(self, data: builtins.bytes) -> None:
        """Goes on from the counts that `to_json` wrote; times are those of one run."""
        for name, value in msgspec.json.decode(data).items():
            if name == "lanes":
                self.lanes = {lane: LaneStats(**counts | {"waited": {}}) for lane, counts in value.items()}
            elif name == "statuses":
                self.statuses = Counter({int(status): count for status, count in value.items()})
            elif isinstance(value, dict) and name != "samples":
                setattr(self, name, Counter(value))
            else:
                setattr(self, name, value)

    def lane(self, name: str) -> LaneStats:
        """The counts of one lane, made when they are first asked for."""
        found = self.lanes.get(name)
        if found is None:
            name = name if len(self.lanes) < MAX_LANES else OTHERS
            found = self.lanes.setdefault(name, LaneStats())
        return found

    def filter(self, reason: str, url: str) -> None:
        """Counts a request that was not made."""
        self.filtered[reason] += 1
        self.sample(reason, url)

    def sample(self, kind: str, url: str, most: int = 5) -> None:
        """Keeps the first few URLs of a kind."""
        urls = self.samples.setdefault(kind, [])
        if len(urls) < most:
            urls.append(url)


_FIELDS = tuple(field.name for field in attrs.fields(Stats))
