"""The durable state of a crawl: pending requests, keys of known requests, and items. Only commits change it.

`crawler.store.sqlite` holds the store of durable jobs; a crawl without a job does not import it.
"""

from __future__ import annotations

from crawler.store.checkpoint import Checkpoint
from crawler.store.memory import MemoryStore
from crawler.store.outcome import CookieChange, FailureRow, ItemRow, Kind, Observations, Outcome, RobotsAnswer
from crawler.store.protocol import Claimed, Committed, Group, ResumeState, Store, Verdict

__all__ = [
    "Checkpoint",
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
