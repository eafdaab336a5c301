"""Whole crawls in virtual time do what they did: their requests, outcomes, hooks and reports against recorded ones.

A difference is either a mistake or a change that is meant. If it is meant, write the files anew and read the diff::

    PYTHONPATH=tests .venv/bin/python -m crawl.test_golden_traces --write [NAME ...]

Nothing in a trace depends on the order in which tasks run at one moment, and nothing is left to chance: every jitter is
half of what it may be, and the wall clock stands at `EPOCH` when virtual time begins.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
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
from crawl.golden_crawls import CRAWLS
from trio.testing import MockClock

from crawler import CrawlerError, Plugin, Report, Settings, Spider, crawl
from crawler.store import MemoryStore
from crawler.store.sqlite import SqliteStore
from crawler.testing import FakeSite

GOLDEN = Path(__file__).parent / "golden"
EPOCH = 1_800_000_000.0
"""Seconds since the epoch at which virtual time begins."""
UNREPEATABLE = ("cpu_seconds", "peak_rss")
"""Keys of a report that depend on the machine."""
SHOWN = ("authorization", "cookie", "user-agent", "content-type")
"""Fields of a request that its line shows, beside those whose names begin with ``x-``."""
FEW = 5
"""Items or requests of one outcome that are written out; of more, the number."""


# ---- what is recorded ------------------------------------------------------------------------------------------------


class Trace:
    """What can be seen of some crawls, run after run."""

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
            spider: what to crawl.
            site: what answers.
            settings: go over those of the spider.
            plugins: run behind those of the spider.
            job: folder of a durable job.
            ordered: whether notes keep the order in which they were made at one moment too.
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
        """Record a crawl over the transport that is given; its report is for `keep_report`."""
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
        """Record that something happened."""
        self._line("notes", words)

    def keep_report(self, report: Report | None) -> None:
        """Record the report of the run."""
        assert report is not None
        values = json.loads(report.to_json())
        for lane in values["lanes"].values():
            if "concurrency" in lane["waited"]:  # for a place: how long is a matter of who runs first at one moment
                lane["waited"]["concurrency"] = None
        values["samples"] = {reason: sorted(urls) for reason, urls in values["samples"].items()}
        self.runs[-1]["report"] = rounded({key: value for key, value in values.items() if key not in UNREPEATABLE})
        self.runs[-1]["exit_code"] = report.exit_code()

    def _line(self, kind: str, words: str) -> None:
        self.runs[-1][kind].append((round(trio.current_time(), 3), words))


class Recording(httpx.AsyncBaseTransport):
    """Tell what is asked of another transport: method, URL, how often it was asked before, and fields that matter."""

    def __init__(self, inner: httpx.AsyncBaseTransport, tell: Callable[[str], None]) -> None:
        self._inner = inner
        self._tell = tell
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
        self._tell(f"{what[0]} {what[1]} #{self._asked[what]}" + (f" {json.dumps(fields)}" if fields else ""))
        return await self._inner.handle_async_request(request)


@contextmanager
def recorded_outcomes(tell: Callable[[str], None]) -> Iterator[None]:
    """Tell each outcome that a store commits. Nothing else in this file knows how the engine settles requests."""

    def recording(commit: Callable[..., Any]) -> Callable[..., Any]:
        async def told(store: Any, outcomes: Sequence[Any], *args: Any, **options: Any) -> Any:
            lines = [described(outcome) for outcome in outcomes]
            committed = await commit(store, outcomes, *args, **options)
            for line, verdict in zip(lines, committed.verdicts, strict=True):
                tell(line if verdict.name == "OK" else f"{line} {verdict.name}")
            return committed

        return told

    with ExitStack() as stack:
        for kind in (MemoryStore, SqliteStore):
            stack.enter_context(patch.object(kind, "commit", recording(kind.commit)))
        yield


def described(outcome: Any) -> str:
    """An outcome in one line: what became of which request, and what of it is to be kept."""
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
    told = " ".join(f"{name}={json.dumps(fact, default=readable)}" for name, fact in facts.items() if fact)
    return f"{outcome.kind.value} {outcome.ticket.request.method} {outcome.ticket.request.url} {told}"


def readable(value: Any) -> str:
    """What a state has become, which is kept as JSON."""
    return value.decode() if isinstance(value, bytes) else repr(value)


def few(values: list[Any]) -> list[Any] | int:
    return values if len(values) <= FEW else len(values)


def rounded(value: Any) -> Any:
    """Numbers to three places, however deep they lie."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


# ---- how it is repeatable --------------------------------------------------------------------------------------------


class Half(random.Random):
    """No chance: always the middle."""

    def random(self) -> float:
        return 0.5


def wall_clock() -> float:
    """Seconds since the epoch that pass as virtual time does."""
    try:
        return EPOCH + trio.current_time()
    except RuntimeError:  # outside of `trio.run`
        return EPOCH


def traced(name: str) -> list[dict[str, Any]]:
    """The trace of a crawl, made now."""
    trace = Trace()
    with patch.object(random, "Random", Half), patch.object(time, "time", wall_clock):
        trio.run(CRAWLS[name], trace, clock=MockClock(autojump_threshold=0))
    return trace.runs


# ---- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CRAWLS)
def test_a_crawl_does_what_it_did(name: str) -> None:
    assert traced(name) == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_every_golden_file_has_its_crawl() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CRAWLS)


def main(names: Sequence[str]) -> None:
    """Write golden files: those of some crawls, or all of them."""
    logging.disable()  # some crawls are meant to fail
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
