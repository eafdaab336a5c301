"""`explain`: what a crawl knows about one URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler import urls
from crawler.hooks.crawl_statistics import UrlFacts
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.engine.admission import Admission
    from crawler.frontier import Frontier

__all__ = ["explain"]

MAX_SEARCHED: int = 10_000
"""Maximum number of waiting requests of a lane that are searched."""


def explain(url: str, admission: Admission, frontier: Frontier) -> UrlFacts:
    """Return what a crawl knows about a URL. Nothing is fetched."""
    request = Request(url)
    lane = frontier.lanes.get(urls.origin(request.url))
    waiting = () if lane is None else lane.first(MAX_SEARCHED)
    rules = None if lane is None else lane.robots.find(lane.name)
    return UrlFacts(
        url=request.url,
        refused_by=admission.refused_by(request),
        is_known=admission.is_known(request),
        is_waiting=any(pending.request.url == request.url for pending in waiting),
        robots_allows=None if rules is None else rules.allows(request.url),
    )
