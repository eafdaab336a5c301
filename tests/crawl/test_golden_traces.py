"""Whole crawls in virtual time behave as recorded: requests, outcomes, hook calls and reports.

A failure is either a bug or an intended change. After an intended change, regenerate the files and read their diff::

    PYTHONPATH=tests .venv/bin/python -m crawl.test_golden_traces --write [NAME ...]

Traces are repeatable: events of the same millisecond are sorted, so the order in which trio runs tasks does not matter,
and `support.virtual` removes randomness from jitter and sets the wall clock.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
import trio
from crawl.golden_crawls import (
    bounds,
    credentials,
    failures,
    hooks,
    inline,
    jobs,
    pages,
    redirects,
    refusals,
    robots,
)
from crawl.golden_crawls.registry import CRAWLS
from support.virtual import EPOCH, run_repeatably

from crawler import CrawlerError, Plugin, Report, Settings, Spider, crawl
from crawler.store import MemoryStore
from crawler.store.sqlite import SqliteStore
from crawler.testing import FakeSite

GOLDEN = Path(__file__).parent / "golden"
SUBJECTS = (pages, redirects, robots, refusals, failures, hooks, inline, credentials, bounds, jobs)
"""The modules with the crawls; each adds its own to `CRAWLS` when it is imported."""
UNREPEATABLE = ("cpu_seconds", "peak_rss")
"""Report keys that depend on the machine."""
SHOWN = ("authorization", "cookie", "user-agent", "content-type")
"""Header fields that the line of a request shows, in addition to those that begin with ``x-``."""
ENDLESS = 1e6
"""Virtual seconds after which a crawl counts as endless."""
FEW = 5
"""Maximum number of items or URLs that an outcome lists; of longer lists, only the length is recorded."""


# ---- recording ------------------------------------------------------------------------------------------------


class Trace:
    """A record of one or several crawls, one entry of `runs` each."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []

    async def crawl(
        self,
        spider: Spider,
        site: FakeSite | httpx.AsyncBaseTransport,
        *,
        settings: Settings | None = None,
        plugins: Sequence[Plugin] = (),
        job: str | None = None,
        ordered: bool = False,
    ) -> None:
        """Run a crawl and record it.

        Parameters:
            spider: the spider to run.
            site: responds to its requests.
            settings: override those of the spider.
            plugins: run after those of the spider.
            job: folder of a durable job.
            ordered: keep the order of notes within one millisecond instead of sorting them.
        """
        with self.run(site, ordered=ordered) as transport:
            try:
                report = await crawl(spider, settings=settings, plugins=plugins, job=job, transport=transport)
            except CrawlerError as error:
                self.runs[-1]["error"] = f"{type(error).__name__}: {error}"
            else:
                self.keep_report(report)

    @contextmanager
    def run(self, site: FakeSite | httpx.AsyncBaseTransport, *, ordered: bool = False) -> Iterator[Recording]:
        """Record the events of the block; the crawl must use the transport that this yields."""
        self.runs.append({"requests": [], "outcomes": [], "notes": []})
        record = self.runs[-1]
        transport = Recording(site.transport if isinstance(site, FakeSite) else site, partial(self._line, "requests"))
        with recorded_outcomes(partial(self._line, "outcomes")):
            yield transport
        for kind in ("requests", "outcomes", "notes"):
            lines = record[kind]
            if not (ordered and kind == "notes"):
                lines.sort()
            record[kind] = [f"{at:.3f} {words}" for at, words in lines]

    def note(self, words: str) -> None:
        """Record an event that a spider or plugin saw."""
        self._line("notes", words)

    def keep_report(self, report: Report | None) -> None:
        """Record the report of the run."""
        assert report is not None
        values = json.loads(report.to_json())
        for lane in values["lanes"].values():
            if "concurrency" in lane["waited"]:  # depends on which task runs first
                lane["waited"]["concurrency"] = None
        values["samples"] = {reason: sorted(urls) for reason, urls in values["samples"].items()}
        self.runs[-1]["report"] = rounded({key: value for key, value in values.items() if key not in UNREPEATABLE})
        self.runs[-1]["exit_code"] = report.exit_code()

    def _line(self, kind: str, words: str) -> None:
        self.runs[-1][kind].append((round(trio.current_time(), 3), words))


