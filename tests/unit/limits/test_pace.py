"""`Pace`: the limits that a user may configure, and the values that are rejected."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.pace import UNITS, Pace, first_match, parse_rate


@each(
    ("text", "rate"),
    [
        ("100/min", (100.0, 60.0)),
        ("1/s", (1.0, 1.0)),
        ("2/sec", (2.0, 1.0)),
        ("3 / second", (3.0, 1.0)),
        ("3/seconds", (3.0, 1.0)),
        ("20/5s", (20.0, 5.0)),
        ("20/5 secs", (20.0, 5.0)),
        ("60/m", (60.0, 60.0)),
        ("60/minute", (60.0, 60.0)),
        ("1000/h", (1000.0, 3600.0)),
        ("1000/Hours", (1000.0, 3600.0)),
        ("5000/day", (5000.0, 86400.0)),
        ("5000/2d", (5000.0, 172800.0)),
        ("0.5/s", (0.5, 1.0)),
        ("1/0.5s", (1.0, 0.5)),
        ("  10/min  ", (10.0, 60.0)),
    ],
)
def test_a_rate_is_requests_and_seconds(text, rate):
    assert parse_rate(text) == rate


@each(
    "text",
    ["", "100", "100/", "/min", "100/fortnight", "0/s", "5/0s", "-1/s", "1/-5s", "1/s/s", "1e3/s", "nan/s", "inf/s",
     "ten/min", "1,5/s", "5s", "1/ss", "1/5", "\u0661/s"],
)  # fmt: skip
def test_an_invalid_rate_is_rejected_with_an_example(text):
    with pytest.raises(ValueError) as caught:
        parse_rate(text)
    assert str(caught.value) == f"not a rate: {text!r} (write requests/unit, such as '100/min' or '20/5s')"


@given(st.integers(1, 10**6), st.integers(1, 1000), st.sampled_from(sorted(UNITS)))
def test_every_number_and_unit_can_be_written(requests, count, unit):
    assert parse_rate(f"{requests}/{count}{unit}") == (requests, count * UNITS[unit])


def test_all_fields_of_a_pace_are_optional():
    pace = Pace()
    assert (pace.concurrency, pace.delay, pace.jitter, pace.rate, pace.burst) == (None, None, None, (), 1)


def test_one_rate_or_several():
    assert Pace(rate="10/s").rate == ("10/s",)
    assert Pace(rate=["10/s", "100/min"]).rate == ("10/s", "100/min")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"concurrency": 0}, "concurrency must be at least 1, not 0"),
        ({"concurrency": 1.5}, "concurrency must be a number, not 1.5"),
        ({"concurrency": "2"}, "concurrency must be a number, not '2'"),
        ({"concurrency": True}, "concurrency must be a number, not True"),
        ({"delay": -0.1}, "delay must be 0 seconds or more, not -0.1"),
        ({"delay": math.nan}, "delay must be 0 seconds or more, not nan"),
        ({"delay": math.inf}, "delay must be 0 seconds or more, not inf"),
        ({"delay": "1"}, "delay must be a number, not '1'"),
        ({"jitter": 1.1}, "jitter must be between 0 and 1, not 1.1"),
        ({"jitter": -0.1}, "jitter must be between 0 and 1, not -0.1"),
        ({"jitter": math.nan}, "jitter must be between 0 and 1, not nan"),
        ({"burst": 0}, "burst must be at least 1, not 0"),
        ({"burst": None}, "burst must be a number, not None"),
        ({"rate": "fast"}, "not a rate: 'fast'"),
        ({"rate": ["10/s", "fast"]}, "not a rate: 'fast'"),
        ({"rate": 5}, "rate must be text such as '100/min', or several of them, not 5"),
        ({"rate": [5]}, "rate must be text such as '100/min', or several of them, not [5]"),
    ],
)
def test_a_value_out_of_range_is_rejected_by_name(fields, words):
    with pytest.raises(ValueError) as caught:
        Pace(**fields)
    assert str(caught.value).startswith(words)


def test_a_pace_is_immutable():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Pace().delay = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": "fast"}, "mode must be one of auto, smooth, burst, not 'fast'"),
        ({"slow_start": "yes"}, "slow_start must be true, false or first, not 'yes'"),
        ({"bodies": None}, "bodies must be true or false, not None"),
        ({"refusals": (99,)}, r"refusals must be HTTP statuses, not \(99,\)"),
        ({"refusals": ("400",)}, "refusals must be HTTP statuses"),
        ({"refusals": 400}, "refusals must be a list of HTTP statuses, not 400"),
        ({"refusals": "400"}, "refusals must be a list of HTTP statuses, not '400'"),
    ],
)
def test_contradictory_values_are_rejected(fields, words):
    with pytest.raises(ValueError, match=words):
        Pace(**fields)


def test_only_given_fields_of_a_pace_override_another():
    over = Pace(concurrency=2, rate="1/s").over(Pace(concurrency=8, delay=1.0, mode="burst", slow_start=False))
    assert over == Pace(concurrency=2, rate="1/s", delay=1.0, mode="burst", slow_start=False)


@each(
    ("globs", "name", "found"),
    [
        (["*"], "https://a.test", "*"),
        (["b.test", "*.test", "a.test"], "https://a.test", "*.test"),
        (["A.Test"], "https://a.test:8443", "A.Test"),
        (["a.test:8443"], "https://a.test:8443", "a.test:8443"),
        (["a.test:8443"], "https://a.test", None),
        (["https://a.test"], "https://a.test", "https://a.test"),
        (["https://a.test"], "http://a.test", None),
        (["[::1]"], "http://[::1]:8080", "[::1]"),
        (["[::1]:8080"], "http://[::1]:8080", "[::1]:8080"),
        (["key:*"], "key:A", "key:*"),
        (["key:a"], "key:A", "key:a"),
        (["*.example"], "a.test", None),
    ],
)
def test_the_first_glob_that_matches_name_authority_or_host_is_used(globs, name, found):
    assert first_match({glob: glob for glob in globs}, name) == found
