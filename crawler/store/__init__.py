"""The durable state of a crawl: pending requests, keys of known requests, and items. Only commits change it.

`protocol` defines a `Store`, and `outcome` what a commit contains. There are two stores: `MemoryStore` for a crawl
without a job, and `sqlite` for a job in a folder. Those of jobs that many workers share are plugins, found by the
scheme of their URLs (`StoreType`), and made of the names below.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.frontier": "Pending lane_name",
        "crawler.frontier.ticket": "START Order",
        "crawler.hooks.page_effects": "MISSING",
        "crawler.logs": "get_logger",
        "crawler.redaction": "hide_secrets_of",
        "crawler.stats": "RunRecord Stats",
        "crawler.store.checkpoint": "Checkpoint",
        "crawler.store.handler_counts": "HandlerCounts handlers_named_by",
        "crawler.store.identity": "Identity accepted shown_arguments",
        "crawler.store.inspect": "DATABASE FailedRequest JobState inspect_job owner_of runs_of",
        "crawler.store.job_url": "JobUrl",
        "crawler.store.memory": "MemoryStore",
        "crawler.store.outcome": "CookieChange FailureRow ItemRow Kind Observations Outcome RobotsAnswer",
        "crawler.store.protocol": "Claimed CommitResult Committed Extended Group Ingested RemoteChanges ResumeState "
        "SharedStore Store",
        "crawler.store.registry": "StoreType",
        "crawler.store.runs": "MAX_READ RunRow records_of",
        "crawler.store.schema": "pack unpack",
        "crawler.store.shared_job": "SharedJob WorkerState",
        "crawler.store.server_store": "COMMIT_RESULTS ServerStore",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.frontier import Pending as Pending
    from crawler.frontier import lane_name as lane_name
    from crawler.frontier.ticket import START as START
    from crawler.frontier.ticket import Order as Order
    from crawler.hooks.page_effects import MISSING as MISSING
    from crawler.logs import get_logger as get_logger
    from crawler.redaction import hide_secrets_of as hide_secrets_of
    from crawler.stats import RunRecord as RunRecord
    from crawler.stats import Stats as Stats
    from crawler.store.checkpoint import Checkpoint as Checkpoint
    from crawler.store.handler_counts import HandlerCounts as HandlerCounts
    from crawler.store.handler_counts import handlers_named_by as handlers_named_by
    from crawler.store.identity import Identity as Identity
    from crawler.store.identity import accepted as accepted
    from crawler.store.identity import shown_arguments as shown_arguments
    from crawler.store.inspect import DATABASE as DATABASE
    from crawler.store.inspect import FailedRequest as FailedRequest
    from crawler.store.inspect import JobState as JobState
    from crawler.store.inspect import inspect_job as inspect_job
    from crawler.store.inspect import owner_of as owner_of
    from crawler.store.inspect import runs_of as runs_of
    from crawler.store.job_url import JobUrl as JobUrl
    from crawler.store.memory import MemoryStore as MemoryStore
    from crawler.store.outcome import CookieChange as CookieChange
    from crawler.store.outcome import FailureRow as FailureRow
    from crawler.store.outcome import ItemRow as ItemRow
    from crawler.store.outcome import Kind as Kind
    from crawler.store.outcome import Observations as Observations
    from crawler.store.outcome import Outcome as Outcome
    from crawler.store.outcome import RobotsAnswer as RobotsAnswer
    from crawler.store.protocol import Claimed as Claimed
    from crawler.store.protocol import CommitResult as CommitResult
    from crawler.store.protocol import Committed as Committed
    from crawler.store.protocol import Extended as Extended
    from crawler.store.protocol import Group as Group
    from crawler.store.protocol import Ingested as Ingested
    from crawler.store.protocol import RemoteChanges as RemoteChanges
    from crawler.store.protocol import ResumeState as ResumeState
    from crawler.store.protocol import SharedStore as SharedStore
    from crawler.store.protocol import Store as Store
    from crawler.store.registry import StoreType as StoreType
    from crawler.store.runs import MAX_READ as MAX_READ
    from crawler.store.runs import RunRow as RunRow
    from crawler.store.runs import records_of as records_of
    from crawler.store.schema import pack as pack
    from crawler.store.schema import unpack as unpack
    from crawler.store.server_store import COMMIT_RESULTS as COMMIT_RESULTS
    from crawler.store.server_store import ServerStore as ServerStore
    from crawler.store.shared_job import SharedJob as SharedJob
    from crawler.store.shared_job import WorkerState as WorkerState
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
