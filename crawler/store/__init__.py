"""The truth about a crawl: what is pending, what is known, which items there are. Changed only by commits.

`crawler.store.sqlite` has the store of durable jobs; who wants no job need not import it.
"""

from __future__ import annotations

from crawler.store.memory import MemoryStore
from crawler.store.outcome import CookieChange, FailureRow, ItemRow, Kind, Observations, Outcome, RobotsAnswer
from crawler.store.protocol import Claimed, Committed, Group, ResumeState, Store, Verdict

__all__ = [
    "Claimed",
    "Committed",
    "CookieChange",
    "FailureRow",
    "Group",
    "ItemRow",
    "Kind",
    "MemoryStore",
    "Observations",
    "Outcome",
    "ResumeState",
    "RobotsAnswer",
    "Store",
    "Verdict",
]
