"""`DeclaredQuota`: each rule has its tests, and each test tells a history of responses."""

from __future__ import annotations

from typing import Any, Final

import pytest
from support.quota_histories import NOW, counted, observation, quota, ready

from crawler.limits.headers.declared import Observation
from crawler.limits.quotas.declared_quota import DeclaredQuota

DAY: Final = 86400.0

# ---- rule 1: causality -----------------------------------------------------------------------------------------------


def test_rule_1_only_a_response_requested_after_the_last_update_may_raise_the_remaining_units():
    made = quota(
        (observation(50, 60), 0.0, 0.1),
        (observation(40, 60), 0.1, 0.3),
        (observation(45, 60), 0.2, 0.4),
    )
    assert made.remaining == 40
    made.observe(observation(47, 60), sent=NOW + 0.5, received=NOW + 0.6)
    assert made.remaining == 47


def test_rule_1_a_response_that_was_overtaken_may_lower_them():
    assert quota((observation(50, 60), 0.0, 0.3), (observation(40, 60), 0.0, 0.4)).remaining == 40


# ---- rule 2: new windows ---------------------------------------------------------------------------------------------


def test_rule_2_a_later_reset_begins_a_window():
    made = quota((observation(1, 60), 0.0, 0.1), (observation(59, 121), 60.5, 60.6))
    assert made.window_count == 2
    assert made.remaining == 59
    assert made.reset.latest == NOW + 120.6  # its length after the response that opened it


def test_rule_2_a_reset_that_begins_where_the_last_one_ends_begins_a_window():
    made = quota((observation(5, 1), 0.0, 0.1), (observation(5, 2), 0.5, 0.6))
    assert made.window_count == 2


def test_rule_2_more_remaining_units_begin_a_window_where_no_reset_is_stated():
    made = quota((observation(10), 0.0, 0.1), (observation(30), 0.5, 0.6))
    assert made.window_count == 2


def test_rule_2_a_fixed_window_that_is_over_is_followed_by_another_one_whatever_is_left():
    made = quota((observation(1), 0.0, 0.1), (observation(59), 70.0, 70.1))
    assert made.replenishment.kind == "fixed"
    for left, sent in ((57, 140.0), (58, 140.0), (50, 141.0)):
        made.observe(observation(left), sent=NOW + sent, received=NOW + sent + 0.1, inflight=1.0)
    assert (made.window_count, made.remaining) == (3, 50)


def test_rule_2_a_late_response_of_the_last_window_changes_nothing():
    made = quota(
        (observation(1, 60), 0.0, 0.1),
        (observation(59, 121), 60.5, 60.6),
        (observation(0, 60), 0.05, 60.7),
    )
    assert (made.window_count, made.remaining) == (2, 59)


def test_rule_2_overlapping_resets_belong_to_one_window_and_narrow_its_end():
    made = quota((observation(50, 60.4), 0.0, 0.1), (observation(49, 60.1), 0.3, 0.4))
    assert made.window_count == 1
    assert made.reset.latest == NOW + 60.1


def test_rule_2_a_request_served_after_nothing_was_left_begins_a_window_as_short_as_the_seconds_of_resets():
    """A request may arrive a moment after the window ended, but was sent before the latest end of it."""

    def one(left: float, end: float) -> Observation:
        return Observation(policy="p", limit=2.0, remaining=left, reset=(NOW + end - 1.1, NOW + end), window=1.0)

    made = quota((one(1, 1.1), 0.0, 0.1), (one(0, 1.2), 0.1, 0.2))
    made.observe(one(0, 2.15), sent=NOW + 1.05, received=NOW + 1.15)
    assert made.window_count == 2
    assert made.reset.latest > NOW + 2.0


# ---- rule 5: replenishment -------------------------------------------------------------------------------------------


def test_rule_5_a_quota_that_returns_together_has_fixed_windows():
    made = quota((observation(0, 60), 0.0, 0.1), (observation(59, 121), 61.0, 61.1))
    assert made.replenishment.kind == "fixed"


def test_rule_5_a_quota_of_which_almost_nothing_returns_is_continuous():
    made = quota((observation(0, 1), 0.0, 0.1), (observation(0, 4), 2.1, 2.2))
    assert made.replenishment.kind == "continuous"
    assert 2.2 + 1.0 < ready(made, 2.3) <= 2.2 + 1.2  # the share of one unit, not a window


def test_rule_5_units_that_return_while_a_window_lasts_are_continuous():
    """A bucket of 20 that is refilled at two a second never shows a jump while it is emptied."""
    window = [
        (Observation(policy="p", limit=20.0, remaining=float(int(20 - 0.8 * used)), window=10.0), 0.1 * used)
        for used in range(1, 25)
    ]
    made = quota(*((one, at, at + 0.05) for one, at in window))
    assert made.window_count == 1
    assert made.replenishment.kind == "continuous"


