"""`ServerStore`: what a worker knows of a job that many share, wherever the job is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crawler.store.compact_keys import RecentKeys
from crawler.store.own_log import OwnLog
from crawler.store.protocol import CommitResult

__all__ = ["COMMIT_RESULTS", "ServerStore"]

COMMIT_RESULTS: Final = (
    CommitResult.OK,
    CommitResult.DUP,
    CommitResult.FENCED,
    CommitResult.CONFLICT,
    CommitResult.SAME_CONTENT,
)
"""The results by their numbers in the answers of a server."""


class ServerStore(OwnLog):
    """The base class of the stores of a job on a server. The last answer has set the attributes of `SharedStore`."""

    shared: Final = True
    durable: Final = True

    def __init__(self, lease: float, job_name: str, owner: int = 0, round_: int = 1) -> None:
        self.lease = lease
        self.job_name = job_name
        self.owner = owner
        self.round = round_
        self.known = RecentKeys(131_072)  # committed keys that are kept in memory
        self.live = 0
        self.exhausted = False
        self.behind = 0
        self.others: Mapping[str, int] = {}
        self.unclaimed = True
        self.logged = 0
