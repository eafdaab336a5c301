"""A crawl of a faulty site that is killed loses nothing, keeps nothing twice, and names what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from integration.chaos.rig import FAILURES, OUTPUTS, Outcome, crawl, judge
from integration.chaos.site import PAGES, Site

SITE = Site(2, "wall")


def whole() -> Outcome:
    """What a crawl of `SITE` has to end with."""
    gone: dict[str, list[str]] = {"status_404": [], "status_410": []}
    for page in SITE.pages:
        if page.kind == "gone":
            gone["status_404" if page.number % 2 else "status_410"].append(f"http://x/p/{page.number}")
    kinds = {kind: SITE.count(name) for name, kind in FAILURES.items()}
    report: dict[str, Any] = {
        "kinds": kinds, "failed": sum(kinds.values()), "samples": {kind: ["http://x"] for kind in kinds} | gone,
        "filtered": {"wall.challenge": SITE.count("wall")}, "statuses": {"404": SITE.count("gone")},
        "losses": [{"kind": "wall.challenge", "count": SITE.count("wall")}], "items": len(list(SITE.numbers())),
    }  # fmt: skip
    failed = [page.number for page in SITE.pages if page.kind in FAILURES]
    return Outcome(4, report, {name: list(SITE.numbers()) for name in OUTPUTS}, failed)


def test_the_oracle_is_silent_about_a_crawl_that_holds() -> None:
    assert judge(SITE, whole()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda numbers: numbers[1:], "lost ["),
        (lambda numbers: [*numbers, numbers[0]], "twice or wrong ["),
        (lambda numbers: [*numbers[1:], PAGES * 2], "twice or wrong [300]"),
    ],
)
def test_the_oracle_sees_one_line_too_few_or_too_many(change: Callable[[list[int]], list[int]], words: str) -> None:
    outcome = whole()
    changed = attrs.evolve(outcome, numbers={**outcome.numbers, OUTPUTS[1]: change(list(SITE.numbers()))})
    found = judge(SITE, changed)
    assert found
    assert all(line.startswith(f"{OUTPUTS[1]}: ") for line in found)
    assert any(words in line for line in found)


@pytest.mark.parametrize(
    "silence",
    [
        {"kinds": {}}, {"failed": 0}, {"samples": {}}, {"filtered": {}}, {"statuses": {}}, {"losses": []}, {"items": 0},
    ],
)  # fmt: skip
def test_the_oracle_sees_what_a_report_does_not_say(silence: dict[str, Any]) -> None:
    outcome = whole()
    assert judge(SITE, attrs.evolve(outcome, report={**outcome.report, **silence}))


def test_the_oracle_sees_a_failure_that_the_job_does_not_list() -> None:
    outcome = whole()
    assert judge(SITE, attrs.evolve(outcome, failed=outcome.failed[1:]))
    assert judge(SITE, attrs.evolve(outcome, failed=[*outcome.failed, outcome.failed[0]]))


def test_the_oracle_sees_a_page_that_is_gone_without_its_name() -> None:
    outcome = whole()
    named = outcome.report["samples"]
    [*_, key] = (key for key in ("status_404", "status_410") if named[key])
    for urls in (named[key][1:], ["http://x/p/0", *named[key][1:]]):
        assert judge(SITE, attrs.evolve(outcome, report={**outcome.report, "samples": {**named, key: urls}}))


def test_the_oracle_takes_a_response_too_many_for_one_that_a_login_looked_at_only_if_there_is_a_login() -> None:
    more = {"statuses": {"404": SITE.count("gone") + 1}}
    outcome = attrs.evolve(whole(), report={**whole().report, **more})
    assert judge(SITE, outcome)
    assert judge(SITE, attrs.evolve(outcome, has_login=True)) == []


def test_the_oracle_sees_a_wrong_exit_code() -> None:
    assert judge(SITE, attrs.evolve(whole(), code=0))


@pytest.mark.parametrize("seed", [2, 3, 5, 6, 10, 11])
def test_a_crawl_that_is_killed_at_random_loses_nothing_and_names_what_is_missing(seed: int) -> None:
    made, found = crawl(seed, 6)
    assert found == [], f"python -m integration.chaos.rig --crawls 1 --each 6 --seed {seed}"
    assert made.kills