def test_rule_5_a_server_that_does_not_count_a_request_is_not_continuous():
    window = [
        (Observation(policy="p", limit=20.0, remaining=21.0 - used, window=10.0), 0.1 * used) for used in range(2, 21)
    ]
    first = Observation(policy="p", limit=20.0, remaining=19.0, window=10.0)
    made = quota((first, 0.0, 0.05), *((one, at, at + 0.05) for one, at in window))
    assert made.replenishment.kind == "unknown"


def test_rule_5_a_refused_probe_shows_that_it_is_continuous():
    made = quota((observation(0, 60), 0.0, 0.1))
    made.observe(observation(0, 121), sent=NOW + 61.2, received=NOW + 61.3, refused=True)
    assert made.replenishment.kind == "continuous"


def test_rule_5_the_next_unit_is_tried_once_where_the_reset_is_far_off():
    made = quota((observation(0, 1), 0.0, 0.1), (observation(0, 62.5), 2.1, 2.2))
    assert made.replenishment.kind == "continuous"
    assert ready(made, 3) == pytest.approx(2.2 + 1.0)
    made.observe(observation(0, 61), sent=NOW + 3.3, received=NOW + 3.4, refused=True)
    assert ready(made, 4) >= 60  # it had not returned: wait for the reset


# ---- rule 11: late resets --------------------------------------------------------------------------------------------


def late(*, opened: float, used: int, at: float) -> tuple[Observation, float, float]:
    """Twenty per five seconds; the reset is stated a second late. The observation, when requested, when received."""
    end = NOW + opened + 6.0
    return (
        Observation(policy="p", limit=20.0, remaining=20.0 - used, reset=(end - 0.05, end + 0.05)),
        opened + at,
        opened + at + 0.1,
    )


def test_rule_11_a_window_that_ended_early_has_a_common_length_and_its_resets_are_stated_late():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=0.0, used=2, at=4.8), late(opened=5.2, used=1, at=0.0))
    assert made.window.length == 5
    assert made.window.correction == pytest.approx(-1.0, abs=0.2)
    assert (made.reset.earliest - NOW, made.reset.latest - NOW) == pytest.approx((10.2, 10.3))  # first request + length


def test_rule_11_a_quota_restored_long_before_its_reset_says_nothing_about_the_next():
    made = DeclaredQuota(name="p")
    for left, sent, end in ((19.0, 0.0, 90.0), (18.0, 29.0, 90.0), (19.0, 31.0, 121.0)):
        stated = Observation(policy="p", limit=20.0, remaining=left, reset=(NOW + end, NOW + end + 0.1))
        made.observe(stated, sent=NOW + sent, received=NOW + sent + 0.1)
    assert (made.window.length, made.window.correction) == (None, 0.0)


def day_ahead(*, at: float, left: float, **values: Any) -> dict[str, Any]:
    """Twenty per ten seconds; the reset is stated a day late."""
    end = NOW + at + DAY
    stated = Observation(policy="p", limit=20.0, remaining=left, reset=(end - 1.0, end))
    return {"observation": stated, "sent": NOW + at, "received": NOW + at + 0.1} | values


def test_rule_11_ends_before_which_two_windows_were_full_again_are_ignored():
    made = DeclaredQuota(name="p")
    for at in (0.0, 120.0):
        made.observe(**day_ahead(at=at, left=19.0))
        assert made.reset.latest == pytest.approx(NOW + at + DAY)
    made.observe(**day_ahead(at=240.0, left=19.0))
    assert made.window.is_wrong()
    assert made.reset.latest <= NOW + 241.0 + 120.0


def test_rule_11_until_then_two_requests_are_two_minutes_apart_at_most_while_units_are_left():
    made = DeclaredQuota(name="p")
    made.observe(**day_ahead(at=0.0, left=1.0))
    for last, at in ((0.0, 120.0), (400.0, 800.0)):
        start = made.start_at(NOW + last, cost=1.0, inflight=0.0, backlog=100.0, mode="auto")
        assert start == pytest.approx(NOW + at, abs=1.0)


def test_rule_11_a_window_that_lasts_twice_as_long_as_those_shows_that_stated_ends_are_right():
    made = DeclaredQuota(name="p")
    for at in (0.0, 120.0, 240.0):
        made.observe(**day_ahead(at=at, left=19.0))
    made.observe(**day_ahead(at=241.0, left=0.0))
    made.observe(**day_ahead(at=400.0, left=0.0, refused=True))
    assert made.window.is_wrong()
    made.observe(**day_ahead(at=490.0, left=0.0, refused=True))
    assert not made.window.is_wrong()