class Recording(httpx.AsyncBaseTransport):
    """Record each request to another transport: method, URL, how many times it was sent, and some header fields."""

    def __init__(self, inner: httpx.AsyncBaseTransport, record: Callable[[str], None]) -> None:
        self._inner = inner
        self._record = record
        self._asked: Counter[tuple[str, str]] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        what = request.method, str(request.url)
        self._asked[what] += 1
        usual = {"user-agent": Settings().user_agent}
        fields = {
            name: value
            for name, value in request.headers.items()
            if (name in SHOWN or name.startswith("x-")) and usual.get(name) != value
        }
        self._record(f"{what[0]} {what[1]} #{self._asked[what]}" + (f" {json.dumps(fields)}" if fields else ""))
        return await self._inner.handle_async_request(request)


@contextmanager
def recorded_outcomes(record: Callable[[str], None]) -> Iterator[None]:
    """Record each outcome that a store commits.

    With `described`, the only function here that depends on the engine: it wraps `commit` of both stores.
    """

    def recording(commit: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapper(store: Any, outcomes: Sequence[Any], *args: Any, **options: Any) -> Any:
            lines = [described(outcome) for outcome in outcomes]
            committed = await commit(store, outcomes, *args, **options)
            for line, verdict in zip(lines, committed.results, strict=True):
                record(line if verdict.name == "OK" else f"{line} {verdict.name}")
            return committed

        return wrapper

    with ExitStack() as stack:
        for kind in (MemoryStore, SqliteStore):
            stack.enter_context(patch.object(kind, "commit", recording(kind.commit)))
        yield


def described(outcome: Any) -> str:
    """Describe an outcome in one line."""
    failure = outcome.failure
    facts = {
        "attempts": outcome.attempts,
        "status": outcome.status,
        "size": outcome.size,
        "page": outcome.page,
        "until": rounded(outcome.not_before - EPOCH) if outcome.not_before > 0 else None,
        "redirect": outcome.redirect,
        "items": few([json.loads(item.data) for item in outcome.items]),
        "staged": outcome.staged_items,
        "discovered": few([request.url for request in outcome.discovered]),
        "repeats": outcome.repeats,
        "filtered": few([f"{reason} {url}" for reason, url in outcome.filtered]),
        "dropped": outcome.dropped,
        "counters": outcome.counters,
        "state": outcome.state,
        "failure": None if failure is None else f"{failure.full_reason or failure.reason}: {failure.message}",
    }
    words = " ".join(f"{name}={json.dumps(fact, default=readable)}" for name, fact in facts.items() if fact)
    return f"{outcome.kind.value} {outcome.ticket.request.method} {outcome.ticket.request.url} {words}"


def readable(value: Any) -> str:
    """Return a changed value of a plugin's state as text; it is stored as JSON."""
    return value.decode() if isinstance(value, bytes) else repr(value)


def few(values: list[Any]) -> list[Any] | int:
    return values if len(values) <= FEW else len(values)


def rounded(value: Any) -> Any:
    """Round all floats in a JSON value to three places."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


def traced(name: str) -> list[dict[str, Any]]:
    """Run a crawl of `CRAWLS` and return its trace."""
    trace = Trace()

    async def run() -> None:
        with trio.fail_after(ENDLESS):
            await CRAWLS[name](trace)

    run_repeatably(run)
    return trace.runs


# ---- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CRAWLS)
def test_a_crawl_behaves_as_recorded(name: str) -> None:
    assert traced(name) == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_every_golden_file_belongs_to_a_crawl() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CRAWLS)


def main(names: Sequence[str]) -> None:
    """Write the golden files of some crawls; without names, of all."""
    logging.disable()  # some crawls fail on purpose
    GOLDEN.mkdir(exist_ok=True)
    if not names:
        for path in GOLDEN.glob("*.json"):
            path.unlink()
    for name in names or CRAWLS:
        text = json.dumps(traced(name), indent=1, sort_keys=True, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        sys.exit(__doc__)
    main(sys.argv[2:])
