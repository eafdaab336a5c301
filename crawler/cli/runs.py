"""The runs of a job, compared: as a table of 80 columns, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from crawler.cli.logs import plural
from crawler.printable import printable_line
from crawler.redaction import redact
from crawler.stats import RunRecord

__all__ = ["compared", "json_lines", "table"]

HEADINGS: Final = ("run", "began", "pages", "items", "failed", "seconds", "pages/s", "change", "ended by")
WIDTHS: Final = (3, 16, 7, 7, 6, 7, 7, 6)
"""Characters of each column but the last one."""
WIDTH: Final = 80
"""Characters of a line."""


def table(folder: str, opened: int, runs: Sequence[RunRecord]) -> Iterator[str]:
    """Yield the lines of a table. The change is that of the items, against the last run that is comparable."""
    spiders = list(dict.fromkeys(run.spider for run in runs))
    of = f" of {', '.join(spiders)}" if spiders else ""
    missing = f" ({opened - len(runs)} without a record)" if opened > len(runs) else ""
    yield redact(f"{folder}: {plural(opened, 'run')}{of}{missing}")
    if runs:
        yield _row(HEADINGS)
    before: RunRecord | None = None
    for run in runs:
        began = datetime.fromtimestamp(run.began).astimezone().strftime("%Y-%m-%d %H:%M")
        seconds = "-" if run.seconds is None else f"{run.seconds:.1f}"
        speed = _speed(run)
        is_comparable = _is_comparable(run)
        change = _change(run.items, before.items) if is_comparable and before is not None else None
        yield _row((
            str(run.number), began, str(run.pages), str(run.items), str(run.failed), seconds,
            "-" if speed is None else f"{speed:.1f}", "-" if change is None else f"{change:+.0%}", _reason(run),
        ))  # fmt: skip
        before = run if is_comparable else before


def json_lines(runs: Sequence[RunRecord]) -> Iterator[str]:
    """Yield a JSON object for each run, as a line."""
    for fields in compared(runs):
        yield msgspec.json.encode(fields).decode()


def compared(runs: Sequence[RunRecord]) -> Iterator[dict[str, Any]]:
    """Yield each run as a dict, with its speed and its changes against the last run that is comparable."""
    before: RunRecord | None = None
    for run in runs:
        fields: dict[str, Any] = msgspec.structs.asdict(run)
        fields["pages_per_second"] = _speed(run)
        other = before if _is_comparable(run) else None
        names = ("pages", "items", "failed")
        fields["change"] = {name: other and _change(fields[name], getattr(other, name)) for name in names}
        yield fields
        before = run if _is_comparable(run) else before


def _row(cells: Sequence[str]) -> str:
    *numbers, last = cells
    line = " ".join([*(f"{cell:>{width}}" for cell, width in zip(numbers, WIDTHS, strict=True)), printable_line(last)])
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _is_comparable(run: RunRecord) -> bool:
    """Return whether a run fetched something, and not only what had changed, as a later round of `recrawl` does."""
    return _had_work(run) and not run.dealt_with


def _had_work(run: RunRecord) -> bool:
    return bool(run.pages or run.requests or run.failed)


def _speed(run: RunRecord) -> float | None:
    """Return the pages per second of a run; `None` if its length is unknown or 0."""
    return round(run.pages / run.seconds, 3) if run.seconds else None


def _change(now: int, before: int) -> float | None:
    """Return the change of a count as a share of what it was; `None` if it was 0."""
    return round(now / before - 1, 4) if before else None


def _reason(run: RunRecord) -> str:
    """Return why a run ended; its problems are more important."""
    if run.problems:
        return plural(run.problems, "problem")
    return "nothing to do" if run.complete and not _had_work(run) else run.finished or "not ended"
