"""The truth about a crawl: what is pending, what is known, which items there are. Changed only by commits."""

from __future__ import annotations

from crawler.store.memory import MemoryStore
from crawler.store.outcome import FailureRow, ItemRow, Kind, Outcome
from crawler.store.protocol import Claimed, Committed, Group, Store, Verdict

__all__ = [
    "Claimed", "Committed", "FailureRow", "Group", "ItemRow", "Kind", "MemoryStore", "Outcome", "Store", "Verdict",
]  # fmt: skip
