"""Limit fields grouped by policy, before they are interpreted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.field_names import limit_fields
from crawler.limits.headers.grouping import FieldGroup, GroupedFields, group_fields


def group(*fields: tuple[str, str]) -> GroupedFields:
    return group_fields(limit_fields(fields))


def only(*fields: tuple[str, str]) -> FieldGroup:
    [found] = group(*fields).groups
    return found


def test_fields_of_one_policy_form_a_group():
    found = only(("X-RateLimit-Limit-Day", "60"), ("X-RateLimit-Remaining-Day", "5"), ("X-RateLimit-Reset-Day", "9"))
    assert (found.policy, found.window) == ("day", 86400.0)
    assert set(found.fields) == {"limit", "remaining", "reset"}
    assert found.limit_and_remaining() == (60.0, 5.0)


def test_fields_of_two_policies_form_two_groups():
    grouped = group(("X-RateLimit-Limit-Day", "60"), ("X-RateLimit-Limit-Hour", "5"))
    assert [found.policy for found in grouped.groups] == ["day", "hour"]


def test_two_families_that_agree_describe_one_policy():
    found = only(("RateLimit-Limit", "60"), ("X-RateLimit-Limit", "60"), ("X-RateLimit-Remaining", "5"))
    assert found.limit_and_remaining() == (60.0, 5.0)


def test_fields_without_a_name_that_repeat_a_named_policy_state_its_reset():
    """Kong states every policy by the name of its window, and the strictest one once more, with its reset."""
    grouped = group(
        ("X-RateLimit-Limit-Minute", "30"), ("X-RateLimit-Remaining-Minute", "29"),
        ("X-RateLimit-Limit-Hour", "200"), ("X-RateLimit-Remaining-Hour", "7"),
        ("RateLimit-Limit", "200"), ("RateLimit-Remaining", "7"), ("RateLimit-Reset", "312"),
    )  # fmt: skip
    assert {found.policy: "reset" in found.fields for found in grouped.groups} == {"minute": False, "hour": True}


@pytest.mark.parametrize("other", ["RateLimit-Remaining-Hour", "RateLimit-Reset-Hour"])
def test_fields_without_a_name_are_a_policy_of_their_own_unless_all_agrees(other):
    grouped = group(
        ("RateLimit-Limit-Hour", "200"), ("RateLimit-Remaining-Hour", "7"), (other, "8"),
        ("RateLimit-Limit", "200"), ("RateLimit-Remaining", "6" if "Rem" in other else "7"), ("RateLimit-Reset", "9"),
    )  # fmt: skip
    assert {found.policy for found in grouped.groups} == {"hour", "default"}


def test_two_families_that_contradict_each_other_describe_two_policies():
    grouped = group(("RateLimit-Limit", "60"), ("X-RateLimit-Limit", "1000"))
    assert [found.policy for found in grouped.groups] == ["default", "x-ratelimit-default"]


@each(
    ("fields", "expected"),
    [
        ([("limit", "60"), ("remaining", "5")], (60.0, 5.0)),
        ([("limit", "60"), ("used", "55")], (60.0, 5.0)),
        ([("used", "55"), ("remaining", "5")], (60.0, 5.0)),
        ([("limit", "60"), ("used", "70")], (60.0, 0.0)),
        ([("limit", "60"), ("remaining", "-3")], (60.0, 0.0)),
        ([("limit", "-1"), ("remaining", "-1")], (None, None)),
        ([("limit", "-1"), ("remaining", "7")], (None, 7.0)),
        ([("limit", "60"), ("limit", "10"), ("remaining", "50"), ("remaining", "2")], (10.0, 2.0)),
        ([("limit", "60"), ("remaining", "9, 4")], (60.0, 4.0)),
        ([("limit", "soon")], (None, None)),
    ],
)
def test_limit_and_remaining_units(fields, expected):
    assert only(*((f"X-RateLimit-{role}", value) for role, value in fields)).limit_and_remaining() == expected


def test_policies_in_a_limit_belong_to_its_group():
    found = only(("RateLimit-Limit", "10, 10;w=1, 50;w=60"))
    assert [policy.name for policy in found.policies] == ["1s", "60s"]
    assert found.numbers("limit") == [10.0]


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("700", {"limit"}),
        ("3/700", {"used", "limit"}),
        ("limit=10, remaining=5, reset=1", {"limit", "remaining", "reset"}),
    ],
)
def test_a_name_without_a_role_is_read_by_its_value(value, fields):
    assert set(only(("X-Rate-Limit", value)).fields) == fields


def test_named_items_are_kept_apart():
    grouped = group(("RateLimit", '"burst";r=5;t=1, "day";q=9'))
    assert [(member.value, member.params) for _, member in grouped.items] == [("burst", {"r": "5", "t": "1"})]


def test_fields_about_the_whole_response_belong_to_no_group():
    grouped = group(("Retry-After", "5"), ("X-RateLimit-Resource", "core"), ("X-App-Usage", "{}"))
    assert grouped.groups == []
    assert {role: [value for _, value in fields] for role, fields in grouped.ungrouped.items()} == {
        "retry": ["5"],
        "name": ["core"],
        "vendor": ["{}"],
    }


def test_a_limit_without_a_family_is_ignored_unless_something_else_is_stated():
    assert group(("X-Points-Limit", "5")).groups == []
    assert only(("X-Points-Limit", "5"), ("X-Points-Remaining", "3")).limit_and_remaining() == (5.0, 3.0)


def test_long_values_are_ignored():
    assert group(("X-RateLimit-Limit", "9" * 9000)).groups == []


@given(
    st.lists(st.tuples(st.sampled_from(["RateLimit", "X-RateLimit-Limit", "X-RateLimit-Used"]), st.text(max_size=20)))
)
def test_no_values_break_it(fields):
    for found in group(*fields).groups:
        limit, remaining = found.limit_and_remaining()
        assert limit is None or limit >= 0
        assert remaining is None or remaining >= 0
