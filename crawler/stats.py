"""The counts of a crawl so far, and those of the runs of a job."""

from __future__ import annotations

import builtins
from collections import Counter
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct, field

from crawler.redaction import redact
from crawler.urls import origin, part_of_site

__all__ = ["PAGE", "LaneStats", "RunRecord", "Stats", "without_failures"]

PAGE = "page"
"""The result of a page that gave something."""
MAX_PARTS = 50
"""Parts of sites that are counted: those of a site are few, unless each page has a name of its own there."""

MAX_LANES = 10_000
"""Maximum number of lanes that are counted one by one."""
MAX_EVENTS = 20
"""Maximum number of quota events of one lane that are kept."""
OTHERS = "(others)"
"""The name under which all further lanes are counted."""
MAX_SAMPLES = 5
"""URLs that are kept as examples of one kind."""
MAX_TARGETS = 50
"""Maximum number of targets of redirects that are counted one by one: one that many pages lead to stays among them."""


class LaneStats(Struct):
    """The counts of one lane."""

    requests: int = 0
    """Requests that were sent."""
    refusals: int = 0
    """Responses by which the server refused load: 429, 503, …"""
    waited: dict[str, float] = {}
    """Seconds that requests were ready but had to wait, by reason. Only this run of a job counts."""
    quotas: dict[str, Any] = {}
    """The quotas that the server declared, by policy."""
    events: list[dict[str, Any]] = []
    """The latest events of these quotas, such as ``low`` and ``forecast``; see `crawler.QuotaEvent`."""

    def note(self, *events: dict[str, Any]) -> None:
        """Keep events of quotas."""
        self.events = [*self.events, *events][-MAX_EVENTS:]


class Stats(Struct):
    """The counts of a whole crawl."""

    pages: int = 0
    """Responses whose callback succeeded."""
    dealt_with: int = 0
    """Requests that a plugin dropped because there was nothing to do, such as pages that had not changed."""
    incomplete: int = 0
    """The pages whose body was cut, with the setting ``incomplete="keep"``."""
    items: int = 0
    """Items that were committed."""
    requests: int = 0
    """Requests that were sent, each repetition included: of retries, of authentication, and of libcurl if a kept
    connection was closed."""
    retries: int = 0
    """Attempts that were followed by another attempt."""
    redirects: int = 0
    """Responses that redirected, whether their target was new and in scope or not."""
    failed: int = 0
    """Requests that failed in all attempts, and pages whose handler raised."""
    bytes: int = 0
    """Decoded bytes of all bodies."""
    soft_404_kept: int = 0
    """Pages that were handled before the host was found to answer a random path in the same way."""
    filtered: Counter[str] = field(default_factory=Counter)
    """Requests that were not made, by reason: ``duplicate``, ``scope``, ``depth``, ``robots``, ``network``,
    ``include``, ``trap_repeats``, …, or the reason that a plugin gave."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Items that a plugin dropped, by the reason it gave."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Responses by HTTP status."""
    failures: Counter[str] = field(default_factory=Counter)
    """The failures in `failed`, by class: ``connect_failed``."""
    kinds: Counter[str] = field(default_factory=Counter)
    """The failures in `failed`, by exact kind: ``connect_failed.refused``, ``fetch_timeout.deadline``,
    ``status_500``."""
    unreachable: Counter[str] = field(default_factory=Counter)
    """Those of `kinds` whose host was given up, which the next run of a job fetches. `samples` has their origins."""
    redirected: Counter[str] = field(default_factory=Counter)
    """Redirects by target, for the 50 targets with most of them. Of targets that name the page which led to them, such
    as ``/login?next=/orders/7``, the query is left out."""
    redirected_from: dict[str, list[str]] = {}
    """A few URLs that led to each of these targets."""
    samples: dict[str, list[str]] = {}
    """A few URLs of each class and each kind of failure, of each reason in `filtered`, and of each status from 400 that
    no callback accepts."""
    results: Counter[str] = field(default_factory=Counter)
    """Requests with a response, by callback and what that gave: ``parse page``, ``parse nothing``, ``parse empty``,
    ``parse status_403`` or the reason of a wall."""
    parts: Counter[str] = field(default_factory=Counter)
    """Pages that gave something, by the first segment of their path, for the first 50 of these."""
    counters: Counter[str] = field(default_factory=Counter)
    """Counts by `crawl.count` of spiders and plugins."""
    lanes: dict[str, LaneStats] = {}
    """Counts by lane. Lanes after the first 10,000 are counted together as ``(others)``."""

    def to_json(self, *, lanes: bool) -> builtins.bytes:
        """Return the counts as JSON.

        Parameters:
            lanes: Whether to include the counts of the lanes.
        """
        if lanes:
            return msgspec.json.encode(self)
        return msgspec.json.encode({name: getattr(self, name) for name in self.__struct_fields__ if name != "lanes"})

    def restore(self, data: builtins.bytes) -> None:
        """Set the counts to those that `to_json` wrote. `LaneStats.waited` starts empty, since it counts one run."""
        for name, value in msgspec.json.decode(data).items():
            if name == "lanes":
                self.lanes = {lane: LaneStats(**counts | {"waited": {}}) for lane, counts in value.items()}
            elif name == "statuses":
                self.statuses = Counter({int(status): count for status, count in value.items()})
            elif name in ("samples", "redirected_from"):
                setattr(self, name, {kind: [redact(url) for url in urls] for kind, urls in value.items()})
            elif isinstance(value, dict):
                setattr(self, name, Counter(value))
            else:
                setattr(self, name, value)

    def add(self, other: Stats) -> None:
        """Add the counts of another worker. Of the quotas of a lane, those of the other remain."""
        self._combine(other, 1)
        for kind, urls in other.samples.items():
            for url in urls:
                self.sample(kind, url)
        for target, urls in other.redirected_from.items():
            self.redirected_from.setdefault(target, urls)
        for name, theirs in other.lanes.items():
            lane = self.lane(name)
            lane.requests += theirs.requests
            lane.refusals += theirs.refusals
            lane.quotas |= theirs.quotas
            lane.note(*theirs.events)
            lane.waited = dict(Counter(lane.waited) + Counter(theirs.waited))

    def subtract(self, other: Stats) -> None:
        """Subtract counts. Samples and lanes remain."""
        self._combine(other, -1)

    def _combine(self, other: Stats, sign: int) -> None:
        for name in self.__struct_fields__:
            theirs = getattr(other, name)
            if isinstance(theirs, int):
                setattr(self, name, getattr(self, name) + sign * theirs)
            elif isinstance(theirs, Counter):
                own: Counter[Any] = getattr(self, name)
                for key, n in theirs.items():
                    own[key] += sign * n
                    if not own[key]:
                        del own[key]

    def lane(self, name: str) -> LaneStats:
        """Return the counts of one lane, which are created on first use."""
        found = self.lanes.get(name)
        if found is None:
            name = name if len(self.lanes) < MAX_LANES else OTHERS
            found = self.lanes.setdefault(name, LaneStats())
        return found

    def filter(self, reason: str, url: str) -> None:
        """Count a request that was not made."""
        self.filtered[reason] += 1
        self.sample(reason, url)

    def fail(self, reason: str, url: str, full_reason: str = "", *, is_unreachable: bool = False) -> None:
        """Count a request that failed for good, perhaps because its host was given up."""
        self.failed += 1
        self.failures[reason] += 1
        self.sample(reason, url)
        self.kinds[full_reason or reason] += 1
        if full_reason:
            self.sample(full_reason, url)
        if is_unreachable:
            self.unreachable[full_reason or reason] += 1
            if origin(url) not in self.samples.get("unreachable", ()):
                self.sample("unreachable", origin(url))

    def result(self, name: str, result: str, url: str) -> None:
        """Count what the response to a request gave to a callback."""
        key = f"{name} {result}"
        self.results[key] += 1
        if result != PAGE:
            self.sample(key, url)
        elif (part := part_of_site(url)) in self.parts or len(self.parts) < MAX_PARTS:
            self.parts[part] += 1

    def redirect(self, url: str, target: str, chain: tuple[str, ...] = ()) -> None:
        """Count a redirect that follows others of a `chain`; a loop is one page, so its target is not counted again."""
        self.redirects += 1
        if target == url or target in chain:
            return
        address, _, query = target.partition("?")
        path = url.partition("://")[2].partition("/")[2].partition("?")[0]
        target = redact(address if path and path in unquote(query) else target)
        if target not in self.redirected and len(self.redirected) >= MAX_TARGETS:
            least = min(self.redirected, key=self.redirected.__getitem__)
            del self.redirected[least]
            self.redirected_from.pop(least, None)
        self.redirected[target] += 1
        urls = self.redirected_from.setdefault(target, [])
        if len(urls) < MAX_SAMPLES:
            urls.append(redact(url))

    def sample(self, kind: str, url: str, limit: int = MAX_SAMPLES) -> None:
        """Keep a URL as an example of a kind, unless `limit` are kept already."""
        urls = self.samples.setdefault(kind, [])
        if len(urls) < limit:
            urls.append(redact(url))


