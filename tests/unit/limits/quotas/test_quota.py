"""`Quota`: each rule has its tests, and each test tells a history of responses."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace
from support.quota_histories import NOW, counted, observation, quota, ready

from crawler.limits.headers.declared import Observation
from crawler.limits.quotas.declared_quota import DeclaredQuota

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


# ---- rule 6: other clients -------------------------------------------------------------------------------------------


def test_rule_6_the_use_of_other_clients_is_measured_and_expected_to_continue():
    made = quota((observation(59, 60), 0.0, 0.1), (observation(38, 60), 20.0, 20.1))
    assert made.usage.others == pytest.approx(20 / 25, rel=0.05)  # after a prior of five seconds
    assert made.available(NOW + 30, 0) < 38 - 8


def test_rule_6_requests_in_flight_are_not_taken_for_the_use_of_others():
    made = quota((observation(59, 60), 0.0, 0.1), (observation(50, 60), 3.0, 3.1), inflight=9.0)
    assert made.usage.others == 0


def test_rule_6_units_lost_to_a_refusal_or_a_lower_limit_were_not_used_by_others():
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
    assert made.reset.latest == pytest.approx(NOW + at + 0.1 + 60, abs=0.001)


def test_rule_8_a_request_that_is_served_after_the_stated_reset_begins_a_window():
    made = quota((observation(1, 60), 0.0, 0.1), (observation(0, 60), 0.2, 0.3))
    assert made.probe_at() > NOW + 60.5  # where it is not known how units return
    made.record_unreported(sent=NOW + 60.5, received=NOW + 60.6)
    assert made.remaining == 59


def test_rule_8_a_server_that_does_not_count_unreported_requests_is_believed():
    made = quota((observation(50, 60), 0.0, 0.1))
    made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    made.observe(observation(49, 60), sent=NOW + 2, received=NOW + 2.1)
    made.record_unreported(sent=NOW + 3, received=NOW + 3.1)
    assert made.remaining == 49
    assert made.window_count == 1


def test_rule_8_nothing_can_be_counted_if_limit_or_window_are_unknown():
    made = DeclaredQuota(name="p")
    made.observe(Observation(policy="p", remaining=0.0), sent=NOW, received=NOW + 0.1)
    assert not made.record_unreported(sent=NOW + 100, received=NOW + 100.1)


def test_rule_8_the_units_of_a_window_are_counted_although_only_the_next_refusal_states_its_end():
    first, second = (replace(observation(0, end), limit=3.0, window=None) for end in (60, 120))
    made = quota((first, 0.0, 0.1))
    for number in range(3):
        assert made.remaining == (0, 2, 1)[number]
        assert made.record_unreported(sent=NOW + 61 + number / 10, received=NOW + 61.05 + number / 10)
    assert made.remaining == 0
    assert ready(made, 61.4) <= 61.4, "one request finds out"
    assert ready(made, 61.4, inflight=1, in_flight=(61.35,)) == math.inf
    made.observe(second, sent=NOW + 61.4, received=NOW + 61.5, refused=True)
    assert made.window.length == 60, "from one stated end to the next"


def test_rule_9_a_response_that_does_not_mention_a_policy_updates_only_its_counts():
    made = quota((observation(50, 60), 0.0, 0.1))
    made.record_unreported(sent=NOW + 1, received=NOW + 1.1)
    assert made.remaining == 49
    assert (made.updated_at, made.window_count, made.reset.latest) == (NOW + 0.1, 1, NOW + 60)


# ---- rule 10: our own log --------------------------------------------------------------------------------------------


def logged(*, others: int = 0, length: float | None = 5.0) -> DeclaredQuota:
    """Four per five seconds, used at 0, 1, 2 and 3; the stated reset is late. `others` used some of it."""
    made = DeclaredQuota(name="p")
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


def renewed(*, left: float = 0.0) -> DeclaredQuota:
    """Fixed windows of a second with four units each, since 20.0; the last response states `left`."""
    made = DeclaredQuota(name="p")
    for second in range(21):
        for used in range(1, 5):
            remaining = left if (second, used) == (20, 4) else 4.0 - used
            stated = Observation(policy="p", limit=4.0, window=1.0, remaining=remaining)
            made.observe(stated, sent=NOW + second + 0.2 * used, received=NOW + second + 0.2 * used + 0.1)
    return made


def test_rule_4_all_units_are_used_without_a_probe_where_a_window_certainly_begins():
    made = renewed()
    assert made.replenishment.all_at_once
    at = ready(made, 21.2, inflight=1, in_flight=(21.19,))
    assert at == pytest.approx(20.3 + 1.0 + 0.01 - 0.1)  # the first response, a window and a margin, less a round trip
    assert ready(made, at, inflight=3, in_flight=(at,)) <= at
    assert ready(made, at, inflight=4, in_flight=(at,)) > at


def test_rule_4_after_a_refusal_no_window_begins_earlier_by_the_round_trip():
    made = renewed()
    stated = Observation(policy="p", limit=4.0, window=1.0, remaining=0.0)
    made.observe(stated, sent=NOW + 21.21, received=NOW + 21.25, refused=True)
    assert made.log.returned_at(NOW, 1.0) == NOW + 1.01


def test_rule_10_where_a_sliding_window_states_a_reset_only_the_log_shows_when_units_return():
    made = logged()
    stated = Observation(policy="p", limit=4.0, window=5.0, remaining=0.0, reset=(NOW + 5.2, NOW + 5.3))
    made.observe(stated, sent=NOW + 5.12, received=NOW + 5.2)
    made.replenishment.vote_continuous(3)
    made.window.log_confirmed = True
    assert ready(made, 5.3) > 5.5  # the second request is a window old, although the reset is stated for 5.3


def test_rule_4_a_probe_is_needed_where_units_of_ours_were_counted_in_another_window():
    assert ready(renewed(left=0.5), 20.95, inflight=3, in_flight=(20.9,)) > 21.5


def test_a_refusal_before_the_stated_end_does_not_show_that_it_was_rounded_down():
    made = logged()
    stated = Observation(policy="p", limit=4.0, window=5.0, remaining=0.0, reset=(NOW + 6.0, NOW + 6.5))
    made.observe(stated, sent=NOW + 5.2, received=NOW + 5.3, refused=True)
    assert made.window.correction == 0.0


def test_rule_10_a_request_without_a_known_response_leaves_a_gap_in_the_log():
    made = logged()
    made.spend(1.0)
    assert ready(made, 4.0) >= 6.0


# ---- resets and windows ----------------------------------------------------------------------------------------------


def test_a_policy_that_never_states_its_remainder_is_counted():
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


def test_a_rate_alone_is_kept():
    made = DeclaredQuota(name="p")
    made.observe(Observation(policy="p", rate=2.0), sent=NOW, received=NOW + 0.1)
    assert ready(made, 0.2) <= 0.2
    at = made.start_at(NOW + 0.2, cost=1.0, inflight=0.0, backlog=1e9, mode="auto")
    assert at - NOW - 0.2 == pytest.approx(0.51)


def test_before_a_stated_end_no_probe_is_sent():
    made = DeclaredQuota(name="p")
    stated = Observation(policy="p", limit=60.0, window=86400.0, remaining=0.0, reset=(NOW + 50_000, NOW + 50_001))
    made.observe(stated, sent=NOW, received=NOW + 0.1)
    assert made.probe_at() >= NOW + 50_001


def test_probes_are_sent_at_common_lengths_where_nothing_is_left_and_no_reset_is_stated():
    made = DeclaredQuota(name="p")
    stated = Observation(policy="p", remaining=0.0)
    times = []
    while len(times) < 12:
        at = NOW + times[-1] if times else NOW
        made.observe(stated, sent=at, received=at + 0.1, refused=True)
        times.append(round(made.probe_at() - NOW, 2))
    assert times[:6] == [1.1, 2.4, 5.4, 10.4, 15.4, 30.4]
    assert times[-3:] == [600.4, 900.4, 1800.4]


def test_a_quota_of_a_day_that_states_no_end_is_probed_at_midnight():
    made = DeclaredQuota(name="p")
    stated = Observation(policy="p", limit=60.0, window=86400.0, remaining=0.0)
    made.observe(stated, sent=NOW, received=NOW + 0.1)
    assert made.probe_at() == pytest.approx(NOW + 86400 - NOW % 86400 + 0.3, abs=0.001)


def test_after_an_interrupted_run_one_probe_starts_at_once():
    made = quota((observation(50, 60), 0.0, 0.1))
    made.resume(NOW + 5.0)
    assert ready(made, 5.0) <= 5.0
    assert ready(made, 5.0, inflight=1.0, in_flight=(5.0,)) == math.inf


# ---- spreading -------------------------------------------------------------------------------------------------------


def test_a_fixed_window_without_a_stated_reset_is_spread_at_the_average_rate():
    made = quota((observation(50), 0.0, 0.1))  # others use it too: our own log does not show when there is room
    made.replenishment.fixed_votes = 1
    at = made.start_at(NOW, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert at - NOW == pytest.approx(1.02)


def test_a_first_window_without_a_stated_reset_is_spread_over_a_quarter_of_its_length():
    made = quota((observation(50), 0.0, 0.1))
    at = made.start_at(NOW, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert at - NOW == pytest.approx(0.25)


def test_the_remaining_units_are_spread_over_the_window_until_the_backlog_fits():
    made = quota((observation(59, 60), 0.0, 0.1))
    made.replenishment.fixed_votes, made.replenishment.all_at_once = 1, True
    spread = made.start_at(NOW + 0.1, cost=1.0, inflight=0.0, backlog=60.0, mode="auto")
    assert spread - NOW - 0.1 == pytest.approx(0.97 * 58.9 / 60)
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=59.0, mode="auto") == -math.inf
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1e9, mode="burst") == -math.inf
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1.0, mode="smooth") > NOW


def test_the_second_request_shows_soon_what_a_stated_reset_means():
    first, second = (replace(observation(left, 60), window=None) for left in (59, 58))
    made = quota((first, 0.0, 0.1))
    made.replenishment.fixed_votes = 1
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1e9, mode="auto") == NOW + 0.3
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1e9, mode="smooth") > NOW + 0.9
    made.observe(second, sent=NOW + 0.3, received=NOW + 0.4)
    assert made.start_at(NOW + 0.3, cost=1.0, inflight=0.0, backlog=1e9, mode="auto") > NOW + 0.9


def test_a_short_window_is_not_spread_once_its_units_are_known_to_return_together():
    made = renewed(left=2.0)
    assert made.start_at(NOW + 20.8, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") == -math.inf
    made.replenishment.all_at_once = False
    assert made.start_at(NOW + 20.8, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") == NOW + 20.8 + 0.125


def test_while_the_kind_is_unknown_the_remaining_units_are_spread_over_a_quarter_of_the_window():
    """If each unit returns one window after its use, units used late return late in every window."""
    made, last = quota((observation(59, 60), 0.0, 0.1)), 0.1
    for left in range(58, -1, -1):
        last = made.start_at(NOW + last, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") - NOW
        made.observe(observation(left, 60), sent=NOW + last, received=NOW + last + 0.1)
    assert 0.9 * 60 / 4 <= last <= 60 / 4


def test_units_are_no_longer_spread_once_other_clients_would_have_been_seen():
    made = quota((observation(59, 60), 0.0, 0.1))
    made.limit = 120.0  # fifteen intervals of half a second after the first response
    at = made.start_at(NOW + 7.5, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert at == pytest.approx(NOW + 7.6, abs=0.001)
    assert made.start_at(NOW + 7.7, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") <= NOW + 7.7


# ---- reports ---------------------------------------------------------------------------------------------------------


def test_the_report_contains_only_known_values():
    assert DeclaredQuota(name="p").report() == {"kind": "unknown"}
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
