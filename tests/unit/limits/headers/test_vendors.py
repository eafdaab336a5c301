"""Vendor fields whose values have a grammar of their own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.declared import Declared, Observation
from crawler.limits.headers.vendors import VENDOR_PARSERS

SENT, RECEIVED = 1_800_000_000.0, 1_800_000_000.5


def parse(name: str, value: str) -> Declared:
    return VENDOR_PARSERS[name](value, SENT, RECEIVED)


def test_shopify_states_level_and_size_of_a_bucket():
    [stated] = parse("x-shopify-shop-api-call-limit", " 32/40 ").observations
    assert stated == Observation(policy="shop-api-call", limit=40, remaining=8, rate=2)


def test_salesforce_states_requests_per_day():
    declared = parse("sforce-limit-info", "api-usage=18/15000, per-app-api-usage=17/250(appName=x)")
    assert declared.observations == (
        Observation(policy="api-usage", limit=15000, remaining=14982, window=86400),
        Observation(policy="per-app-api-usage", limit=250, remaining=233, window=86400),
    )


def test_azure_states_the_remainder_of_each_policy():
    value = "Microsoft.Compute/HighCostGet3Min;159,Microsoft.Compute/HighCostGet30Min;799"
    assert parse("x-ms-ratelimit-remaining-resource", value).observations == (
        Observation(policy="Microsoft.Compute/HighCostGet3Min", remaining=159),
        Observation(policy="Microsoft.Compute/HighCostGet30Min", remaining=799),
    )


def test_microsoft_graph_states_the_fraction_in_use():
    [stated] = parse("x-ms-throttle-limit-percentage", "0.8").observations
    assert (stated.limit, stated.remaining, stated.unit) == (100, pytest.approx(20), "percent")


def test_meta_states_percentages_of_which_the_highest_counts():
    [stated] = parse("x-app-usage", '{"call_count": 28, "total_time": 25, "total_cputime": 40}').observations
    assert (stated.policy, stated.remaining, stated.reset) == ("app-usage", 60, None)


def test_meta_states_minutes_until_access_returns():
    usage = {"1": [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 19}]}
    [stated] = parse("x-business-use-case-usage", json.dumps(usage)).observations
    assert (stated.policy, stated.remaining) == ("business-use-case-usage-pages", 0)
    assert stated.reset == (SENT + 18 * 60, RECEIVED + 19 * 60)


def test_mediawiki_names_the_violated_limit():
    assert parse("mediawiki-api-error", "maxlag").violated == ("maxlag",)
    assert parse("mediawiki-api-error", "badtoken").violated == ()


@each("value", ["", "x", "5/0", "/", "{", "[]", "{}", "null", "[" * 5000, "9" * 400])
@each("name", VENDOR_PARSERS)
def test_malformed_values_declare_nothing(name, value):
    assert not parse(name, value)


@given(st.sampled_from(sorted(VENDOR_PARSERS)), st.text() | st.text(alphabet='0123456789/=;,.{}[]":count_ '))
def test_no_value_breaks_it(name, value):
    for stated in parse(name, value).observations:
        assert stated.remaining is None or stated.remaining >= 0
        assert stated.limit is None or stated.limit > 0
