"""`SharedJob`: the state of a job that many workers share, as ``crawler job`` shows it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from crawler.stats import RunRecord
from crawler.store.inspect import FailedRequest, JobState

__all__ = ["SharedJob", "WorkerState"]


@attrs.frozen(kw_only=True)
class WorkerState:
    """A worker of a job."""

    owner: int
    """Its number."""
    name: str
    """Its host and the number of its process."""
    joined: float
    """Seconds since it joined."""
    seen: float
    """Seconds since its last call."""
    groups: int
    """Number of lanes and budgets that it holds."""
    pages: int
    """Number of pages that it has committed."""
    behind: int
    """Number of its items that an output of its has not stored."""


@attrs.frozen(kw_only=True)
class SharedJob:
    """The state of a job that many workers share."""

    state: JobState
    """The state that every job has, shared or not."""
    groups: int
    """Number of groups that have requests."""
    free: int
    """Number of those that no worker holds."""
    workers: Sequence[WorkerState]
    """Its workers, in the order in which they joined."""
    lost: int
    """Number of workers that were removed because their leases had ended."""
    runs: Sequence[RunRecord]
    """The runs of its workers, in their order."""
    failures: Sequence[FailedRequest]
    """The first requests that failed permanently, in the order of their failure."""