def test_rule_11_a_single_early_window_is_no_proof():
    made = DeclaredQuota(name="p")
    for at, length in ((0.0, 600.0), (100.0, 600.0), (701.0, 600.0), (800.0, 600.0)):
        end = NOW + at + length
        stated = Observation(policy="p", limit=20.0, remaining=19.0, reset=(end - 1.0, end))
        made.observe(stated, sent=NOW + at, received=NOW + at + 0.1)
    assert not made.window.is_wrong()


def test_rule_11_a_late_reset_is_not_corrected_twice():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=0.0, used=2, at=4.8), late(opened=5.2, used=1, at=0.0))
    correction = made.window.correction
    stated, _, _ = late(opened=9.9, used=1, at=0.0)  # early again
    made.observe(stated, sent=NOW + 9.9, received=NOW + 10.0)
    assert made.window.correction == correction
    assert made.reset.latest == pytest.approx(NOW + 10.0 + 5.0, abs=0.2)


def test_rule_11_two_windows_of_a_common_length_and_a_second_prove_late_resets():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=6.2, used=1, at=0.0))
    assert made.window.length == 5
    made.exhaust()
    assert ready(made, 7) == pytest.approx(6.3 + 5.0 + 0.25, abs=0.02)  # until the kind is known


def test_rule_11_a_refusal_at_the_corrected_end_drops_the_correction_for_good():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=6.2, used=1, at=0.0))
    made.exhaust()
    stated, _, _ = late(opened=6.2, used=20, at=0.0)
    made.observe(stated, sent=NOW + 11.6, received=NOW + 11.7, refused=True)
    assert made.window.correction == 0
    assert 12.2 <= ready(made, 11.8) <= 12.5
    for stated, sent, received in (late(opened=12.4, used=1, at=0.0), late(opened=18.6, used=1, at=0.0)):
        made.observe(stated, sent=NOW + sent, received=NOW + received)
    assert made.window.correction == 0


# ---- resets and windows ----------------------------------------------------------------------------------------------


def test_a_window_of_which_only_the_reset_is_stated_gets_a_common_length():
    made = DeclaredQuota(name="p")
    stated = Observation(policy="p", limit=60.0, remaining=59.0, reset=(NOW + 59.2, NOW + 60.2))
    made.observe(stated, sent=NOW, received=NOW + 0.1)
    assert made.window.length == 60


def test_a_second_is_added_for_a_server_that_rounds_down():
    made = DeclaredQuota(name="p")
    made.observe(observation(59, 59), sent=NOW, received=NOW + 0.1)  # its window ends 60 s after our first request
    assert made.reset.latest == NOW + 60.1
    made.observe(observation(59, 119), sent=NOW + 60.1, received=NOW + 60.2)
    assert made.window.correction == 1


def test_the_remaining_units_of_a_policy_count_as_soon_as_they_are_stated():
    made = counted(3.0, 0.0)
    made.observe(observation(0, 9), sent=NOW + 1.0, received=NOW + 1.1)
    assert not made.is_counted
    assert ready(made, 2.0) >= 9.0


def test_a_length_that_is_neither_stated_nor_followed_by_resets_is_learned_from_probes():
    made = DeclaredQuota(name="p")

    def hear(left: float, at: float, *, refused: bool = False) -> None:
        stated = Observation(policy="p", limit=2.0, remaining=left)
        made.observe(stated, sent=NOW + at, received=NOW + at + 0.1, refused=refused)

    for left, at in ((1, 0.0), (0, 0.2)):
        hear(left, at)
    hear(0, 2.4, refused=True)
    hear(1, 5.5)
    assert (made.window.length, made.window.is_certain()) == (5.0, False)
    hear(0, 5.7)
    hear(0, 10.6, refused=True)
    assert made.window.length is None


def test_units_that_return_one_by_one_to_a_bucket_that_is_nearly_full_show_no_window():
    made = DeclaredQuota(name="p")
    for left, at in ((19, 0.0), (16, 0.5), (17, 1.1)):
        made.observe(Observation(policy="p", remaining=left), sent=NOW + at, received=NOW + at + 0.1)
    assert (made.limit, made.window.length) == (20, None)


def test_a_window_that_is_full_again_shows_its_length_even_if_little_of_it_was_used():
    made = DeclaredQuota(name="p")
    for left, at in ((14, 0.0), (13, 0.2), (14, 1.05)):
        made.observe(Observation(policy="p", limit=15.0, remaining=left), sent=NOW + at, received=NOW + at + 0.1)
    assert made.window.length == 1.0


