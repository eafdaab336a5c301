"""Reset values in every form, as ranges of times by our own clock."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.reset_times import (
    MAX_DISTANCE,
    clock_skew_range,
    counts_milliseconds,
    parse_http_date,
    parse_reset,
    parse_time,
)

NOW = 1767225600.0  # Thu, 01 Jan 2026 00:00:00 GMT
SENT, RECEIVED = NOW + 0.25, NOW + 0.5


@pytest.fixture
def far_from_greenwich(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def read(text, **kw):
    times = {"sent": SENT, "received": RECEIVED} | {name: kw.pop(name) for name in ("sent", "received") if name in kw}
    return parse_reset(text, **times, **{"skew": clock_skew_range(NOW, **times)} | kw)


@each(
    ("text", "low", "high"),
    [
        ("41", 40, 41),
        ("1", 0, 1),
        ("0", 0, 0),
        ("41, 41", 40, 41),
        (" 41 ; w=60", 40, 41),
        ("57.0", 56, 57),  # zeros are no decimals
        ("57.5", 57.5, 57.5),
        ("64.570", 64.57, 64.57),
        ("2764800", 2764799, 2764800),  # 32 days
        ("1s", 0, 1),
        ("12ms", 0.011, 0.012),
        ("6m0s", 359, 360),
        ("2m59.56s", 179.56, 179.56),
        ("1h", 0, 3600),
        ("1m", 0, 60),
        ("1h0m5s", 3604, 3605),
        ("1d2h", 26 * 3600 - 3600, 26 * 3600),
        ("250us", 0.000249, 0.00025),
        ("250µs", 0.000249, 0.00025),
        ("5000ns", 0.000004999, 0.000005),
    ],
)
def test_a_wait_lies_between_its_rounded_values(text, low, high):
    assert read(text) == pytest.approx((SENT + low, RECEIVED + high), abs=1e-6)


@pytest.mark.parametrize("field", ["x-ratelimit-reset-ms", "reset_ms", "x-reset-milliseconds", "x-amz-retry-after"])
def test_fields_in_milliseconds(field):
    assert counts_milliseconds(field)
    assert read("2500", milliseconds=True) == pytest.approx((SENT + 2.499, RECEIVED + 2.5), abs=0.001)
    assert read("1767225630000", milliseconds=True) == read("1767225630000")  # an epoch does not depend on the unit


@pytest.mark.parametrize(
    ("text", "early", "late"),
    [
        ("1767225630", 1, 0),
        ("1767225630000", 1e-3, 0),
        ("1767225630000000", 1e-6, 0),
        ("1767225630000000000", 1e-9, 0),
        ("1767225630.0", 1, 0),
        ("1767225630.000001", 0, 0),
        ("2026-01-01T00:00:30Z", 1, 0),
        ("2026-01-01t00:00:30z", 1, 0),
        ("2026-01-01 00:00:30", 1, 0),
        ("2026-01-01T01:00:30+01:00", 1, 0),
        ("2026-01-01T00:00:30.000000Z", 1, 0),
        ("2026-01-01T00:00:30.000Z", 1, 0),
        ("2026-01-01T00:00:30.000000100Z", 0, 0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 1, 0),
        ("Thursday, 01-Jan-26 00:00:30 GMT", 1, 0),
        ("Thu Jan  1 00:00:30 2026", 1, 0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 1, 0),
        ("Thu, 01 Jan 2026 00:00:30", 1, 0),
        ("Thu Jan 01 2026 00:00:30 GMT+0000 (Coordinated Universal Time)", 0, 1),
        ("Wed Dec 31 2025 16:00:30 GMT-0800 (Pacific Standard Time)", 0, 1),
    ],
)
def test_a_date_is_read_relative_to_the_date_of_the_response(text, early, late, far_from_greenwich):
    # the server read its clock between sending and receipt, at an unknown fraction of its second
    assert read(text) == pytest.approx((SENT + 29 - early, RECEIVED + 30 + late), abs=1e-6)
    assert read(text, sent=SENT - 90, received=RECEIVED - 90) == pytest.approx(
        (SENT - 90 + 29 - early, RECEIVED - 90 + 30 + late), abs=1e-6
    )


def test_a_date_without_seconds_lasts_until_the_end_of_its_minute():
    assert read("2026-01-01T00:02Z") == (SENT + 119, RECEIVED + 180)


def test_without_a_date_the_clocks_are_assumed_to_agree():
    assert read("1767225630", skew=(0.0, 0.0)) == (NOW + 29, NOW + 30)


def test_a_known_clock_skew_narrows_the_range():
    assert read("1767225630", skew=(-2.0, -1.5)) == (NOW + 30.5, NOW + 32)


@each(
    "text",
    ["", " ", "-1", "-0.5", "+5", "²", "٣", "1e3", "NaN", "inf", "Infinity", "0x10", "1.", ".5", "soon", "true", "s",
     "5 s", "5w", ";", ",", '"5"', "2026-01-01", "20260101", "2026-13-01T00:00:00Z", "2026-01-01T99:00:00Z",
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "Thu, 99 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026",
     "Thu, 01 Jan 2026 00:00:٣٣ GMT", "Jan :", "\x00", "1" * 26, "9" * 400, "1" * 100_000, "1s" * 50_000,
     "Jan 00:00:00 " * 9000, "(" * 100_000],
)  # fmt: skip
def test_malformed_values(text):
    assert read(text) is None


@pytest.mark.parametrize("text", ["2764801", "33d", "5184000", "946684800", "3344000000", "2028-01-01T00:00:00Z"])
def test_implausible_values(text):
    assert read(text) is None


@pytest.mark.parametrize("text", ["1767225599", "1767225000", "2025-12-31T23:59:59Z"])
def test_times_before_the_request_was_sent(text):
    assert read(text) is None


@given(
    t=st.floats(0, 1e6),
    at=st.floats(0, 1),
    trip=st.floats(0, 5),
    start=st.floats(0, 1e4),
)
def test_the_true_time_lies_in_the_range_of_a_wait_that_was_rounded_up(t, at, trip, start):
    sent = NOW + start
    low, high = parse_reset(str(math.ceil(t)), sent=sent, received=sent + trip)
    assert low - 1e-6 <= sent + trip * at + t <= high + 1e-6


@given(
    t=st.floats(1, 1e6),
    at=st.floats(0, 1),
    trip=st.floats(0, 5),
    start=st.floats(0, 1e4),
    ahead=st.floats(-1e5, 1e5),
    scale=st.sampled_from([1, 1000]),
)
def test_the_true_time_lies_in_the_range_of_a_date_however_wrong_the_clocks_are(t, at, trip, start, ahead, scale):
    sent = NOW + start
    server = sent + trip * at + ahead
    text = str(math.ceil((server + t) * scale))
    skew = clock_skew_range(float(math.floor(server)), sent=sent, received=sent + trip)
    time_range = parse_reset(text, sent=sent, received=sent + trip, skew=skew)
    assert time_range is not None
    assert time_range[0] - 1e-5 <= sent + trip * at + t <= time_range[1] + 1e-5


@example("1" * 25, NOW, 0.0, NOW, True)
@given(
    st.text() | st.text(alphabet="0123456789.,:;+-TZGMTmsµhd Jan"),
    st.floats(0, 4e9),
    st.floats(0, 1e4),
    st.floats(-1e11, 1e11),
    st.booleans(),
)
def test_no_text_breaks_it(text, sent, trip, date, milliseconds):
    skew = clock_skew_range(date, sent=sent, received=sent + trip)
    time_range = parse_reset(text, sent=sent, received=sent + trip, skew=skew, milliseconds=milliseconds)
    assert time_range is None or sent <= time_range[0] <= time_range[1] <= sent + trip + MAX_DISTANCE + 60


def test_the_date_field_of_a_response():
    assert parse_http_date(" Thu, 01 Jan 2026 00:00:00 GMT ") == NOW
    assert parse_http_date("yesterday") is None
    assert parse_http_date("Thu, 01 Jan 2026 00:00:00 GMT" + " " * 9 + "x" * 1000) is None


def test_a_whole_number_may_be_rounded_up_by_one():
    stated = parse_time("30", now=NOW)
    assert (stated.value, stated.absolute, stated.early, stated.late) == (30, False, 1, 0)
