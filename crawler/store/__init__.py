"""The durable state of a crawl: pending requests, keys of known requests, and items. Only commits change it.

`protocol` defines a `Store`, and `outcome` what a commit contains. There are four stores: `MemoryStore` for a crawl
without a job, `sqlite` for a job in a folder, `postgres` and `redis` for a job that many workers share; the last three
are imported when they are needed.
"""

from __future__ import annotations

from crawler.store.checkpoint import Checkpoint
from crawler.store.memory import MemoryStore
from crawler.store.outcome import CookieChange, FailureRow, ItemRow, Kind, Observations, Outcome, RobotsAnswer
from crawler.store.protocol import Claimed, Committed, Extended, Group, Ingested, News, ResumeState, Store, Verdict

__all__ = [
    "Checkpoint",
    "Claimed",
    "Committed",
    "CookieChange",
    "Extended",
    "FailureRow",
    "Group",
    "Ingested",
    "ItemRow",
    "Kind",
    "MemoryStore",
    "News",
    "Observations",
    "Outcome",
    "ResumeState",
    "RobotsAnswer",
    "Store",
    "Verdict",
]
