"""`LimitSearch`: how a limit that no response states is found."""

from __future__ import annotations

import math

import pytest

from crawler.limits.learning.limit_search import LimitSearch
from crawler.limits.learning.undeclared import UndeclaredQuota

NOW = 1_800_000_000.0


def ready(made: UndeclaredQuota, now: float) -> float:
    """Seconds after `NOW` when the next request may start."""
    return made.ready_at(NOW + now, cost=1.0, inflight=0.0, in_flight_since=lambda since: False) - NOW


def search(**values: float) -> LimitSearch:
    """Five were served within a second before the first refusal."""
    made = LimitSearch(name="undeclared", since=NOW, served=5.0, started=NOW + 1.0)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_probes_are_sent_at_the_common_lengths_of_windows():
    made, at, probes = search(), 1.0, []
    while at < 200:
        at = made.record_refusal(NOW + at - 0.1, NOW + at, None) - NOW
        probes.append(round(at, 1))
    assert probes == [2.0, 10.3, 30.3, 60.3, 140.3, 300.3]


def test_the_first_probe_is_sent_sooner_where_round_trips_are_short():
    made = search(since=NOW - 0.01)
    assert made.record_refusal(NOW - 0.001, NOW, None) == pytest.approx(NOW + 0.25, abs=0.001)
    assert made.record_refusal(NOW + 0.25, NOW + 0.251, None) == pytest.approx(NOW - 0.01 + 1.3, abs=0.001)
    assert search().record_refusal(NOW - 0.1, NOW, None) == NOW + 1.0


def test_the_end_is_looked_for_sooner_where_hardly_anything_was_served():
    made = search(served=2.0)
    probes = [made.record_refusal(NOW + at, NOW + at, None) - NOW for at in (1.0, 2.0, 4.0, 8.0)]
    assert probes == pytest.approx([1.25, 4.0, 8.0, 10.3])


def test_three_refused_probes_prove_that_even_so_few_units_are_a_limit():
    made, at, probes = search(served=2.0), 1.0, []
    while at < 200:
        at = made.record_refusal(NOW + at, NOW + at, None) - NOW
        probes.append(round(at, 1))
    assert probes == [1.2, 3.2, 7.2, 10.3, 30.3, 60.3, 300.3]
    found = made.conclude(NOW + 300.3, NOW + 300.4, 1.0)
    assert (found.limit, found.refusals) == (2.0, 3)
    found.record_unreported(sent=NOW + 301.3, received=NOW + 301.4)
    assert found.remaining == 0.0  # no third unit is tried


def test_probes_of_a_site_that_may_be_unavailable_prove_no_limit_of_few_units():
    made = search(served=1.0, certain=False, probes=5)
    assert made.record_refusal(NOW + 30.0, NOW + 30.0, None) == NOW + 60.3
    assert made.record_refusal(NOW + 60.3, NOW + 60.3, None) == NOW + 60.3 + 64.0


def test_probes_are_sent_on_the_hour_and_at_midnight():
    hour, day = NOW + 3600 - NOW % 3600, NOW + 86400 - NOW % 86400
    assert search(probes=20, since=NOW - 700).record_refusal(NOW + 30, NOW + 30, None) == NOW + 200.3
    assert search(probes=20, since=hour - 1000).record_refusal(hour - 50, hour - 50, None) == hour + 0.3
    assert search(probes=20, since=day - 50_000).record_refusal(day - 6000, day - 6000, None) == day + 0.3


def test_a_stated_wait_decides_when_the_probe_is_sent_and_how_long_the_window_is():
    made = search()
    assert made.record_refusal(NOW + 1, NOW + 1.1, 59.0) == NOW + 60.1
    found = made.conclude(NOW + 60.2, NOW + 60.3, 1.0)
    assert (found.limit, found.window.length, found.remaining) == (5.0, 60.0, 4.0)


def test_the_window_is_a_common_length_between_the_last_refusal_and_the_probe_that_was_served():
    made = search()
    made.record_refusal(NOW + 5.4, NOW + 5.5, None)
    found = made.conclude(NOW + 10.3, NOW + 10.4, 1.0)
    assert (found.limit, found.window.length, found.name) == (5.0, 10.0, "undeclared")


def test_a_count_over_a_long_time_shows_no_limit_unless_there_is_one_for_certain():
    made = search(started=NOW + 500.0)
    assert made.conclude(NOW + 501.0, NOW + 501.1, 1.0) is None
    made.limit_exists = True
    assert made.conclude(NOW + 501.0, NOW + 501.1, 1.0) is not None


@pytest.mark.parametrize(
    ("truth", "tried", "learned"), [(10.0, [5.0], 10.0), (5.0, [5.0, 2.0], 5.0), (2.0, [5.0, 2.0], 2.0)]
)
def test_shorter_windows_are_tried_until_a_request_at_the_end_of_one_is_refused(truth, tried, learned):
    made = search(last_refused=NOW + 1.3).conclude(NOW + 10.3, NOW + 10.4, 1.0)
    now, lengths = 10.4, [made.window.length]
    opened = 10.3
    for _ in range(30):
        now = max(now, ready(made, now))
        if now >= opened + truth:
            opened = now
        elif made.used >= 5 or now >= made.probe_at() - NOW:
            assert made.explain_refusal(NOW + now)
            continue
        made.record_unreported(sent=NOW + now, received=NOW + now)
        lengths.append(made.window.length)
    assert list(dict.fromkeys(length for length in lengths if length < 10.0)) == tried
    assert made.window.length == learned


def test_the_windows_of_a_stated_end_are_not_shortened():
    made = search()
    made.record_refusal(NOW + 1, NOW + 1.1, 59.0)
    assert made.conclude(NOW + 60.2, NOW + 60.3, 1.0).too_short == math.inf


def test_a_search_in_which_nothing_was_served_finds_nothing():
    assert search(served=0.0).conclude(NOW + 2, NOW + 2, 1.0) is None
