from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from support.memory_groups import NOBODY, MemoryGroups, RequestRow

from crawler.messages import Request

NAMES = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "settle", "lease", "give_up"]), st.sampled_from(NAMES), st.integers(1, 2))
)


@given(STEPS)
def test_indexes_agree_with_the_groups_after_any_steps(steps: list[tuple[str, str, int]]) -> None:
    groups = MemoryGroups()
    for number, (step, name, owner) in enumerate(steps):
        group = groups.get(name)
        if step == "add":
            groups.add(group, (0, number), RequestRow(Request("http://a.test/")))
        elif step == "settle" and group.requests:
            groups.settle(group, next(iter(group.requests)))
        elif step == "lease":
            groups.lease(group, owner)
        elif step == "give_up":
            groups.give_up(group)
    rows = groups.rows.values()
    assert groups.busy == sum(1 for group in rows if group.requests)
    assert set(groups.free) == {group.name for group in rows if group.requests and group.owner == NOBODY}
    for owner in (1, 2):
        assert {group.name for group in groups.of(owner)} == {group.name for group in rows if group.owner == owner}
        assert groups.busy_of(owner) == sum(1 for group in rows if group.owner == owner and group.requests)


def test_the_group_that_was_ready_first_is_leased_first() -> None:
    groups = MemoryGroups()
    for name, at in (("late", 5.0), ("now", 3.0), ("first", -math.inf), ("second", -math.inf)):
        groups.add(groups.get(name), (0, 0), RequestRow(Request("http://a.test/")))
        groups.get(name).ready_at = at
    assert [group.name for group in groups.ready(4.0, 9)] == ["first", "second", "now"]
    assert [group.name for group in groups.ready(4.0, 1)] == ["first"]
    assert groups.ready(4.0, -1) == []


def test_a_group_that_somebody_waits_for_is_free_for_the_first_of_them_only() -> None:
    groups = MemoryGroups()
    group = groups.get("a")
    groups.add(group, (0, 0), RequestRow(Request("http://a.test/")))
    assert groups.wait(group, 1)
    assert groups.wait(group, 2)
    assert not groups.wait(group, 1)
    assert (groups.has_ready(0.0), group.is_free_for(1, 0.0), group.is_free_for(2, 0.0)) == (False, True, False)
    groups.stop_waiting(1, ["a"])
    assert group.waiting == [1, 2]
    groups.stop_waiting(1)
    assert group.is_free_for(2, 0.0)
    groups.stop_waiting(2)
    assert groups.has_ready(0.0)
