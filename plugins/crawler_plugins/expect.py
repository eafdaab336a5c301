"""`Expect`: compare the result of a crawl with expectations. One that is not met sets the exit code to 1."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from crawler import ConfigError, Crawl, Plugin
from crawler_plugins.coverage import Coverage

__all__ = ["Expect"]

CUT_OFF = (None, "interrupted", "failed", "cancelled")
"""How runs end that are not judged; `None`: by a kill."""
BASELINE = "items"
"""Key of the number of items of the last run that `max_drop` has accepted."""


class Expect(Plugin):
    """Compares the result of a crawl with expectations. One that is not met sets the exit code to 1.

    Each expectation that is not met is a line of the log, and an entry of `problems` in the report. A crawl that a
    signal interrupts is not checked. Shares are numbers from 0 to 1, or texts such as ``20%``.

    Parameters:
        min_items: Minimum number of items. In a job, those of all runs count.
        max_error_rate: Maximum share of failed requests among pages and failures.
        max_loss: Maximum share of the pages of a callback that may be lost. With 0, one page is too many; the `losses`
            of the report begin at ten pages.
        coverage: Minimum share of items with a value, by field (``title``, or ``Book.title`` for one class of items).
            It needs the plugin `coverage`.
        finish_reason: Reasons for which the crawl may end, such as ``finished,max_pages``. Empty: any reason.
        max_drop: Maximum share by which this run may have fewer items than the last run that met this expectation. Runs
            that sent no request are left out, and runs that were cut off are part of the next one.
        history: A file that keeps the number of items for `max_drop` between crawls; without it, the runs of the job
            are compared.

    Raises:
        ConfigError: An option is out of range, or none is given.
    """

    def __init__(
        self,
        *,
        min_items: int | None = None,
        max_error_rate: str | float | None = None,
        max_loss: str | float | None = None,
        coverage: Mapping[str, str | float] | None = None,
        finish_reason: tuple[str, ...] = (),
        max_drop: str | float | None = None,
        history: Path | None = None,
    ) -> None:
        if min_items is not None and min_items < 0:
            raise ConfigError(f"expect: min_items must be 0 or more, not {min_items}")
        self.min_items = min_items
        self.max_error_rate = None if max_error_rate is None else _share("max_error_rate", max_error_rate)
        self.max_loss = None if max_loss is None else _share("max_loss", max_loss)
        self.coverage = {field: _share(f"coverage.{field}", share) for field, share in (coverage or {}).items()}
        self.finish_reason = finish_reason
        self.max_drop = None if max_drop is None else _share("max_drop", max_drop)
        self.history = history
        if history is not None and max_drop is None:
            raise ConfigError("expect: history is only used with max_drop")
        shares = (self.max_error_rate, self.max_loss, self.max_drop)
        if not (finish_reason or self.coverage) and {min_items, *shares} == {None}:
            raise ConfigError("expect: give at least one expectation, such as expect.min_items=100")

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Judge the crawl when it has ended."""
        counted = next((plugin for plugin in crawl.plugins if isinstance(plugin, Coverage)), None)
        if self.coverage and counted is None:
            raise ConfigError(f"expect: coverage.{next(iter(self.coverage))} needs the plugin coverage: enable it, too")
        if self.max_drop is not None and self.history is None and not crawl.job.durable:
            raise ConfigError("expect: max_drop needs a job, or expect.history=FILE.json")
        baseline = None if self.max_drop is None else self._baseline()
        stats = crawl.stats
        items, requests = stats.items, stats.requests
        yield
        if crawl.reason == "interrupted":
            return
        problems = [*self._totals(crawl), *self._losses(crawl), *(self._fields(counted) if counted is not None else ())]
        if self.max_drop is not None and stats.requests > requests:
            made = stats.items - items + _cut_off(crawl.job.runs)
            if baseline is not None and made < baseline * (1 - self.max_drop):
                problems.append(
                    f"this run has {made} items, {1 - made / baseline:.0%} fewer than the {baseline} of the last one"
                    f" (expected at most {self.max_drop:.0%} fewer)"
                )
            else:
                self._keep_baseline(made)
        for problem in problems:
            crawl.job.report_problem(f"expect: {problem}")

    def _totals(self, crawl: Crawl) -> Iterator[str]:
        """Yield the expectations that the counts of the report do not meet."""
        stats, reason = crawl.stats, crawl.reason or "finished"
        if self.finish_reason and reason not in self.finish_reason:
            yield f"the crawl ended by {reason} (expected {' or '.join(self.finish_reason)})"
        if self.min_items is not None and stats.items < self.min_items:
            yield f"the number of items is {stats.items} (expected at least {self.min_items})"
        settled = stats.pages + stats.failed
        if self.max_error_rate is not None and stats.failed > self.max_error_rate * settled:
            yield f"{stats.failed / settled:.1%} of the requests failed (expected at most {self.max_error_rate:.1%})"

    def _losses(self, crawl: Crawl) -> Iterator[str]:
        """Yield the losses that are too large."""
        if self.max_loss is not None:
            for loss in crawl.job.losses(crawl.reason or "finished", share=self.max_loss, least=1):
                yield f"{loss.message} (expected at most {self.max_loss:.1%})"

    def _fields(self, counted: Coverage) -> Iterator[str]:
        """Yield the fields that too few items have."""
        for field, least in self.coverage.items():
            share = counted.share(field)
            if share is None:
                yield f"there are no items, so none has a {field} (expected {least:.1%})"
            elif share < least:
                yield f"{share:.1%} of the items have a {field} (expected at least {least:.1%})"

    def _baseline(self) -> int | None:
        """Return the number of items of the last accepted run; `None` if there was none."""
        if self.history is None:
            known: Any = self.state.get(BASELINE)
            return known if isinstance(known, int) else _last_items(self.crawl.job.runs)
        if not self.history.parent.is_dir():
            raise ConfigError(f"no such folder: {self.history.parent} (for expect.history={self.history})")
        if not self.history.exists():
            return None
        try:
            return msgspec.json.decode(self.history.read_bytes(), type=dict[str, int])[BASELINE]
        except (OSError, msgspec.DecodeError, KeyError):
            raise ConfigError(f"expect: {self.history} is not a history of this plugin: delete it") from None

    def _keep_baseline(self, items: int) -> None:
        if self.history is None:
            self.state[BASELINE] = items
            return
        draft = self.history.with_name(f"{self.history.name}.new")
        draft.write_bytes(msgspec.json.encode({BASELINE: items}) + b"\n")
        draft.replace(self.history)


def _cut_off(runs: Sequence[Any]) -> int:
    """Return the items of the runs that were cut off right before now: the next run continues them."""
    return sum(run.items for run in itertools.takewhile(lambda run: run.finished in CUT_OFF, reversed(runs)))


def _last_items(runs: Sequence[Any]) -> int | None:
    """Return the items of the last run that finished, with those of interrupted runs before it."""
    for index in range(len(runs) - 1, -1, -1):
        run = runs[index]
        if run.finished not in CUT_OFF and run.requests and not run.problems:
            items: int = run.items
            return items + _cut_off(runs[:index])
    return None


def _share(name: str, value: str | float) -> float:
    """Return a share that is given as ``20%`` or 0.2.

    Raises:
        ConfigError: It is not from 0 to 1.
    """
    text = str(value).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"expect: {name} must be a share, such as 0.2 or 20%, not {value!r}")
    return share
