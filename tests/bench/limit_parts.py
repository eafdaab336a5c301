"""What parts of the rules of the limits are worth: each is removed from a copy of the code, which then crawls.

::

    python tests/bench/limit_parts.py [PART ...] [--seeds 4] [--servers 20]

A rule that no server needs should go. So this crawls the models of servers (``support.limit_models``), servers with
random limits that declare them or not (``random_limits``), and servers that refuse requests at random
(``mixed_faults``), all in virtual time, first with the code as it is. Each row is one part less: runs with more
refusals than the marks allow (none where a limit is declared by a model, one where it is random, else 11), runs that
took more than 1.1 or 1.25 times the least possible, and the share of the possible throughput where 3, 10, 20 or 30 % of
the requests are refused at random, in the median and at the 10th percentile. Some parts show what they are worth only
with 20 seeds, or in one kind of servers. The tests of scenarios in ``tests/unit/limits`` need some parts as well.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CRAWLS: Final = Path(__file__).with_name("limit_parts_crawls.py")
FIGURES: Final = {
    "silent models": ("silent_refused", "silent_late"),
    "silent at random": ("random_refused", "random_late"),
    "declared models": ("declared_refused", "declared_late"),
    "declared at random": ("stated_refused", "stated_late"),
}
"""Kinds of servers, and the names of their figures: runs that are refused too often, and runs that take too long."""


class Part(NamedTuple):
    """A part of a rule, and how to remove it."""

    rule: str
    """Its number in ``docs/explanation/limit-rules.md``."""
    path: str
    """The file, in ``crawler/limits``."""
    code: str
    """Code that occurs once in it."""
    without: str
    """The same without the part."""


PARTS: Final = {
    "soon-again": Part("R60", "concurrency.py", " or (self._peak <= PAIR and self._retry == MIN_RETRY)", ""),
    "tried-level": Part(
        "R63", "concurrency.py", "(self._proven or self._trial) and inflight", "self._proven and inflight"
    ),
    "doubtful-pause": Part(
        "R65",
        "learning/limit_search.py",
        "second = DOUBTFUL_PAUSE if may_be_chance and not is_proven else SECOND_PAUSE",
        "second = SECOND_PAUSE",
    ),
    "first-pause": Part(
        "R65",
        "learning/limit_search.py",
        "self.first_pause = max(FIRST_PAUSE, min(1.0, ROUND_TRIPS * (received - sent)))",
        "pass",
    ),
    "quick-count": Part(
        "R66",
        "learning/limit_search.py",
        " or (not self.limit_exists and sent - self.since > MAX_COUNTING * (sent - self.started))",
        "",
    ),
    "parts-of-a-second": Part(
        "R67", "learning/undeclared.py", "if shorter < SHORTEST and not self.is_confirmed():", "if shorter < SHORTEST:"
    ),
    "two-round-trips": Part(
        "R69",
        "learning/undeclared.py",
        "pause = max(pause, min(2.0 * self.usage.round_trip, UNCONFIRMED_SHARE * self.interval))",
        "pass",
    ),
    "few-in-flight": Part(
        "R70", "learning/refusals.py", "return 1.0 + self.served_since_guess / UNITS_PER_REQUEST", "return math.inf"
    ),
    "stated-end": Part("R72", "learning/undeclared.py", "if is_told and self.opened_at", "if False and self.opened_at"),
    "average-rate": Part(
        "R73",
        "learning/limit_detector.py",
        "is_exhausted = self._wrong_guesses == MAX_WRONG_GUESSES and",
        "is_exhausted = False and",
    ),
    "trial-in-flight": Part(
        "R74",
        "learning/limit_detector.py",
        "if known is not None and known.may_be_trial(len(self.flight)):",
        "if False:",
    ),
    "half-of-a-rate": Part(
        "R76", "learning/limit_detector.py", "if run < UNITS_PER_REFUSAL and cause", "if False and cause"
    ),
    "unexpected": Part(
        "R76", "learning/limit_detector.py", "bucket is not None and bucket.unexpected >= MAX_UNEXPECTED", "False"
    ),
    "served-before": Part("R77", "learning/limit_detector.py", "refusals.served_since < 1 or ", ""),
    "calmer-price": Part("R78", "learning/interval_quota.py", " / (1.0 + calm)", ""),
    "added-distance": Part(
        "R79",
        "learning/interval_quota.py",
        "self._added += added * doubled(self._refused_in_row, cap=MAX_PAUSES)",
        "pass",
    ),
    "lengths-by-clock": Part(
        "R15", "quotas/window.py", "sorted(lengths & by_clock or lengths | by_clock)", "sorted(lengths)"
    ),
    "renewed": Part("R4", "quotas/quota.py", "known = self._is_short()", "known = False and self._is_short()"),
    "before-reset": Part(
        "R5", "quotas/declared_quota.py", "self.replenishment.before_reset &= not (early and sample.refused)", "pass"
    ),
    "units-that-return": Part(
        "R5",
        "quotas/replenishment.py",
        "if one or (spent - before < limit / 4 and spent < limit - MIN_RETURNED):",
        "if False:",
    ),
    "measured-interval": Part("R5", "quotas/quota.py", "return measured or None", "return None"),
    "shortest-trip": Part(
        "R10", "quotas/request_log.py", "return self.round_trip if self.counts_trips else 0.0", "return 0.0"
    ),
    "use-of-others": Part(
        "R10",
        "quotas/declared_quota.py",
        "if spent > possible + sample.inflight or (spent < certain and sample.disrupted):",
        "if False:",
    ),
    "log-alone": Part("R10", "quotas/quota.py", "if log_usable and self._is_log_alone():", "if False:"),
    "lengths-of-probes": Part("R15", "quotas/window.py", "(least, most) if least < most else (low, high)", "low, high"),
    "no-common-length": Part(
        "R15", "quotas/window.py", "elif longest is None and high <= MAX_SPAN * low:", "elif False:"
    ),
    "fewer-kept-units": Part("R87", "quotas/window.py", "0.5 ** max(0, windows - KNOWN_BY)", "1.0"),
    "lengths-so-far": Part(
        "R14",
        "quotas/window.py",
        "both = max(low, self._length_range[0]), min(high, self._length_range[1])",
        "both = low, high",
    ),
    "length-between-ends": Part(
        "R14", "quotas/window.py", "if length is None and last.latest <= sent", "if False and last.latest <= sent"
    ),
    "shared-by-id": Part("R17", "learning/quota_set.py", "if observation.has_id:", "if False:"),
    "refill": Part("R17", "learning/quota_set.py", "if self._is_refill(observation):", "if False:"),
    "cost-of-a-request": Part(
        "R19", "quotas/declared_quota.py", "        self.usage.check_unit(", "        0 and self.usage.check_unit("
    ),
    "plenty": Part("R51", "quotas/quota.py", "plenty = continuous and share", "plenty = False and share"),
    "steady": Part("R51", "quotas/quota.py", "else STEADY_FACTOR\n", "else 1.0\n"),
    "sliding-windows": Part("R52", "quotas/quota.py", "or self._may_be_sliding(last)):", "or False):"),
    "delay-of-a-probe": Part(
        "R86",
        "quotas/quota.py",
        "at += self.replenishment.probe_delay(self.interval, self.window.length)",
        "pass",
    ),
    "kept-units": Part(
        "R87",
        "quotas/window.py",
        "if self.is_certain() or left > max(1.0, fewer * min(most, limit - MIN_SPENT)):",
        "if True:",
    ),
    "midnight": Part(
        "R88", "quotas/quota.py", "if self.window.length == DAY and not self.window.reset_stated:", "if False:"
    ),
    "estimated-windows": Part(
        "R89",
        "quotas/declared_quota.py",
        "if self.estimated is not None or not (is_shown and is_gradual and 2.0 * sample.remaining < limit):",
        "if True:",
    ),
    "chance": Part(
        "R80",
        "random_faults.py",
        "return is_known and refusals.share <= MAX_REFUSED and self._failures.is_independent()",
        "return False",
    ),
    "sliding-refusal": Part(
        "R83", "learning/limit_detector.py", "return not known.may_slide(sent, len(self.flight))", "return True"
    ),
}
"""By name."""


def removed(part: Part) -> tuple[Path, str]:
    """Return the file of a part, relative to the folder of the package, and its text without the part.

    Raises:
        ValueError: The code of the part does not occur there, or more than once.
    """
    path = Path("limits") / part.path
    text = (ROOT / "crawler" / path).read_text(encoding="utf-8")
    if text.count(part.code) != 1:
        raise ValueError(f"{path} contains {text.count(part.code)} times {part.code!r}: it has to be there once")
    return path, text.replace(part.code, part.without)


def main() -> None:
    """Crawl and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"what to remove, of {', '.join(PARTS)} (each in turn)"
    )
    parser.add_argument("--seeds", type=int, default=4, help="runs of each silent model and way (4); declared: one")
    parser.add_argument("--servers", type=int, default=20, help="servers of each kind with random limits (20)")
    options = parser.parse_args()
    if options.seeds < 1 or options.servers < 1:
        parser.error("--seeds and --servers have to be 1 or more")
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"no part is named {name!r}; there are {', '.join(PARTS)}")
    heads = ("without", "rule", *FIGURES, "share of the throughput", "10 %", "lost")
    print("|", " | ".join(heads), "|")
    print("| --- " * len(heads) + "|")
    for name in ("nothing", *(options.parts or PARTS)):
        part = PARTS.get(name)
        found = crawl_without(part, options.seeds, options.servers)
        pairs = (f"{found[refused]} / {found[late]}" for refused, late in FIGURES.values())
        cells = (name, part.rule if part else "", *pairs, found["share"], found["low"], str(found["lost"]))
        print("|", " | ".join(cells), "|", flush=True)


def crawl_without(part: Part | None, seeds: int, servers: int) -> dict[str, Any]:
    """Return the figures of a copy of the package without a part."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "crawler", f"{folder}/crawler", ignore=shutil.ignore_patterns("__pycache__"))
        if part is not None:
            path, text = removed(part)
            (Path(folder) / "crawler" / path).write_text(text, encoding="utf-8")
        command = [sys.executable, str(CRAWLS), str(seeds), str(servers)]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": folder}, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
