"""How long a lane starts nothing after challenges."""

from __future__ import annotations

from crawler.walls.challenges import Challenges

LANE = "https://site.test"


def test_pauses_double_up_to_a_minute() -> None:
    challenges, now, waits = Challenges(), 100.0, []
    for _ in range(9):
        until = challenges.meet(LANE, now, now)
        waits.append(until - now)
        now = until
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_request_that_was_in_flight_makes_no_pause_longer() -> None:
    challenges = Challenges()
    assert challenges.meet(LANE, 100.0, 101.0) == 102.0
    assert challenges.meet(LANE, 100.5, 101.5) == 102.0
    assert challenges.meet(LANE, 102.0, 103.0) == 105.0


def test_a_page_ends_the_pauses_of_its_lane_only() -> None:
    challenges = Challenges()
    challenges.meet(LANE, 0.0, 1.0)
    challenges.meet("https://other.test", 0.0, 1.0)
    challenges.end(LANE)
    assert challenges.meet(LANE, 2.0, 3.0) == 4.0
    assert challenges.meet("https://other.test", 2.0, 3.0) == 5.0
    challenges.end(LANE)
    challenges.end("https://other.test")
    assert not challenges
