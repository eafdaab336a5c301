"""Limits declared by JSON bodies."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.declared import NOTHING, Declared, Observation
from crawler.limits.headers.json_bodies import read_json_limits
from crawler.limits.headers.retry_after import MAX_RETRY_AFTER

PROBLEM = "https://iana.org/assignments/http-problem-types#"
DOCUMENTS = {
    "Matrix": (
        '{"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 1992}',
        Declared(retry_after=1.992, violated=("M_LIMIT_EXCEEDED",)),
    ),
    "Discord": (
        '{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}',
        Declared(retry_after=64.57),
    ),
    "Discord, global": (
        '{"message": "You are being rate limited.", "retry_after": 64.57, "global": true}',
        Declared(retry_after=64.57, violated=("global",)),
    ),
    "Stack Exchange": (
        '{"items": [], "backoff": 10, "quota_max": 300, "quota_remaining": 299}',
        Declared(observations=(Observation(policy="quota", limit=300, remaining=299, window=86400),), retry_after=10.0),
    ),
    "Stack Exchange, no wait": (
        '{"items": [], "quota_max": 300, "quota_remaining": 0}',
        Declared(observations=(Observation(policy="quota", limit=300, remaining=0, window=86400),)),
    ),
    "Shopify": (
        (
            '{"data": {}, "extensions": {"cost": {"requestedQueryCost": 101, "actualQueryCost": 46, "throttleStatus": '
            '{"maximumAvailable": 1000.0, "currentlyAvailable": 954, "restoreRate": 50.0}}}}'
        ),
        Declared(observations=(Observation(policy="graphql", limit=1000, remaining=954, rate=50, unit="points"),)),
    ),
    "Shopify refuses": (
        (
            '{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": '
            '{"throttleStatus": {"maximumAvailable": 1000.0, "currentlyAvailable": 4, "restoreRate": 50.0}}}}'
        ),
        Declared(
            observations=(Observation(policy="graphql", limit=1000, remaining=4, rate=50, unit="points"),),
            violated=("THROTTLED",),
        ),
    ),
    "Linear": (
        '{"errors": [{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}]}',
        Declared(violated=("RATELIMITED",)),
    ),
    "Google": (
        (
            '{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"@type": '
            '"type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.771204034s"}]}}'
        ),
        Declared(retry_after=12.771204034),
    ),
    "gRPC-Gateway": (
        (
            '{"code": 8, "message": "quota exceeded", "details": [{"@type": '
            '"type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}]}'
        ),
        Declared(retry_after=3.5),
    ),
    "Telegram": (
        (
            '{"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 14", '
            '"parameters": {"retry_after": 14}}'
        ),
        Declared(retry_after=14.0),
    ),
    "seconds in camel case": ('{"error": {"message": "slow down", "retryAfter": 2.5}}', Declared(retry_after=2.5)),
    "seconds as text": ('{"retry_after_seconds": "7"}', Declared(retry_after=7.0)),
    "milliseconds in an extension": (
        '{"errors": [{"message": "slow down", "extensions": {"retryAfterMs": 500}}]}',
        Declared(retry_after=0.5),
    ),
    "a date is no time from now": ('{"retry_after": "2026-05-04T12:34:56Z"}', NOTHING),
    "a wait of something else": ('{"items": [{"retry_after": 5}], "job": {"retry_after": 5}}', NOTHING),
    "Google, by reason": (
        '{"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}]}}',
        Declared(violated=("userRateLimitExceeded",)),
    ),
    "MediaWiki": (
        '{"error": {"code": "maxlag", "info": "Waiting for a server: 8 seconds lagged", "lag": 8}}',
        Declared(violated=("maxlag",)),
    ),
    "Slack": ('{"ok": false, "error": "ratelimited"}', Declared(violated=("ratelimited",))),
    "a problem": (
        f'{{"type": "{PROBLEM}quota-exceeded", "title": "x", "violated-policies": ["daily", "bandwidth"]}}',
        Declared(violated=("daily", "bandwidth")),
    ),
    "a problem of reduced capacity": (
        f'{{"type": "{PROBLEM}temporary-reduced-capacity", "violated-policies": ["daily"]}}',
        Declared(violated=("daily",)),
    ),
    "a problem of another type": (
        '{"type": "https://example.com/problems#other", "violated-policies": ["daily"]}',
        NOTHING,
    ),
    "a very long wait": ('{"retry_after": 1e17}', Declared(retry_after=MAX_RETRY_AFTER)),
    "an ordinary document": ('{"id": 7, "error": null, "errors": [], "type": "user", "global": true}', NOTHING),
    "another kind of error": ('{"error": {"code": "badtoken"}, "errcode": "M_FORBIDDEN"}', NOTHING),
    "nonsense": ('{"retry_after": -1, "backoff": "soon", "quota_remaining": true, "retry_after_ms": []}', NOTHING),
    "a list": ("[1, 2]", NOTHING),
    "text": ('"M_LIMIT_EXCEEDED"', NOTHING),
}


@each(("document", "means"), DOCUMENTS.values())
def test_documents_that_vendors_and_standards_describe(document, means):
    assert read_json_limits(json.loads(document)) == means


def test_numbers_too_large_for_a_float_are_ignored():
    assert read_json_limits({"retry_after": 10**400, "quota_remaining": 10**400}) is NOTHING


def test_a_document_without_limits_returns_the_constant():
    assert read_json_limits({"id": 7}) is NOTHING


KEYS = ["retryAfter", "parameters", "retry_after", "retry_after_ms", "backoff", "quota_remaining", "quota_max",
        "error", "errors", "details", "code", "retryDelay", "extensions", "cost", "throttleStatus",
        "currentlyAvailable", "restoreRate", "type", "errcode", "violated-policies", "reason", "global"]  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["5s", "maxlag", 10**400])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
def test_no_document_breaks_it(document):
    declared = read_json_limits(document)
    assert declared.retry_after is None or 0 <= declared.retry_after <= MAX_RETRY_AFTER
    assert all(isinstance(name, str) for name in declared.violated)
    for one in declared.observations:
        assert all(x is None or 0 <= x < 1e18 for x in (one.limit, one.remaining, one.rate))
