"""The meaning of field names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.field_names import FieldName, limit_fields, parse_field_name


@each(
    "name",
    ["Date", "Age", "Server", "Content-Type", "Content-Length", "Cache-Control", "X-Frame-Options", "Set-Cookie",
     "Vary", "X-Request-Id", "X-Total-Count", "Access-Control-Max-Age", "Alt-Svc", "X-Preset", "Retry",
     "X-Limit-Of-Things", "", "-", "x-", "X-RateLimit-Endpoint-Name"],
)  # fmt: skip
def test_most_fields_do_not_name_a_limit(name):
    assert parse_field_name(name) is None


@each(
    ("name", "role", "policy", "window", "unit"),
    [
        ("X-RateLimit-Limit", "limit", "default", None, "requests"),
        ("RATELIMIT_REMAINING", "remaining", "default", None, "requests"),
        ("x-rate-limit-limit", "limit", "default", None, "requests"),
        ("x-rate-limit", "bare", "default", None, "requests"),
        ("RateLimit-Policy", "policy", "default", None, "requests"),
        ("x-ratelimit-limit-requests", "limit", "requests", None, "requests"),
        ("x-ratelimit-requests-limit", "limit", "requests", None, "requests"),
        ("anthropic-ratelimit-input-tokens-reset", "reset", "anthropic-input-tokens", None, "tokens"),
        ("x-ratelimit-remaining-minute", "remaining", "minute", 60, "requests"),
        ("x-ratelimit-limit-month", "limit", "month", None, "requests"),
        ("x-hubspot-ratelimit-secondly", "bare", "hubspot-secondly", 1, "requests"),
        ("x-app-limit-24hour-reset", "reset", "app-24hour", 86400, "requests"),
        ("ratelimit-resettime", "reset", "default", None, "requests"),
        ("x-ratelimit-complexity-limit", "limit", "complexity", None, "points"),
        ("x-ms-ratelimit-remaining-subscription-reads", "remaining", "ms-subscription-reads", None, "requests"),
        ("x-ratelimit-resource", "name", "default", None, "requests"),
        ("x-ratelimit-global", "scope", "default", None, "requests"),
        ("x-ratelimit-global-remaining", "remaining", "global", None, "requests"),
        ("stripe-rate-limited-reason", "reason", "stripe", None, "requests"),
        ("x-concurrency-limit", "concurrency", "default", None, "requests"),
        ("x-ratelimit-concurrency-limit", "concurrency", "default", None, "requests"),
        ("Retry-After", "retry", "default", None, "requests"),
        ("x-acme-retryafter-seconds", "retry", "default", None, "requests"),
        ("retry-after-long", "retry", "default", None, "requests"),
        ("x-app-usage", "vendor", "default", None, "requests"),
        ("X-RateLimit-Reset-rate-limit-application_a_127.0.0.1", "reset", "application-a-127.0.0.1", None, "requests"),
        ("X-RateLimit-Burst-Capacity", "limit", "default", None, "requests"),
        ("X-RateLimit-Replenish-Rate", "fill", "default", None, "requests"),
    ],
)
def test_names_that_state_limits(name, role, policy, window, unit):
    field = parse_field_name(name)
    assert (field.role, field.policy, field.window, field.unit) == (role, policy, window, unit)
    assert field.name == name.lower()


@pytest.mark.parametrize(
    "name",
    ["x-ratelimit-reset-ms", "x-rate-limit-api-key-interval-ms", "x-hubspot-ratelimit-interval-milliseconds",
     "retry-after-ms", "x-amz-retry-after", "RequestLimit-Default-RetryAfter"],
)  # fmt: skip
def test_names_that_say_milliseconds(name):
    assert parse_field_name(name).milliseconds


@pytest.mark.parametrize("name", ["x-ratelimit-reset", "retry-after", "x-ms-ratelimit-remaining-subscription-reads"])
def test_other_names_mean_seconds(name):
    assert not parse_field_name(name).milliseconds


def test_names_that_say_a_time_from_now():
    assert parse_field_name("X-RateLimit-Reset-After").relative
    assert parse_field_name("X-Toggl-Quota-Resets-In").relative
    assert not parse_field_name("X-RateLimit-Reset").relative


def test_long_names_are_ignored_and_not_cached():
    kept = parse_field_name.cache_info().currsize
    assert limit_fields([("x-ratelimit-limit-" + "x" * 100, "5")] * 5) == []
    assert parse_field_name.cache_info().currsize == kept


@given(st.text() | st.text(alphabet="ratelimsngx-_24hour"))
def test_no_name_breaks_it(name):
    field = parse_field_name(name)
    assert field is None or (isinstance(field, FieldName) and field.policy)


def test_fields_beyond_the_bounds_are_ignored():
    limits = [(f"x-ratelimit-limit-{n}", "1") for n in range(300)]
    assert [value for _, value in limit_fields(limits)] == ["1"] * 256
    assert limit_fields([("a", "b")] * 999 + limits) == limit_fields(limits[:1])
