"""Values that are known to be secret are found in any text, and the registry is bounded."""

from __future__ import annotations

import json

from support.cases import each

from crawler.secret_values import MAX_CONFIGURED, MAX_SENT, MIN_LENGTH, SecretValues


@each(
    "text",
    [
        "p/w ä'\"+x", "p/w%20%C3%A4%27%22%2Bx", "p%2Fw%20%C3%A4%27%22%2Bx", "p%2Fw+%C3%A4%27%22%2Bx",
        json.dumps("p/w ä'\"+x")[1:-1], repr("p/w ä'\"+x")[1:-1],
    ],
)  # fmt: skip
def test_a_value_is_hidden_however_it_is_written(text: str) -> None:
    known = SecretValues()
    known.add("p/w ä'\"+x")
    assert known.hide(f"no {text}, and {text}!") == "no ***, and ***!"


def test_a_value_within_another_one_leaves_no_part_of_it() -> None:
    known = SecretValues()
    known.add("secret")
    known.add("secret-and-more")
    assert known.hide("secret-and-more secret") == "*** ***"


def test_a_short_value_is_not_looked_for() -> None:
    known = SecretValues()
    known.add("x" * (MIN_LENGTH - 1))
    assert not known
    assert known.hide("xxxxx xxxxxx") == "xxxxx xxxxxx"


def test_the_oldest_values_that_are_sent_are_forgotten_and_those_of_the_configuration_stay() -> None:
    known = SecretValues()
    known.add("configured")
    for number in range(MAX_SENT + 1):
        known.add(f"cookie-{number:06}", is_sent=True)
    assert known.hide("configured cookie-000000 cookie-000001 cookie-000250") == "*** cookie-000000 *** ***"
    for number in range(MAX_CONFIGURED):
        known.add(f"proxy-{number:06}")
    assert known.hide("configured proxy-000000") == "configured ***"
    known.clear()
    assert known.hide("proxy-000000") == "proxy-000000"


def test_a_field_is_new_again_after_something_was_forgotten() -> None:
    known = SecretValues()
    assert known.is_new_field("a=1")
    assert not known.is_new_field("a=1")
    for number in range(MAX_SENT + 1):
        known.add(f"cookie-{number:06}", is_sent=True)
    assert known.is_new_field("a=1")
