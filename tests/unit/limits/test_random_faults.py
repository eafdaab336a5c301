"""`RandomFaults`: failures and refusals at random, as opposed to those of a limit."""

from __future__ import annotations

from crawler.limits.random_faults import RandomFaults

NOW = 1_800_000_000.0


def refused_and_served(made: RandomFaults, load: int, *, later: float = 0.05, limit: bool = False) -> bool:
    """Refuse a request, and serve another one `later` seconds after that; return what `reject_limits` returns."""
    assert not made.record_refusal(load, NOW)
    made.record_served(1)
    if limit:
        made.attribute_to_limit()
        return False
    return made.reject_limits(NOW + later, 0.1)


def proven(served: int = 40) -> RandomFaults:
    """Return faults that proved to be random: two requests alone were refused, the next one served at once."""
    made = RandomFaults(0)
    for _ in range(served):
        made.record_served(8)
    assert refused_and_served(made, 1)
    assert refused_and_served(made, 1)
    assert made.are_refusals_random()
    return made


def test_refusals_of_requests_alone_that_are_served_when_repeated_come_at_random():
    made = proven()
    assert made.are_random()
    assert made.record_refusal(8, NOW + 1)
    assert 0 < made.refused_share < 0.1


def test_refusals_of_a_limit_show_nothing():
    made = RandomFaults(0)
    made.record_served(8)
    for _ in range(10):
        refused_and_served(made, 1, limit=True)
    assert not made.are_random()
    assert made.refused_share == 0.0


def test_a_request_that_is_served_after_a_pause_shows_nothing():
    made = RandomFaults(0)
    made.record_served(8)
    for _ in range(10):
        assert not refused_and_served(made, 1, later=0.5)
    assert not made.are_random()


def test_refusals_that_come_only_together_with_others_are_not_random():
    made = RandomFaults(0)
    for _ in range(10):
        assert not refused_and_served(made, 8)
    assert not made.are_random()


def test_too_many_refusals_in_a_row_are_not_random():
    made = proven()
    verdicts = [made.record_refusal(8, NOW + n / 100) for n in range(8)]
    assert verdicts[0]
    assert not any(verdicts[4:])
    made.record_served(8)
    assert made.record_refusal(8, NOW + 1)


def test_a_server_that_refuses_every_second_request_has_a_limit():
    made = RandomFaults(0)
    made.record_served(8)
    for _ in range(20):
        refused_and_served(made, 1)
    assert made.are_random()
    assert not made.are_refusals_random()
    assert made.refused_share == 0.0


def test_broken_connections_under_low_load_come_at_random():
    made = RandomFaults(30)
    made.record_served(8)
    assert not made.record_failure(2)
    assert made.record_failure(2)
    assert not made.are_refusals_random()


def test_the_failed_share_is_known_from_twenty_results_on_unless_nearly_all_fail():
    made = RandomFaults(0)
    for number in range(60):
        (made.record_failure if number % 3 == 0 else made.record_served)(4)
        assert (made.failed_share > 0.0) is (number >= 22) or 18 <= number < 22
    assert 0.3 <= made.failed_share <= 0.37
    for _ in range(400):
        made.record_failure(4)
    assert made.failed_share == 0.0


def test_two_unexplained_refusals_suffice_if_connections_break_at_random():
    made = RandomFaults(30)
    made.record_served(8)
    for _ in range(2):
        made.record_failure(2)
    for _ in range(2):
        assert not made.record_refusal(8, NOW)
        made.record_served(8)
        made.reject_limits(NOW + 0.05, 0.1)
    assert made.record_refusal(8, NOW + 1)


def test_refusals_that_chance_explains_best_count_as_refused_at_random():
    made = RandomFaults(40)
    for _ in range(10):
        assert not made.record_refusal(8, NOW)
        assert not made.attribute_to_chance()
    assert 0.19 < made.refused_share < 0.21
    assert not made.record_refusal(1, NOW)
    assert made.attribute_to_chance()


def test_two_refusals_that_no_limit_explains_cast_doubt_on_any_limit():
    made = RandomFaults(0)
    refused_and_served(made, 1)
    assert made.at_random() == set()
    refused_and_served(made, 1)
    assert made.at_random() == {"doubts"}
    assert proven().at_random() == {"doubts", "failures", "refusals"}


def test_failures_of_requests_that_are_all_sent_alone_do_not_depend_on_the_load():
    made = RandomFaults(0)
    assert [made.record_failure(1) for _ in range(3)] == [False, False, True]
    assert not made.are_refusals_random()
    made.record_served(8)
    assert made.are_random()
