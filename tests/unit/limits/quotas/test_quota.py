"""`Quota`: each rule has its tests, and each test tells a history of responses."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crawler.limits.headers.declared import Observation
from crawler.limits.quotas.quota import Quota

NOW = 1_800_000_000.0


def observation(remaining: float | None, reset: float | None = None, **values: Any) -> Observation:
    """Sixty per minute; `reset`: seconds after `NOW`, stated in whole seconds and rounded up."""
    time_range = None if reset is None else (NOW + reset - 1.0, NOW + reset)
    return Observation(policy="p", limit=60.0, window=60.0, remaining=remaining, reset=time_range, **values)


def quota(*responses: tuple[Observation, float, float], inflight: float = 0.0) -> Quota:
    """A quota after these responses: observation, and seconds after `NOW` when it was requested and received."""
    made = Quota(name="p")
    for stated, sent, received in responses:
        made.observe(stated, sent=NOW + sent, received=NOW + received, inflight=inflight)
    return made


def ready(made: Quota, now: float, *, inflight: float = 0.0, in_flight: tuple[float, ...] = ()) -> float:
    """Seconds after `NOW` when the next request may start; `in_flight`: when those in flight started."""
    at = made.ready_at(
        NOW + now,
        cost=1.0,
        inflight=inflight,
        in_flight_since=lambda since: any(NOW + at >= since for at in in_flight),
    )
    return at - NOW


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


# ---- rules 3 and 4: requests in flight, and one probe ----------------------------------------------------------------


def test_rule_3_requests_in_flight_count_as_spent():
    made = quota((observation(3, 60), 0.0, 0.1))
    assert ready(made, 1, inflight=2) < 1
    assert ready(made, 1, inflight=3) >= 60


def test_rule_4_exactly_one_probe_finds_out_whether_the_quota_is_restored():
    made = quota((observation(0, 60), 0.0, 0.1))
    at = ready(made, 1)
    assert 60 <= at <= 63
    assert ready(made, at) <= at
    assert ready(made, at, inflight=1, in_flight=(at,)) == math.inf
    assert ready(made, at + 5, inflight=1, in_flight=(30.0,)) <= at + 5  # a slow request of the last window: no probe


# ---- rule 5: replenishment -------------------------------------------------------------------------------------------


def test_rule_5_a_quota_that_returns_together_has_fixed_windows():
    made = quota((observation(0, 60), 0.0, 0.1), (observation(59, 121), 61.0, 61.1))
    assert made.replenishment.kind == "fixed"


def test_rule_5_a_quota_of_which_almost_nothing_returns_is_continuous():
    made = quota((observation(0, 1), 0.0, 0.1), (observation(0, 4), 2.1, 2.2))
    assert made.replenishment.kind == "continuous"
    assert 2.2 + 1.0 < ready(made, 2.3) <= 2.2 + 1.2  # the share of one unit, not a window


def test_rule_5_a_refused_probe_shows_that_it_is_continuous():
    made = quota((observation(0, 60), 0.0, 0.1))
    made.observe(observation(0, 121), sent=NOW + 61.2, received=NOW + 61.3, refused=True)
    assert made.replenishment.kind == "continuous"


def test_rule_5_a_reset_that_moves_away_as_units_are_spent_is_the_time_to_full():
    made = quota(*((observation(60 - used, used), 0.1 * used, 0.1 * used + 0.05) for used in range(1, 10)))
    assert made.replenishment.kind == "continuous"
    made.exhaust()
    assert ready(made, 1) < 4


def test_rule_5_the_next_unit_is_tried_once_where_the_reset_is_far_off():
    made = quota((observation(0, 1), 0.0, 0.1), (observation(0, 61), 2.1, 2.2))
    assert made.replenishment.kind == "continuous"
    assert ready(made, 3) == pytest.approx(2.2 + 2.5)
    made.observe(observation(0, 61), sent=NOW + 4.7, received=NOW + 4.8, refused=True)
    assert ready(made, 5) >= 60  # it had not returned: wait for the reset


# ---- rule 6: other clients -------------------------------------------------------------------------------------------


def test_rule_6_the_use_of_other_clients_is_seen_and_expected_to_go_on():
    made = quota((observation(59, 60), 0.0, 0.1), (observation(38, 60), 20.0, 20.1))
    assert made.usage.others == pytest.approx(20 / 25, rel=0.05)  # after a prior of five seconds
    assert made.available(NOW + 30, 0) < 38 - 8


def test_rule_6_requests_in_flight_are_not_taken_for_the_use_of_others():
    made = quota((observation(59, 60), 0.0, 0.1), (observation(50, 60), 3.0, 3.1), inflight=9.0)
    assert made.usage.others == 0


def test_rule_6_units_that_a_refusal_or_a_lower_limit_takes_were_used_by_nobody():
    made = quota((observation(59, 60), 0.0, 0.1), (observation(58, 60), 10.0, 10.1))
    lower = Observation(policy="p", limit=20.0, window=60.0, remaining=0.0, reset=(NOW + 59, NOW + 60))
    assert made.observe(lower, sent=NOW + 20, received=NOW + 20.1, refused=True)
    assert made.usage.others == 0


# ---- rules 8 and 9: responses that do not mention the policy ---------------------------------------------------------


def test_rule_8_requests_of_a_policy_that_is_no_longer_mentioned_are_counted():
    made = quota((observation(2, 60), 0.0, 0.1), (observation(1, 60), 0.2, 0.3))
    assert made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    assert made.remaining == 0
    at = ready(made, 2)
    assert made.record_unreported(sent=NOW + at, received=NOW + at + 0.1)  # the first after the reset begins a window
    assert made.remaining == 59
    assert made.reset.latest == pytest.approx(NOW + at + 0.1 + 60)


def test_rule_8_a_server_that_does_not_count_unreported_requests_is_believed():
    made = quota((observation(50, 60), 0.0, 0.1))
    made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    made.observe(observation(49, 60), sent=NOW + 2, received=NOW + 2.1)
    made.record_unreported(sent=NOW + 3, received=NOW + 3.1)
    assert made.remaining == 49
    assert made.window_count == 1


def test_rule_8_nothing_can_be_counted_if_limit_or_window_are_unknown():
    made = Quota(name="p")
    made.observe(Observation(policy="p", remaining=0.0), sent=NOW, received=NOW + 0.1)
    assert not made.record_unreported(sent=NOW + 100, received=NOW + 100.1)


def test_rule_9_a_response_that_does_not_mention_a_policy_updates_only_its_counts():
    made = quota((observation(50, 60), 0.0, 0.1))
    made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    assert made.remaining == 49
    assert (made.updated_at, made.window_count, made.reset.latest) == (NOW + 0.1, 1, NOW + 60)


# ---- rule 10: our own log --------------------------------------------------------------------------------------------


def logged(*, others: int = 0, length: float | None = 5.0) -> Quota:
    """Four per five seconds, used at 0, 1, 2 and 3; the stated reset is late. `others` used some of it."""
    made = Quota(name="p")
    for used in range(1, 5 - others):
        at = NOW + used - 1.0
        left = 4.0 - used - (others if used > 1 else 0)
        stated = Observation(policy="p", limit=4.0, window=length, remaining=left, reset=(NOW + 6.0, NOW + 6.5))
        made.observe(stated, sent=at, received=at + 0.1)
    return made


def test_rule_10_there_is_room_one_window_after_a_request_was_answered():
    made = logged()
    assert made.remaining == 0
    assert ready(made, 4.0) == pytest.approx(5.1, abs=0.02)
    assert ready(made, 5.2, inflight=1, in_flight=(5.12,)) == pytest.approx(6.1, abs=0.02)
    assert ready(made, 6.2, inflight=1, in_flight=(6.15,)) == math.inf  # one probe, until the log is confirmed


def test_rule_10_no_probe_is_needed_once_units_returned_as_the_log_predicted():
    made = logged()
    stated = Observation(policy="p", limit=4.0, window=5.0, remaining=0.0, reset=(NOW + 7.0, NOW + 7.5))
    made.observe(stated, sent=NOW + 5.11, received=NOW + 5.2)
    assert made.window.log_confirmed
    assert ready(made, 5.3) == pytest.approx(6.1, abs=0.02)
    assert ready(made, 6.2, inflight=1, in_flight=(6.12,)) == pytest.approx(7.1, abs=0.02)


def test_rule_10_the_log_is_not_used_for_a_window_after_other_clients_were_seen():
    made = logged(others=1)
    assert made.remaining == 0
    assert ready(made, 4.0) >= 6.0


def test_rule_10_a_refusal_where_the_log_predicted_room_ends_its_use_for_good():
    made = logged()
    stated = Observation(policy="p", limit=4.0, window=5.0, remaining=0.0, reset=(NOW + 6.0, NOW + 6.5))
    made.observe(stated, sent=NOW + 5.2, received=NOW + 5.3, refused=True)
    assert made.log.complete_since == math.inf


def test_rule_10_the_log_is_not_used_while_the_length_of_the_window_is_a_guess():
    made = logged(length=None)
    made.window.length = 5.0
    assert ready(made, 4.0) >= 6.0


def test_rule_10_more_units_than_the_log_explains_returned_at_once():
    made = logged()
    stated = Observation(policy="p", limit=4.0, window=5.0, remaining=3.0, reset=(NOW + 11.0, NOW + 11.5))
    made.observe(stated, sent=NOW + 5.11, received=NOW + 5.2)
    assert (made.replenishment.kind, made.replenishment.all_at_once) == ("fixed", True)


def test_rule_10_a_request_without_a_known_response_leaves_a_gap_in_the_log():
    made = logged()
    made.spend(1.0)
    assert ready(made, 4.0) >= 6.0


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
    made = Quota(name="p")
    for left, sent, end in ((19.0, 0.0, 90.0), (18.0, 29.0, 90.0), (19.0, 31.0, 121.0)):
        stated = Observation(policy="p", limit=20.0, remaining=left, reset=(NOW + end, NOW + end + 0.1))
        made.observe(stated, sent=NOW + sent, received=NOW + sent + 0.1)
    assert (made.window.length, made.window.correction) == (None, 0.0)


def test_rule_11_a_late_reset_is_not_corrected_twice():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=0.0, used=2, at=4.8), late(opened=5.2, used=1, at=0.0))
    correction = made.window.correction
    stated, _, _ = late(opened=9.9, used=1, at=0.0)  # early again
    made.observe(stated, sent=NOW + 9.9, received=NOW + 10.0)
    assert made.window.correction == correction
    assert made.reset.latest == pytest.approx(NOW + 10.0 + 5.0, abs=0.2)


def test_rule_11_two_windows_of_a_common_length_and_a_second_are_no_coincidence():
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
    made = Quota(name="p")
    stated = Observation(policy="p", limit=60.0, remaining=59.0, reset=(NOW + 59.2, NOW + 60.2))
    made.observe(stated, sent=NOW, received=NOW + 0.1)
    assert made.window.length == 60


def test_a_second_is_added_for_a_server_that_rounds_down():
    made = Quota(name="p")
    made.observe(observation(59, 59), sent=NOW, received=NOW + 0.1)  # its window ends 60 s after our first request
    assert made.reset.latest == NOW + 60.1
    made.observe(observation(59, 119), sent=NOW + 60.1, received=NOW + 60.2)
    assert made.window.correction == 1


def counted(limit: float, *sent: float) -> Quota:
    made = Quota(name="p")
    for at in sent:
        stated = Observation(policy="p", limit=limit, window=10.0)
        made.observe(stated, sent=NOW + at, received=NOW + at + 0.1)
    return made


def test_a_policy_that_never_states_what_is_left_is_counted():
    made = counted(3.0, 0.0, 1.0)
    assert ready(made, 2.0) <= 2.0
    assert ready(made, 2.0, inflight=1.0) == pytest.approx(10.11)
    made = counted(3.0, 0.0, 1.0, 2.0)
    assert ready(made, 3.0) == pytest.approx(10.11)
    assert ready(made, 3.0, inflight=1.0) == pytest.approx(11.11)
    assert made.start_at(NOW + 3, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") == -math.inf


def test_a_policy_that_is_too_large_to_be_counted_is_kept_as_an_even_rate():
    made = counted(1000.0, 0.0)
    assert ready(made, 0.2) <= 0.2
    at = made.start_at(NOW + 0.2, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert at - NOW - 0.2 == pytest.approx(0.0102, abs=1e-5)


def test_what_is_left_of_a_policy_counts_as_soon_as_it_is_stated():
    made = counted(3.0, 0.0)
    made.observe(observation(0, 9), sent=NOW + 1.0, received=NOW + 1.1)
    assert not made.is_counted
    assert ready(made, 2.0) >= 9.0


def test_before_a_stated_end_no_probe_is_sent():
    made = Quota(name="p")
    stated = Observation(policy="p", limit=60.0, window=86400.0, remaining=0.0, reset=(NOW + 50_000, NOW + 50_001))
    made.observe(stated, sent=NOW, received=NOW + 0.1)
    assert made.probe_at() >= NOW + 50_001


def test_probes_are_sent_at_common_lengths_where_nothing_is_left_and_no_reset_is_stated():
    made = Quota(name="p")
    stated = Observation(policy="p", remaining=0.0)
    times = []
    while len(times) < 12:
        at = NOW + times[-1] if times else NOW
        made.observe(stated, sent=at, received=at + 0.1, refused=True)
        times.append(round(made.probe_at() - NOW, 2))
    assert times[:6] == [1.1, 2.4, 5.4, 10.4, 15.4, 30.4]
    assert times[-3:] == [600.4, 900.4, 1800.4]


def test_a_length_that_is_neither_stated_nor_followed_by_resets_is_learned_from_probes():
    made = Quota(name="p")

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


def test_a_quota_of_a_day_that_states_no_end_is_looked_at_at_midnight():
    made = Quota(name="p")
    stated = Observation(policy="p", limit=60.0, window=86400.0, remaining=0.0)
    made.observe(stated, sent=NOW, received=NOW + 0.1)
    assert made.probe_at() == pytest.approx(NOW + 86400 - NOW % 86400 + 0.3)


def test_probes_become_rare_where_requests_are_served_although_nothing_is_left():
    made = quota((observation(1, 10), 0.0, 0.1), (observation(0, 10), 9.0, 9.1))
    waits = []
    now = 11.2
    for _ in range(8):
        made.observe(observation(0, 10), sent=NOW + now, received=NOW + now + 0.1)
        waits.append(ready(made, now + 0.1) - now - 0.1)
        now += 0.1 + max(0.0, waits[-1])
    assert waits[-1] >= 4.0
    assert waits == sorted(waits)


def test_after_an_interrupted_run_one_probe_starts_at_once():
    made = quota((observation(50, 60), 0.0, 0.1))
    made.resume(NOW + 5.0)
    assert ready(made, 5.0) <= 5.0
    assert ready(made, 5.0, inflight=1.0, in_flight=(5.0,)) == math.inf


def test_an_undeclared_limit_is_the_largest_remainder_seen():
    made = Quota(name="p")
    for left in (11_999, 11_998):
        stated = Observation(policy="p", remaining=left)
        made.observe(stated, sent=made.updated_at, received=max(NOW, made.updated_at) + 1)
    assert made.limit == 12_000


def test_a_declared_rate_restores_units_one_by_one():
    made = Quota(name="p")
    made.observe(Observation(policy="p", limit=40.0, remaining=0.0, rate=2.0), sent=NOW, received=NOW + 0.1)
    assert 0.5 < ready(made, 0.2) - 0.1 < 0.6


# ---- spreading -------------------------------------------------------------------------------------------------------


def test_a_window_without_a_stated_reset_is_spread_at_the_average_rate():
    made = quota((observation(50), 0.0, 0.1))  # others use it too: our own log does not show when there is room
    at = made.start_at(NOW, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert at - NOW == pytest.approx(1.02)


def test_the_remaining_units_are_spread_over_the_window_until_the_backlog_fits():
    made = quota((observation(59, 60), 0.0, 0.1))
    made.replenishment.fixed_votes, made.replenishment.all_at_once = 1, True
    spread = made.start_at(NOW + 0.1, cost=1.0, inflight=0.0, backlog=60.0, mode="auto")
    assert spread - NOW - 0.1 == pytest.approx(0.97 * 58.9 / 60)
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=59.0, mode="auto") == -math.inf
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1e9, mode="burst") == -math.inf
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1.0, mode="smooth") > NOW


def test_while_the_kind_is_unknown_the_remaining_units_are_spread_over_a_quarter_of_the_window():
    """If each unit returns one window after its use, units used late return late in every window."""
    made, last = quota((observation(59, 60), 0.0, 0.1)), 0.1
    for left in range(58, -1, -1):
        last = made.start_at(NOW + last, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") - NOW
        made.observe(observation(left, 60), sent=NOW + last, received=NOW + last + 0.1)
    assert 0.9 * 60 / 4 <= last <= 60 / 4


# ---- reports ---------------------------------------------------------------------------------------------------------


def test_the_report_contains_only_what_is_known():
    assert Quota(name="p").report() == {"kind": "unknown"}
    made = quota((observation(50, 60), 0.0, 0.1))
    assert made.report() == {
        "limit": 60.0,
        "remaining": 50.0,
        "window": 60.0,
        "reset_at": NOW + 60,
        "kind": "unknown",
    }
    made.exhaust(NOW + 90)
    assert made.report() | {"remaining": 0.0, "reset_at": NOW + 90} == made.report()
