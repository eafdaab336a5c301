"""What a quota leaves to the next run: JSON values; garbage is no value."""

from __future__ import annotations

import math
from typing import Any, Final

from crawler.limits.json_numbers import json_number
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.quota import Quota
from crawler.limits.quotas.replenishment import EVIDENCE
from crawler.limits.quotas.time_interval import Bracket

__all__ = ["load", "save"]

DAY: Final = 86400.0


def save(quota: Quota) -> dict[str, Any]:
    """What is worth keeping of a quota."""
    usage, restoration = quota.usage, quota.restoration
    saved: dict[str, Any] = {
        "unit": quota.unit if quota.unit != "requests" else None,
        "limit": quota.limit,
        "window": quota.window.length,
        "rate": restoration.rate,
        "left": quota.remaining,
        "lo": _finite(quota.ends.lo),
        "hi": _finite(quota.ends.hi),
        "heard": _finite(quota.heard),
        "pad": quota.window.pad or None,
        "others": round(usage.others, 6) or None,
        "price": None if usage.counts_requests else usage.price,
        "fixed": restoration.fixed or None,
        "continuous": restoration.continuous or None,
        "flows": restoration.flows,
        "declared": [quota.limit_declared, quota.window.declared, quota.window.stated],
    }
    if isinstance(quota, UndeclaredQuota):
        saved["declared"] = None
        saved["learned"] = [
            quota.used,
            _finite(quota.opened),
            quota.refusals,
            quota.clean,
            quota.sure,
            quota.is_confirmed(),
        ]
    return {name: value for name, value in saved.items() if value is not None}


def load(name: str, saved: Any) -> Quota | None:
    """The quota that was saved; `None`: what is there cannot be read."""
    if not isinstance(saved, dict):
        return None
    unit = saved.get("unit", "requests")
    learned = saved.get("learned")
    rate = json_number(saved.get("rate"), 1e-9)
    kind = Quota if not isinstance(learned, list) else UndeclaredQuota if rate is None else LeakyBucketQuota
    quota = kind(name=name, unit=unit if isinstance(unit, str) else "requests")
    quota.limit = json_number(saved.get("limit"), 0.0)
    quota.window.length = json_number(saved.get("window"), 1e-3, 400 * DAY)
    quota.restoration.rate = rate
    quota.remaining = json_number(saved.get("left"), 0.0)
    lo, hi, heard = (json_number(saved.get(key), 0.0) for key in ("lo", "hi", "heard"))
    quota.ends = Bracket(-math.inf if lo is None else lo, math.inf if hi is None else hi)
    if quota.ends.lo > quota.ends.hi:
        return None
    quota.heard = -math.inf if heard is None else heard
    quota.own.doubt(quota.heard)
    quota.epoch = 1
    quota.window.pad = json_number(saved.get("pad"), -DAY, DAY) or 0.0
    quota.usage.others = json_number(saved.get("others"), 0.0) or 0.0
    quota.usage.price = json_number(saved.get("price"), 0.0) or 1.0
    quota.restoration.fixed = int(json_number(saved.get("fixed"), 0, EVIDENCE) or 0)
    quota.restoration.continuous = int(json_number(saved.get("continuous"), 0, EVIDENCE) or 0)
    flows = saved.get("flows")
    quota.restoration.flows = flows if isinstance(flows, bool) else None
    if isinstance(quota, UndeclaredQuota):
        return _learned(quota, learned)
    match saved.get("declared"):
        case [bool(limit), bool(window), bool(end)]:
            quota.limit_declared, quota.window.declared, quota.window.stated = limit, window, end
    return quota


def _learned(quota: UndeclaredQuota, saved: Any) -> UndeclaredQuota | None:
    match saved:
        case [used, opened, refusals, clean, bool(sure), bool(confirmed)]:
            quota.used, quota.sure = json_number(used, 0.0) or 0.0, sure
            quota.opened = quota.proven = json_number(opened, 0.0) or 0.0
            quota.total = quota.used + (2.0 * (quota.limit or 0.0) if confirmed else 0.0)
            quota.refusals = int(json_number(refusals, 0, 20) or 0)
            quota.clean = int(json_number(clean, 0) or 0)
        case _:
            return None
    if isinstance(quota, LeakyBucketQuota):
        quota.resume(quota.opened)
    return quota if quota.limit and quota.window.length else None


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