@pytest.mark.parametrize(("returned", "length"), [(17, 60.0), (2, None)])
def test_units_that_return_together_show_the_length_of_a_sliding_window(returned, length):
    made = DeclaredQuota(name="p")
    probes = [(99, 0.0), (20, 1.1), (19, 5.3), (18, 10.3), (17, 15.3), (16, 30.3), (15 + returned, 60.3)]
    for left, at in probes:
        stated = Observation(policy="p", limit=100.0, remaining=left)
        made.observe(stated, sent=NOW + at, received=NOW + at + 0.1)
    assert made.window.length == length


def test_an_undeclared_limit_is_the_largest_remainder_seen():
    made = DeclaredQuota(name="p")
    for left in (11_999, 11_998):
        stated = Observation(policy="p", remaining=left)
        made.observe(stated, sent=made.updated_at, received=max(NOW, made.updated_at) + 1)
    assert made.limit == 12_000


def test_a_declared_rate_restores_units_one_by_one():
    made = DeclaredQuota(name="p")
    made.observe(Observation(policy="p", limit=40.0, remaining=0.0, rate=2.0), sent=NOW, received=NOW + 0.1)
    assert ready(made, 0.2) - 0.1 == pytest.approx(0.5)


# ---- windows that are estimated from two fixed ones ------------------------------------------------------------------


def estimated(*responses: tuple[float, float, float], length: float | None = None) -> DeclaredQuota:
    """Ten per minute; the responses: units left, stated end, and seconds when requested, 0.1 s before received."""
    made = DeclaredQuota(name="p")
    for left, end, sent in responses:
        stated = Observation(policy="p", limit=10.0, window=length, remaining=left, reset=(NOW + end, NOW + end))
        made.observe(stated, sent=NOW + sent, received=NOW + sent + 0.1, refused=sent in REFUSED)
    return made


REFUSED = (30.1, 36.2)
FIRST_WINDOW = tuple((9.0 - number, 30.0, 0.1 + number) for number in range(10))


@pytest.mark.parametrize("length", [None, 60.0])
def test_rule_5_a_window_at_whose_end_nothing_returns_is_estimated_from_two(length):
    made = estimated(*FIRST_WINDOW, (0.0, 90.0, 30.1), length=length)
    assert ready(made, 31.0) == pytest.approx(36.0)
    made = estimated(*FIRST_WINDOW, (0.0, 90.0, 30.1), (0.0, 90.0, 36.1), length=length)
    assert ready(made, 36.5) == pytest.approx(42.0)
    assert made.start_at(NOW + 36.1, cost=1.0, inflight=0.0, backlog=100.0, mode="auto") == float("-inf")


def test_rule_5_an_uncommon_length_shows_itself_by_two_ends():
    made = estimated(*FIRST_WINDOW, (0.0, 103.0, 30.1))
    assert ready(made, 31.0) == pytest.approx(37.3)


def test_rule_5_a_request_that_is_lost_counts_in_an_estimated_window():
    made = estimated(*FIRST_WINDOW, (0.0, 90.0, 30.1))
    made.spend(1.0)
    assert ready(made, 31.0) == pytest.approx(42.0)


def test_rule_5_an_estimated_window_is_forgotten_when_its_length_changes():
    made = estimated(*FIRST_WINDOW, (0.0, 90.0, 30.1), length=60.0)
    assert made.estimated is not None
    made.observe(Observation(policy="p", limit=10.0, window=20.0, remaining=9.0), sent=NOW + 95, received=NOW + 95.1)
    assert made.estimated is None


def test_rule_8_a_window_that_no_response_states_is_counted_and_not_estimated():
    made = estimated(*FIRST_WINDOW, (0.0, 90.0, 30.1), length=60.0)
    for number in range(12):
        made.record_unreported(sent=NOW + 300 + number, received=NOW + 300.1 + number)
    assert (made.remaining, made.estimated) == (0.0, None)
    assert ready(made, 301.0) > 300.0


def test_rule_5_a_window_of_which_each_unit_returns_by_itself_is_not_estimated():
    """Its stated end is that of the next unit."""
    made = estimated(*((9.0 - number, 60.0, 0.1 + number) for number in range(10)), (0.0, 61.1, 60.1), length=60.0)
    assert made.replenishment.kind == "continuous"
    assert made.estimated is None


def test_rule_13_a_refusal_at_an_end_that_is_rounded_down_begins_no_window():
    made = quota((observation(0, 60), 0.0, 0.1))
    made.observe(observation(0, 61.3), sent=NOW + 61.2, received=NOW + 61.3, refused=True)
    assert (made.window_count, made.window.correction) == (1, 1.0)


def test_rule_15_a_response_that_does_not_state_the_end_shows_no_length_if_others_do():
    made = estimated((9.0, 60.15, 0.1), (0.0, 60.15, 1.0))
    assert made.window.length == 60.0
    made.observe(Observation(policy="p", limit=10.0, remaining=9.0), sent=NOW + 2.5, received=NOW + 2.6)
    assert made.window.length == 60.0