def without_failures(data: builtins.bytes, *, unreachable: bool) -> builtins.bytes:
    """Return counts as JSON without the failures that are queued again: all, or those whose host was given up."""
    counts, stats = msgspec.json.decode(data), Stats()
    stats.restore(data)
    gone = stats.unreachable if unreachable else stats.kinds
    classes: Counter[str] = Counter()
    for kind, count in gone.items():
        classes[kind.partition(".")[0]] += count
    kinds = stats.kinds - gone
    failures = stats.failures - classes if unreachable else Counter()
    without = {*stats.failures, *stats.kinds, "unreachable"} - kinds.keys() - failures.keys()
    if not unreachable:
        without.add("incomplete")
        counts.pop("incomplete", None)
    samples = {kind: urls for kind, urls in counts["samples"].items() if kind not in without}
    failed = max(0, stats.failed - gone.total()) if unreachable else 0
    counts |= {"failed": failed, "failures": failures, "kinds": kinds, "unreachable": {}, "samples": samples}
    return msgspec.json.encode(counts)


class RunRecord(Struct, frozen=True, kw_only=True):
    """The record of one run of a job. The counts are those of this run alone."""

    number: int
    """Number of the run, from 1. A run that was refused before its first request has a number, but no record."""
    spider: str
    """The name of the spider."""
    began: float
    """When it began, in seconds since the epoch."""
    seconds: float | None
    """Its length in seconds; `None` if it was killed or still runs."""
    finished: str | None
    """Why it ended, as in `Report.finished`, or ``failed``; `None` if it was killed or still runs."""
    complete: bool
    """Whether nothing was left to do when it ended."""
    problems: int
    """Number of problems that plugins have reported, and of losses."""
    pages: int
    """Number of responses whose callback succeeded."""
    items: int
    """Number of committed items."""
    requests: int
    """Number of attempts that were sent."""
    failed: int
    """Number of requests that failed in all attempts, and of pages whose handler raised."""
    dealt_with: int = 0
    """Number of requests that a plugin dropped because there was nothing to do, such as pages that had not changed."""
