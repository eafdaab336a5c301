"""`reason_for_no_pages`: why a crawl has no page. Such a crawl has not succeeded, whatever its responses were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crawler.stats import Stats

__all__ = ["ENDINGS", "has_begun", "reason_for_no_pages"]

ENDINGS: Final = frozenset({"finished", "max_items", "max_pages", "max_seconds"})
"""Reasons to end that need pages to be a success. A reason that spiders or plugins give to `stop` is their own."""
SKIPPED: Final = {
    "robots": "its robots.txt forbids {}",
    "scope": "{} is out of scope (allowed_domains)",
    "network": "{} is on a network that pages may not lead to (setting private_network)",
}
"""Reasons of filtered requests, in words; other reasons are shown as they are."""


def has_begun(stats: Stats) -> bool:
    """Return whether a crawl had a request, be it one that was not sent."""
    return bool(stats.pages or stats.kinds or stats.failures or stats.filtered or stats.statuses)


def reason_for_no_pages(stats: Stats, ending: str) -> str:
    """Return why no start page gave a page, in one line; empty if there is one or an item, or the crawl was stopped.

    A page that a plugin has dealt with counts too.
    """
    if stats.pages or stats.dealt_with or stats.items or ending not in ENDINGS:
        return ""
    causes = list(_causes(stats, ending)) or [f"no response is one (status {', '.join(map(str, stats.statuses))})"]
    shown = causes[:3]  # in one line
    more = f" (and {len(causes) - len(shown)} other causes)" if len(causes) > len(shown) else ""
    return f"no start page gave a page: {'; '.join(shown)}{more}"


def _causes(stats: Stats, ending: str) -> Iterator[str]:
    """Yield each cause, with a URL where one is known."""
    failures = stats.kinds or stats.failures
    for kind in failures:
        yield f"{_sample(stats, kind)} failed ({kind})"
    for status in sorted(stats.statuses):
        kind = f"status_{status}"
        if status >= 300 and kind not in stats.failures and kind in stats.samples:
            yield f"{_sample(stats, kind)} returned status {status}"
    for reason in stats.filtered:
        if f"refused.{reason}" not in failures:
            yield SKIPPED.get(reason, f"{{}} was skipped ({reason})").format(_sample(stats, reason))
    if not has_begun(stats):
        yield "it was not reached in time" if ending == "max_seconds" else "start() yielded no request"


def _sample(stats: Stats, kind: str) -> str:
    urls = stats.samples.get(kind)
    return urls[0] if urls else "a request"
