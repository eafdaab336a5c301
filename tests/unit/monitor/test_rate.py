"""How fast a counter grows now."""

from __future__ import annotations

from crawler.monitor import Rate


def test_a_rate_is_known_from_the_second_value_on() -> None:
    rate = Rate()
    assert rate.per_second() == 0.0
    rate.note(0.0, 5)
    assert rate.per_second() == 0.0
    rate.note(2.0, 11)
    assert rate.per_second() == 3.0


def test_old_values_leave_the_window() -> None:
    rate = Rate(10.0)
    for second in range(31):
        rate.note(float(second), min(second, 20) * 7)
    assert rate.per_second() == 0.0, "nothing has happened for ten seconds"
    rate.note(35.0, 190)
    assert rate.per_second() == 5.0


def test_many_values_take_little_memory() -> None:
    rate = Rate(10.0)
    for step in range(100_000):
        rate.note(step / 1000, step)
    assert len(rate._values) < 50
    assert round(rate.per_second()) == 1000


def test_a_clock_that_goes_back_starts_afresh_and_a_rate_is_never_negative() -> None:
    rate = Rate()
    rate.note(100.0, 5)
    rate.note(50.0, 6)
    assert rate.per_second() == 0.0
    rate.note(51.0, 3)
    assert rate.per_second() == 0.0
