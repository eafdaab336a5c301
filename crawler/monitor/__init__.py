"""The state of a running crawl, for people and programs: rates, hosts and the reasons why they wait, quotas, errors.

The live view, the web page and plugins that export metrics show snapshots of a `Monitor`.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.monitor.hosts": "Host lane_id lane_of",
        "crawler.monitor.monitor": "Monitor Problem Rate Snapshot",
        "crawler.monitor.quotas": "QuotaGauge",
        "crawler.monitor.host_state": "HostState",
        "crawler.printable": "printable_line",
        "crawler.redaction": "redact",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.monitor.host_state import HostState as HostState
    from crawler.monitor.hosts import Host as Host
    from crawler.monitor.hosts import lane_id as lane_id
    from crawler.monitor.hosts import lane_of as lane_of
    from crawler.monitor.monitor import Monitor as Monitor
    from crawler.monitor.monitor import Problem as Problem
    from crawler.monitor.monitor import Rate as Rate
    from crawler.monitor.monitor import Snapshot as Snapshot
    from crawler.monitor.quotas import QuotaGauge as QuotaGauge
    from crawler.printable import printable_line as printable_line
    from crawler.redaction import redact as redact
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
