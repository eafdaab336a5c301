"""The rules by which answers teach what is left of a quota: each has a test, and each test a history."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crawler.limits.headers.declared import Observation
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.quota import Quota
from crawler.limits.quotas.window import Window

NOW = 1_800_000_000.0


def word(left: float | None, end: float | None = None, **values: Any) -> Observation:
    """Sixty a minute; `end`: seconds after `NOW`, stated to the second and rounded up."""
    reset = None if end is None else (NOW + end - 1.0, NOW + end)
    return Observation(policy="p", limit=60.0, window=60.0, remaining=left, reset=reset, **values)


def quota(*words: tuple[Observation, float, float], inflight: float = 0.0) -> Quota:
    """A quota that heard these words: what, sent and received in seconds after `NOW`."""
    made = Quota(name="p")
    for said, sent, received in words:
        made.observe(said, sent=NOW + sent, received=NOW + received, inflight=inflight)
    return made


def ready(made: Quota, now: float, *, inflight: float = 0.0, flying: tuple[float, ...] = ()) -> float:
    """Seconds after `NOW` when the next one may start."""
    at = made.ready_at(
        NOW + now, cost=1.0, inflight=inflight, flying=lambda since: any(NOW + at >= since for at in flying)
    )  # fmt: skip
    return at - NOW


def test_rule_1_only_an_answer_that_was_asked_for_after_the_last_word_may_raise_what_is_left():
    made = quota((word(50, 60), 0.0, 0.1), (word(40, 60), 0.1, 0.3), (word(45, 60), 0.2, 0.4))
    assert made.remaining == 40
    made.observe(word(47, 60), sent=NOW + 0.5, received=NOW + 0.6)
    assert made.remaining == 47


def test_rule_1_an_answer_that_was_overtaken_may_lower_it():
    assert quota((word(50, 60), 0.0, 0.3), (word(40, 60), 0.0, 0.4)).remaining == 40


def test_rule_2_a_later_end_is_a_new_window():
    made = quota((word(1, 60), 0.0, 0.1), (word(59, 121), 60.5, 60.6))
    assert made.epoch == 2
    assert made.remaining == 59
    assert made.ends.hi == NOW + 120.6  # its length after the answer that opened it


def test_rule_2_an_end_that_begins_where_the_last_one_ends_is_a_new_one():
    made = quota((word(5, 1), 0.0, 0.1), (word(5, 2), 0.5, 0.6))
    assert made.epoch == 2


def test_rule_2_more_that_is_left_is_a_new_window_where_no_end_is_stated():
    made = quota((word(10), 0.0, 0.1), (word(30), 0.5, 0.6))
    assert made.epoch == 2


def test_rule_2_a_late_answer_of_the_last_window_changes_nothing():
    made = quota((word(1, 60), 0.0, 0.1), (word(59, 121), 60.5, 60.6), (word(0, 60), 0.05, 60.7))
    assert (made.epoch, made.remaining) == (2, 59)


def test_rule_2_words_that_overlap_are_of_one_window_and_narrow_its_end():
    made = quota((word(50, 60.4), 0.0, 0.1), (word(49, 60.1), 0.3, 0.4))
    assert made.epoch == 1
    assert made.ends.hi == NOW + 60.1


def test_rule_3_what_is_in_flight_counts_as_spent():
    made = quota((word(3, 60), 0.0, 0.1))
    assert ready(made, 1, inflight=2) < 1
    assert ready(made, 1, inflight=3) >= 60


def test_rule_4_exactly_one_probe_asks_whether_all_is_restored():
    made = quota((word(0, 60), 0.0, 0.1))
    at = ready(made, 1)
    assert 60 <= at <= 63
    assert ready(made, at) <= at
    assert ready(made, at, inflight=1, flying=(at,)) == math.inf
    assert ready(made, at + 5, inflight=1, flying=(30.0,)) <= at + 5  # a slow one of the last window is no probe


def test_rule_5_a_quota_that_is_back_at_once_is_one_of_fixed_windows():
    assert quota((word(0, 60), 0.0, 0.1), (word(59, 121), 61.0, 61.1)).restoration.kind == "fixed"


def test_rule_5_a_quota_of_which_next_to_nothing_is_back_is_continuous():
    made = quota((word(0, 1), 0.0, 0.1), (word(0, 4), 2.1, 2.2))
    assert made.restoration.kind == "continuous"
    assert 2.2 + 1.0 < ready(made, 2.3) <= 2.2 + 1.2  # the share of one unit, not a window


def test_rule_5_a_refused_probe_says_that_it_is_continuous():
    made = quota((word(0, 60), 0.0, 0.1))
    made.observe(word(0, 121), sent=NOW + 61.2, received=NOW + 61.3, refused=True)
    assert made.restoration.kind == "continuous"


def test_rule_5_an_end_that_moves_away_while_we_spend_is_the_time_until_all_is_restored():
    made = quota(*((word(60 - used, used), 0.1 * used, 0.1 * used + 0.05) for used in range(1, 10)))
    assert made.restoration.kind == "continuous"
    made.exhaust()
    assert ready(made, 1) < 4


def test_rule_5_the_next_unit_is_tried_for_once_where_the_end_is_far():
    made = quota((word(0, 1), 0.0, 0.1), (word(0, 61), 2.1, 2.2))
    assert made.restoration.kind == "continuous"
    assert ready(made, 3) == pytest.approx(2.2 + 2.5)
    made.observe(word(0, 61), sent=NOW + 4.7, received=NOW + 4.8, refused=True)
    assert ready(made, 5) >= 60  # it was not there: nothing before the end


def test_rule_6_what_others_used_is_seen_and_they_are_expected_to_go_on():
    made = quota((word(59, 60), 0.0, 0.1), (word(38, 60), 20.0, 20.1))
    assert made.usage.others == pytest.approx(20 / 25, rel=0.05)  # five seconds of doubt
    assert made.free(NOW + 30, 0) < 38 - 8


def test_rule_6_what_is_in_flight_is_not_taken_for_the_use_of_others():
    made = quota((word(59, 60), 0.0, 0.1), (word(50, 60), 3.0, 3.1), inflight=9.0)
    assert made.usage.others == 0


def test_rule_6_what_a_refusal_or_a_lower_limit_takes_nobody_used():
    made = quota((word(59, 60), 0.0, 0.1), (word(58, 60), 10.0, 10.1))
    lower = Observation(policy="p", limit=20.0, window=60.0, remaining=0.0, reset=(NOW + 59, NOW + 60))
    assert made.observe(lower, sent=NOW + 20, received=NOW + 20.1, refused=True)
    assert made.usage.others == 0


def test_rule_8_a_policy_that_falls_silent_is_counted():
    made = quota((word(2, 60), 0.0, 0.1), (word(1, 60), 0.2, 0.3))
    assert made.pass_over(sent=NOW + 1, received=NOW + 1.1)
    assert made.remaining == 0
    at = ready(made, 2)
    assert made.pass_over(sent=NOW + at, received=NOW + at + 0.1)  # the first after the end begins a window
    assert made.remaining == 59
    assert made.ends.hi == pytest.approx(NOW + at + 0.1 + 60)


def test_rule_8_a_server_that_shows_not_to_count_silent_answers_is_believed():
    made = quota((word(50, 60), 0.0, 0.1))
    made.pass_over(sent=NOW + 1, received=NOW + 1.1)
    made.observe(word(49, 60), sent=NOW + 2, received=NOW + 2.1)
    made.pass_over(sent=NOW + 3, received=NOW + 3.1)
    assert made.remaining == 49
    assert made.epoch == 1


def test_rule_8_nothing_can_be_counted_where_limit_or_window_are_unknown():
    made = Quota(name="p")
    made.observe(Observation(policy="p", remaining=0.0), sent=NOW, received=NOW + 0.1)
    assert not made.pass_over(sent=NOW + 100, received=NOW + 100.1)


def test_rule_9_an_answer_without_a_word_leaves_a_policy_as_it_is_until_it_is_counted():
    made = quota((word(50, 60), 0.0, 0.1))
    assert made.remaining == 50
    assert (made.heard, made.epoch) == (NOW + 0.1, 1)


# ---- ends and windows ------------------------------------------------------------------------------------------------


def test_a_window_of_which_only_the_end_is_stated_gets_its_usual_length():
    made = Quota(name="p")
    said = Observation(policy="p", limit=60.0, remaining=59.0, reset=(NOW + 59.2, NOW + 60.2))
    made.observe(said, sent=NOW, received=NOW + 0.1)
    assert made.window.length == 60


def test_a_server_that_rounds_down_is_waited_for_a_second_longer_for_ever():
    made = Quota(name="p")
    made.observe(word(59, 59), sent=NOW, received=NOW + 0.1)  # its window ends 60 s after our first request
    assert made.ends.hi == NOW + 60.1
    made.observe(word(59, 119), sent=NOW + 60.1, received=NOW + 60.2)
    assert made.window.pad == 1


def test_a_stated_wait_of_hours_is_a_reason_to_ask_again():
    made = Quota(name="p", longest=3600.0)
    said = Observation(policy="p", limit=60.0, window=86400.0, remaining=0.0, reset=(NOW + 50_000, NOW + 50_001))
    for waits in (600, 1200, 2400, 3600, 3600):
        sent = made.restored_at() - NOW if made.epoch else 0.0
        made.observe(said, sent=NOW + sent, received=NOW + sent + 0.1, refused=made.epoch > 0)
        assert made.restored_at() - made.heard == pytest.approx(waits)


def test_where_no_end_is_stated_nothing_left_means_to_ask_ever_more_rarely():
    made = Quota(name="p")
    said = Observation(policy="p", remaining=0.0)
    for waits in (1, 2, 4, 8, 16, 32, 60, 60):
        sent = made.restored_at() - NOW if made.epoch else 0.0
        made.observe(said, sent=NOW + sent, received=NOW + sent + 0.1)
        assert made.restored_at() - made.heard == waits


def test_without_a_limit_it_is_the_most_that_was_ever_left():
    made = Quota(name="p")
    for left in (11_999, 11_998):
        made.observe(Observation(policy="p", remaining=left), sent=made.heard, received=max(NOW, made.heard) + 1)
    assert made.limit == 12_000


def test_a_declared_rate_brings_units_back_one_by_one():
    made = Quota(name="p")
    made.observe(Observation(policy="p", limit=40.0, remaining=0.0, rate=2.0), sent=NOW, received=NOW + 0.1)
    assert 0.5 < ready(made, 0.2) - 0.1 < 0.6


def test_a_window_without_an_end_is_spread_at_the_average_rate():
    made = quota((word(59), 0.0, 0.1))
    at = made.start_at(NOW, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto")
    assert at - NOW == pytest.approx(1.02)


def test_what_is_left_is_spread_over_what_lasts_until_the_backlog_fits():
    made = quota((word(59, 60), 0.0, 0.1))
    made.restoration.fixed, made.restoration.at_once = 1, True
    spread = made.start_at(NOW + 0.1, cost=1.0, inflight=0.0, backlog=60.0, mode="auto")
    assert spread - NOW - 0.1 == pytest.approx(0.97 * 58.9 / 60)
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=59.0, mode="auto") == -math.inf
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1e9, mode="burst") == -math.inf
    assert made.start_at(NOW, cost=1.0, inflight=0.0, backlog=1.0, mode="smooth") > NOW


def test_while_the_kind_is_not_known_what_is_left_is_spread_over_a_quarter_of_what_lasts():
    """What is used late comes back late for ever, where each unit has a window of its own."""
    made, last = quota((word(59, 60), 0.0, 0.1)), 0.1
    for left in range(58, -1, -1):
        last = made.start_at(NOW + last, cost=1.0, inflight=0.0, backlog=math.inf, mode="auto") - NOW
        made.observe(word(left, 60), sent=NOW + last, received=NOW + last + 0.1)
    assert 0.9 * 60 / 4 <= last <= 60 / 4


# ---- our own log -----------------------------------------------------------------------------------------------------


def logged(*, others: int = 0, length: float | None = 5.0) -> Quota:
    """Four in five seconds, used at 0, 1, 2 and 3; the end that is stated lies late. `others` took some of it."""
    made = Quota(name="p")
    for used in range(1, 5 - others):
        at = NOW + used - 1.0
        left = 4.0 - used - (others if used > 1 else 0)
        said = Observation(policy="p", limit=4.0, window=length, remaining=left, reset=(NOW + 6.0, NOW + 6.5))
        made.observe(said, sent=at, received=at + 0.1)
    return made


def test_rule_10_there_is_room_one_window_after_the_answer_of_a_request():
    made = logged()
    assert made.remaining == 0
    assert ready(made, 4.0) == pytest.approx(5.1, abs=0.02)
    assert ready(made, 5.2, inflight=1, flying=(5.12,)) == pytest.approx(6.1, abs=0.02)
    assert ready(made, 6.2, inflight=1, flying=(6.15,)) == math.inf  # one asks, until the log has explained something


def test_rule_10_the_log_goes_on_by_itself_once_it_has_explained_what_came_back_one_by_one():
    made = logged()
    said = Observation(policy="p", limit=4.0, window=5.0, remaining=0.0, reset=(NOW + 7.0, NOW + 7.5))
    made.observe(said, sent=NOW + 5.11, received=NOW + 5.2)
    assert made.window.explained
    assert ready(made, 5.3) == pytest.approx(6.1, abs=0.02)
    assert ready(made, 6.2, inflight=1, flying=(6.12,)) == pytest.approx(7.1, abs=0.02)


def test_rule_10_the_log_is_silent_for_a_window_after_others_were_seen():
    made = logged(others=1)
    assert made.remaining == 0
    assert ready(made, 4.0) >= 6.0


def test_rule_10_a_refusal_where_the_log_saw_room_silences_it_for_good():
    made = logged()
    said = Observation(policy="p", limit=4.0, window=5.0, remaining=0.0, reset=(NOW + 6.0, NOW + 6.5))
    made.observe(said, sent=NOW + 5.2, received=NOW + 5.3, refused=True)
    assert made.own.since == math.inf


def test_rule_10_the_log_says_nothing_while_the_length_of_the_window_is_a_guess():
    made = logged(length=None)
    made.window.length = 5.0
    assert ready(made, 4.0) >= 6.0


def test_rule_10_more_than_the_log_explains_came_back_at_once():
    made = logged()
    said = Observation(policy="p", limit=4.0, window=5.0, remaining=3.0, reset=(NOW + 11.0, NOW + 11.5))
    made.observe(said, sent=NOW + 5.11, received=NOW + 5.2)
    assert (made.restoration.kind, made.restoration.at_once) == ("fixed", True)


def test_rule_10_a_request_of_which_nobody_heard_silences_the_log_until_it_is_forgotten():
    made = logged()
    made.spend(1.0)
    assert ready(made, 4.0) >= 6.0


# ---- ends that are stated late ---------------------------------------------------------------------------------------


def late(*, opened: float, used: int, at: float) -> tuple[Observation, float, float]:
    """Twenty in five seconds; the end of the window is stated a second late. What is left, and when that was said."""
    end = NOW + opened + 6.0
    return (
        Observation(policy="p", limit=20.0, remaining=20.0 - used, reset=(end - 0.05, end + 0.05)),
        opened + at,
        opened + at + 0.1,
    )


def test_rule_11_a_window_that_was_over_early_has_its_usual_length_and_ends_are_stated_late():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=0.0, used=2, at=4.8), late(opened=5.2, used=1, at=0.0))
    assert made.window.length == 5
    assert made.window.pad == pytest.approx(-1.0, abs=0.2)
    assert (made.ends.lo - NOW, made.ends.hi - NOW) == pytest.approx((10.2, 10.3))  # first request + length


def test_rule_11_a_quota_that_is_given_anew_long_before_its_end_says_nothing_of_the_next():
    made = Quota(name="p")
    for left, sent, end in ((19.0, 0.0, 90.0), (18.0, 29.0, 90.0), (19.0, 31.0, 121.0)):
        said = Observation(policy="p", limit=20.0, remaining=left, reset=(NOW + end, NOW + end + 0.1))
        made.observe(said, sent=NOW + sent, received=NOW + sent + 0.1)
    assert (made.window.length, made.window.pad) == (None, 0.0)


def test_rule_11_an_end_that_was_late_already_is_not_moved_twice():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=0.0, used=2, at=4.8), late(opened=5.2, used=1, at=0.0))
    pad = made.window.pad
    said, _, _ = late(opened=9.9, used=1, at=0.0)  # earlier again
    made.observe(said, sent=NOW + 9.9, received=NOW + 10.0)
    assert made.window.pad == pad
    assert made.ends.hi == pytest.approx(NOW + 10.0 + 5.0, abs=0.2)


def test_rule_11_twice_a_usual_length_and_a_second_is_no_chance():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=6.2, used=1, at=0.0))
    assert made.window.length == 5
    made.exhaust()
    assert ready(made, 7) == pytest.approx(6.3 + 5.0 + 0.25, abs=0.02)  # until the kind is known


def test_rule_11_a_refusal_where_the_window_should_be_over_takes_it_back():
    made = quota(late(opened=0.0, used=1, at=0.0), late(opened=6.2, used=1, at=0.0))
    made.exhaust()
    said, _, _ = late(opened=6.2, used=20, at=0.0)
    made.observe(said, sent=NOW + 11.6, received=NOW + 11.7, refused=True)
    assert made.window.pad == 0
    assert 12.2 <= ready(made, 11.8) <= 12.5
    for said, sent, received in (late(opened=12.4, used=1, at=0.0), late(opened=18.6, used=1, at=0.0)):
        made.observe(said, sent=NOW + sent, received=NOW + received)
    assert made.window.pad == 0  # and it is not believed again


# ---- units that are no requests --------------------------------------------------------------------------------------


def test_the_price_of_a_request_is_learned_where_requests_are_not_what_is_counted():
    made = Quota(name="tokens", unit="tokens")
    left = 100_000.0
    for step in range(1, 30):
        left -= 900 if step % 2 else 1100
        said = Observation(policy="tokens", limit=100_000.0, remaining=left, unit="tokens", window=60.0)
        made.observe(said, sent=NOW + step, received=NOW + step + 0.5)
    assert made.usage.price == pytest.approx(1000, rel=0.1)
    made.remaining = 2_500.0
    assert ready(made, 30, inflight=made.usage.inflight(0, 0)) < 30
    assert ready(made, 30, inflight=made.usage.inflight(2, 2)) > 30


# ---- limits that nobody states ---------------------------------------------------------------------------------------


def learned() -> UndeclaredQuota:
    made = UndeclaredQuota(name="undeclared", limit=3.0, window=Window(60.0))
    made.pass_over(sent=NOW, received=NOW + 0.1)
    return made


def test_a_learned_limit_is_counted_from_the_first_request_of_a_window():
    made = learned()
    for second in (1, 2):
        assert ready(made, second) < second
        made.pass_over(sent=NOW + second, received=NOW + second + 0.1)
    assert 60.1 <= ready(made, 3) <= 64


def test_a_learned_limit_tries_for_one_more_after_eight_clean_windows_and_then_more_rarely():
    made = learned()
    now, tries = 1.0, []
    for _ in range(200):
        now = max(now, ready(made, now))
        if made.used == 3 and now < made.restored_at() - NOW:  # the fourth: the server has but three
            tries.append(made.epoch)
            assert made.refuse(NOW + now)
        else:
            made.pass_over(sent=NOW + now, received=NOW + now)
    assert tries == [9, 25, 57]
    assert made.limit == 3


def test_a_learned_limit_that_was_too_low_rises_with_what_is_served():
    made = UndeclaredQuota(name="undeclared", limit=3.0, window=Window(60.0), sure=False)
    now = 0.0
    while now < 50:
        assert ready(made, now) <= now
        made.pass_over(sent=NOW + now, received=NOW + now)
        now += 1.0
    assert made.limit == 50


def test_a_refusal_inside_a_window_ends_it_and_a_second_one_lowers_the_limit():
    made = learned()
    made.total = 100.0  # windows have been ending as believed for long
    assert made.refuse(NOW + 1)
    assert (made.limit, made.remaining) == (3.0, 0.0)
    start = ready(made, 2)
    made.pass_over(sent=NOW + start, received=NOW + start)
    assert made.refuse(NOW + start + 1)
    assert made.limit == 1.0


def test_a_refusal_where_a_window_should_have_begun_is_not_explained():
    made = learned()
    assert not made.refuse(made.restored_at() + 1)


def test_what_was_in_flight_when_a_run_broke_off_counts_as_all_of_a_learned_window():
    made = learned()
    made.resume(NOW + 10)
    assert ready(made, 10) >= 60


def test_a_server_that_serves_though_nothing_is_left_is_asked_ever_more_rarely():
    made = quota((word(1, 10), 0.0, 0.1), (word(0, 10), 9.0, 9.1))
    waits = []
    now = 11.2
    for _ in range(8):
        made.observe(word(0, 10), sent=NOW + now, received=NOW + now + 0.1)
        waits.append(ready(made, now + 0.1) - now - 0.1)
        now += 0.1 + max(0.0, waits[-1])
    assert waits[-1] >= 4.0
    assert waits == sorted(waits)


def test_after_a_run_that_broke_off_one_request_asks_at_once():
    made = quota((word(50, 60), 0.0, 0.1))
    made.resume(NOW + 5.0)
    assert ready(made, 5.0) <= 5.0
    assert ready(made, 5.0, inflight=1.0, flying=(5.0,)) == math.inf
