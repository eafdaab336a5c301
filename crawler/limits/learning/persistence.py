"""Save a quota as JSON values, and load it in the next run. The keys are part of job format 1."""

from __future__ import annotations

import math
from typing import Any, Final

from crawler.limits.json_numbers import json_number
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.quota import Quota
from crawler.limits.quotas.replenishment import MAX_VOTES
from crawler.limits.quotas.time_interval import TimeInterval

__all__ = ["load_quota", "save_quota"]

DAY: Final = 86400.0
MAX_TRIALS: Final = 20
"""Refused trials of an undeclared quota that are restored; the next trial is then years away."""


def save_quota(quota: Quota) -> dict[str, Any]:
    """Return what the next run needs of a quota, as JSON values."""
    usage, replenishment = quota.usage, quota.replenishment
    saved: dict[str, Any] = {
        "unit": quota.unit if quota.unit != "requests" else None,
        "limit": quota.limit,
        "window": quota.window.length,
        "rate": replenishment.rate,
        "left": quota.remaining,
        "lo": _finite(quota.reset.earliest),
        "hi": _finite(quota.reset.latest),
        "heard": _finite(quota.updated_at),
        "pad": quota.window.correction or None,
        "others": round(usage.others, 6) or None,
        "price": None if usage.counts_requests else usage.cost_per_request,
        "fixed": replenishment.fixed_votes or None,
        "continuous": replenishment.continuous_votes or None,
        "flows": None if replenishment.before_reset else False,
        "declared": [quota.limit_declared, quota.window.declared, quota.window.reset_stated],
    }
    if isinstance(quota, UndeclaredQuota):
        saved["declared"] = None
        saved["learned"] = [
            quota.used,
            _finite(quota.opened_at),
            quota.refusals,
            quota.clean_windows,
            quota.certain,
            quota.is_confirmed(),
        ]
    return {name: value for name, value in saved.items() if value is not None}


def load_quota(name: str, saved: Any) -> Quota | None:
    """Return the quota that `save_quota` saved, or `None` if the values are unreadable."""
    if not isinstance(saved, dict):
        return None
    unit = saved.get("unit", "requests")
    learned = saved.get("learned")
    rate = json_number(saved.get("rate"), 1e-9)
    kind = DeclaredQuota if not isinstance(learned, list) else UndeclaredQuota if rate is None else LeakyBucketQuota
    quota = kind(name=name, unit=unit if isinstance(unit, str) else "requests")
    quota.limit = json_number(saved.get("limit"), 0.0)
    quota.window.length = json_number(saved.get("window"), 1e-3, 400 * DAY)
    quota.replenishment.rate = rate
    quota.remaining = json_number(saved.get("left"), 0.0)
    earliest, latest, updated_at = (json_number(saved.get(key), 0.0) for key in ("lo", "hi", "heard"))
    quota.reset = TimeInterval(-math.inf if earliest is None else earliest, math.inf if latest is None else latest)
    if quota.reset.earliest > quota.reset.latest:
        return None
    quota.updated_at = -math.inf if updated_at is None else updated_at
    quota.log.distrust_until(quota.updated_at)
    quota.window_count = 1
    quota.window.correction = json_number(saved.get("pad"), -DAY, DAY) or 0.0
    quota.usage.others = json_number(saved.get("others"), 0.0) or 0.0
    quota.usage.cost_per_request = json_number(saved.get("price"), 0.0) or 1.0
    quota.replenishment.fixed_votes = int(json_number(saved.get("fixed"), 0, MAX_VOTES) or 0)
    quota.replenishment.continuous_votes = int(json_number(saved.get("continuous"), 0, MAX_VOTES) or 0)
    quota.replenishment.before_reset = saved.get("flows") is not False
    if isinstance(quota, UndeclaredQuota):
        return _load_learned(quota, learned)
    match saved.get("declared"):
        case [bool(limit), bool(window), bool(reset)]:
            quota.limit_declared, quota.window.declared, quota.window.reset_stated = limit, window, reset
    return quota


def _load_learned(quota: UndeclaredQuota, saved: Any) -> UndeclaredQuota | None:
    match saved:
        case [used, opened_at, refusals, clean_windows, bool(certain), bool(confirmed)]:
            quota.used, quota.certain, quota.block_tried = json_number(used, 0.0) or 0.0, certain, confirmed
            quota.opened_at = quota.proven_at = json_number(opened_at, 0.0) or 0.0
            quota.total = quota.used + (2.0 * (quota.limit or 0.0) if confirmed else 0.0)
            quota.refusals = int(json_number(refusals, 0, MAX_TRIALS) or 0)
            quota.clean_windows = int(json_number(clean_windows, 0) or 0)
        case _:
            return None
    if isinstance(quota, LeakyBucketQuota):
        quota.resume(quota.opened_at)
    return quota if quota.limit and quota.window.length else None


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
