"""The truth about a crawl: what is pending, what is known, which items there are. Changed only by commits."""

from __future__ import annotations

from crawler.store.memory import MemoryStore
from crawler.store.outcome import CookieChange, FailureRow, ItemRow, Kind, Observations, Outcome, RobotsAnswer
from crawler.store.protocol import Claimed, Committed, Group, Kept, Store, Verdict
from crawler.store.sqlite import SqliteStore

__all__ = [
    "Claimed", "Committed", "CookieChange", "FailureRow", "Group", "ItemRow", "Kept", "Kind", "MemoryStore",
    "Observations", "Outcome", "RobotsAnswer", "SqliteStore", "Store", "Verdict",
]  # fmt: skip
