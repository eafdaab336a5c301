"""The crawls that are killed: a spider of each kind, and what it must find in a generated web."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from support.web import Web

__all__ = ["FILES", "LINKS", "PLANS", "Plan"]


@dataclass(frozen=True)
class Plan:
    """A spider and its results."""

    target: str
    """The first argument of ``crawler run``."""
    arguments: Callable[[Web], Mapping[str, Any]]
    """Returns the arguments of the spider: text, or JSON values."""
    items: Callable[[Web], Mapping[str, int]]
    """Returns the number in each item, by the URL in it."""
    pages: Callable[[Web], Iterable[str]]
    """Returns the URLs of the pages, including those that only lead to pages."""
    files: Callable[[Web], Iterable[str]] = lambda web: ()
    """Returns the URLs of the files that are downloaded while their pages are handled, one of each page at most."""


def _all(web: Web) -> dict[str, int]:
    return {web.url(number): number for number in range(web.pages)}


def _sitemaps(web: Web) -> list[str]:
    return [web.list_url("sitemap", "index"), *web.lists("sitemap"), *web.listed()]


LINKS = Plan("everything.py", lambda web: {"front": web.start, "hosts": list(web.names)}, Web.reachable, Web.reachable)
FILES = Plan(
    "everything.py",
    lambda web: {**LINKS.arguments(web), "with_files": True},
    Web.reachable,
    Web.reachable,
    Web.files,
)
PLANS = {
    "links": LINKS,
    "rules": Plan("ready_made.py:ByRules", LINKS.arguments, Web.reachable, Web.reachable),
    "sitemap": Plan(
        "ready_made.py:Listed", lambda web: {"index": web.list_url("sitemap", "index")}, Web.listed, _sitemaps
    ),
    "api": Plan("ready_made.py:Paged", lambda web: {"url": web.lists("api")[0]}, _all, lambda web: web.lists("api")),
    "records": Plan(
        "ready_made.py:Records", lambda web: {"files": web.lists("records")}, _all, lambda web: web.lists("records")
    ),
}
"""By name."""
