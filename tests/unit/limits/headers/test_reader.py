"""`HeaderReader`: what servers declare about limits, in every reader."""

from __future__ import annotations

import json
import math
import random
import string
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each
from support.header_vectors import DATE, NOW, RECEIVED, SENT, VECTORS, fields

from crawler.limits.headers.declared import NOTHING, Declared
from crawler.limits.headers.field_names import parse_field_name
from crawler.limits.headers.reader import HeaderReader
from crawler.limits.headers.refusal_status import is_refusal
from crawler.limits.headers.reset_times import MAX_DISTANCE
from crawler.limits.headers.retry_after import MAX_RETRY_AFTER

ORDINARY = [
    ("Server", "nginx"), ("Date", DATE), ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "12345"),
    ("Connection", "keep-alive"), ("Vary", "Accept-Encoding"), ("ETag", '"a"'), ("Cache-Control", "max-age=60"),
    ("Set-Cookie", "a=b"), ("X-Frame-Options", "DENY"), ("Last-Modified", DATE), ("Age", "0"),
]  # fmt: skip


def same(got, want):
    """Return whether two values are equal, except for rounding errors of floats."""
    if isinstance(want, msgspec.Struct):
        return type(got) is type(want) and same(msgspec.structs.astuple(got), msgspec.structs.astuple(want))
    if isinstance(want, tuple):
        return isinstance(got, tuple) and len(got) == len(want) and all(map(same, got, want))
    if isinstance(want, float):
        return got is not None and math.isclose(got, want, rel_tol=1e-4 if abs(want) < 1e6 else 0, abs_tol=1e-5)
    return got == want


def sound(declared: Declared, sent: float = SENT, received: float = RECEIVED) -> bool:
    """Return whether every value is in the range that the rules of a quota expect."""
    for one in declared.observations:
        numbers = [one.limit, one.remaining, one.window, one.rate]
        assert all(x is None or 0 <= x < math.inf for x in numbers), one
        assert all(x is None or x > 0 for x in (one.limit, one.window, one.rate)), one
        assert one.reset is None or sent <= one.reset[0] <= one.reset[1] <= received + MAX_DISTANCE + 61, one
        assert one.policy, one
        assert one.unit, one
    policies = [one.policy for one in declared.observations]
    assert len(policies) == len(set(policies)) <= 64
    assert declared.retry_after is None or 0 <= declared.retry_after <= MAX_RETRY_AFTER
    assert declared.concurrency is None or declared.concurrency >= 1
    assert bool(declared) == (declared != NOTHING)
    return True


@each(("name", "status", "text", "means"), VECTORS)
def test_every_row_of_the_table(name, status, text, means):
    declared = HeaderReader().read(fields(text), status=status, sent=SENT, received=RECEIVED)
    assert same(declared, means), declared
    assert sound(declared)


def test_the_table_is_large_and_each_row_has_its_own_name():
    assert len(VECTORS) >= 120
    assert len({row[0] for row in VECTORS}) == len(VECTORS)


def test_names_are_case_insensitive():
    for row, status, text, _ in VECTORS:
        one, two = HeaderReader(), HeaderReader()
        pairs = fields(text)
        upper_case = [(name.upper(), value) for name, value in pairs]
        declared = one.read(pairs, status=status, sent=SENT, received=RECEIVED)
        assert two.read(upper_case, status=status, sent=SENT, received=RECEIVED) == declared, row


def test_the_same_fields_again_name_the_same_policies():
    for row, status, text, _ in VECTORS:
        reader = HeaderReader()
        first = reader.read(fields(text), status=status, sent=SENT, received=RECEIVED)
        again = reader.read(fields(text), status=status, sent=RECEIVED, received=RECEIVED + 0.1)
        assert [one.policy for one in again.observations] == [one.policy for one in first.observations], row
        assert [one.unit for one in again.observations] == [one.unit for one in first.observations], row


def read(reader, text, *, status=200, at=0.0, trip=0.05, ahead=0.0, dated=True):
    """Read a response requested `at` seconds from now, from a server whose clock is `ahead` seconds ahead."""
    pairs = fields(text)[:-1]
    if dated:
        clock = int(NOW + at + trip / 2 + ahead) % 86400
        assert NOW <= NOW + at + ahead < NOW + 86400
        pairs.append(("Date", f"Thu, 01 Jan 2026 {clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02} GMT"))
    declared = reader.read(pairs, status=status, sent=NOW + at, received=NOW + at + trip)
    assert sound(declared, NOW + at, NOW + at + trip)
    return declared


# ---- responses without limits ----------------------------------------------------------------------------------------


def test_an_ordinary_response_declares_nothing():
    reader = HeaderReader()
    assert reader.read(ORDINARY, status=200, sent=SENT, received=RECEIVED) is NOTHING
    assert reader.read([], status=200, sent=SENT, received=RECEIVED) is NOTHING
    assert reader.state() == HeaderReader().state()


def test_names_are_parsed_once():
    reader = HeaderReader()
    reader.read(ORDINARY, status=200, sent=SENT, received=RECEIVED)
    misses = parse_field_name.cache_info().misses
    reader.read(ORDINARY, status=200, sent=SENT, received=RECEIVED)
    assert parse_field_name.cache_info().misses == misses


# ---- remembered policies ---------------------------------------------------------------------------------------------


def test_a_refusal_that_does_not_repeat_the_policy_describes_the_same_one():
    reader = HeaderReader()
    first = read(reader, "RateLimit-Limit: 100 | RateLimit-Policy: 100;w=60 | RateLimit-Remaining: 3")
    later = read(reader, "RateLimit-Limit: 100 | RateLimit-Remaining: 0 | Retry-After: 9", status=429, at=1)
    assert [one.policy for one in first.observations] == [one.policy for one in later.observations] == ["60s"]
    assert later.observations[0].window == 60


def test_the_limit_that_is_reached_first_may_change():
    reader = HeaderReader()
    policies = "RateLimit-Policy: 10;w=1, 50;w=60"
    one = read(reader, f"{policies} | RateLimit-Limit: 10 | RateLimit-Remaining: 9 | RateLimit-Reset: 1")
    two = read(reader, f"{policies} | RateLimit-Limit: 50 | RateLimit-Remaining: 8 | RateLimit-Reset: 51", at=9)
    rest = [{one.policy: one.remaining for one in declared.observations} for declared in (one, two)]
    assert rest == [{"1s": 9, "60s": None}, {"60s": 8, "1s": None}]


def test_the_unit_of_a_policy_is_remembered():
    reader = HeaderReader()
    read(reader, 'RateLimit: "up";r=9 | RateLimit-Policy: "up";q=10;qu="content-bytes";w=5')
    (one,) = read(reader, 'RateLimit: "up";r=8').observations
    assert (one.unit, one.limit, one.window) == ("content-bytes", 10, 5)


def test_memory_is_bounded():
    reader = HeaderReader()
    for i in range(1000):
        read(reader, f'RateLimit: "p{i}";r=8;t=9 | RateLimit-Policy: "p{i}";q=9;w=9 | x-{i}-ratelimit-reset: 9')
    assert len(reader._policies) <= 64
    assert len(reader._semantics._first) <= 64


# ---- numbers, recognised by how they change --------------------------------------------------------------------------


def window(reader, reset, *, limit=60, start=0, gap=2.5, count=4):
    """Read responses of one window; `reset` returns the value by seconds since its start and requests so far."""
    return [
        read(
            reader,
            f"X-RateLimit-Limit: {limit} | X-RateLimit-Remaining: {limit - i - 1} | "
            f"X-RateLimit-Reset: {reset(i * gap, i + 1)}",
            at=start + i * gap,
        )
        .observations[0]
        .reset
        for i in range(count)
    ]


def test_seconds_fall_by_one_per_second():
    reader = HeaderReader()
    for low, high in window(reader, lambda t, _: math.ceil(60 - t)):
        assert low <= NOW + 60 <= high
    assert reader.state()["verdicts"].get("x-ratelimit-reset") in {None, "plain"}


def test_milliseconds_fall_by_a_thousand_per_second():
    reader = HeaderReader()
    first, *later = window(reader, lambda t, _: math.ceil((60 - t) * 1000))
    assert first[0] > NOW + 10000  # read as seconds at first
    for low, high in later:
        assert low <= NOW + 60 <= high < low + 0.1
    assert reader.state()["verdicts"] == {"x-ratelimit-reset": "milliseconds"}
    for low, high in window(reader, lambda t, _: math.ceil((60 - t) * 1000), start=100):
        assert low <= NOW + 160 <= high  # the verdict holds from the first answer on


def test_a_constant_epoch_is_read_as_an_epoch():
    reader = HeaderReader()
    for low, high in window(reader, lambda _t, _n: int(NOW) + 60):
        assert low <= NOW + 60 <= high
    assert reader.state()["verdicts"].get("x-ratelimit-reset") in {None, "plain"}


def test_an_epoch_that_is_constant_while_units_are_spent_is_proven():
    reader = HeaderReader()
    window(reader, lambda _t, _n: int(NOW) + 60, limit=10, gap=5, count=9)
    assert reader.state()["verdicts"] == {"x-ratelimit-reset": "plain"}


@pytest.mark.parametrize("start", [0, int(NOW)])
def test_the_time_to_full_moves_away_with_each_request(start):
    # a bucket of 5 that gets one unit back every 2 s, drained at once: 2, 4, 6, 8, 10
    reader = HeaderReader()
    resets = window(reader, lambda _, n: start + 2 * n, limit=5, gap=0.1, count=5)
    assert reader.state()["verdicts"] == {"x-ratelimit-reset": "full"}
    assert resets[3] is None
    low, high = resets[4]  # nothing is left: the next unit returns in 2 s
    assert low <= NOW + 2.4 <= high < NOW + 3.1


def test_the_rate_follows_from_the_time_to_full():
    reader = HeaderReader()
    for n in range(1, 6):
        declared = read(
            reader,
            f"RateLimit-Limit: 5 | RateLimit-Policy: 5;w=10 | RateLimit-Remaining: {5 - n} | RateLimit-Reset: {2 * n}",
            at=n / 10,
        )
    (one,) = declared.observations
    assert one.rate == 0.5
    assert one.reset == pytest.approx((NOW + 0.5, NOW + 2.55), abs=0.001)


def test_a_constant_is_not_a_reset():
    reader = HeaderReader()
    resets = window(reader, lambda _t, _n: 60, count=8)
    assert reader.state()["verdicts"] == {"x-ratelimit-reset": "moving"}
    assert resets[-1] is None


def test_how_a_value_changes_overrides_the_documentation():
    reader = HeaderReader()
    for i, left in enumerate(range(90, 0, -10)):
        (one,) = read(
            reader,
            f"X-RateLimit-Limit-Requests: 100 | X-RateLimit-Remaining-Requests: {left} | "
            f"X-RateLimit-Reset-Requests: {60 - 2 * i}s",
            at=2 * i,
        ).observations
    assert reader.state()["verdicts"] == {"x-ratelimit-reset-requests": "plain"}
    assert one.reset[0] <= NOW + 60 <= one.reset[1]


def test_responses_out_of_order_prove_nothing():
    reader = HeaderReader()
    read(reader, "X-RateLimit-Limit: 9 | X-RateLimit-Remaining: 8 | X-RateLimit-Reset: 2", at=0, trip=5)
    read(reader, "X-RateLimit-Limit: 9 | X-RateLimit-Remaining: 7 | X-RateLimit-Reset: 9", at=1, trip=1)
    assert reader.state()["verdicts"] == {}


@given(
    limit=st.integers(2, 100),
    span=st.sampled_from([5, 10, 60, 900]),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=30),
    trip=st.floats(0.001, 2),
    ahead=st.integers(0, 90),
    kind=st.sampled_from(["wait", "floored", "epoch", "epoch ms", "exact"]),
    dated=st.booleans(),
)
def test_a_fixed_window_is_never_taken_for_something_else(limit, span, gaps, trip, ahead, kind, dated):
    reader = HeaderReader()
    ahead = ahead if dated else 0
    now, begun, used = 10.0, 10.0, 0
    for gap in gaps:
        now += gap + trip
        served = now + trip / 2
        if served >= begun + span:
            begun, used = served, 0
        used += 1
        end = begun + span
        value = {
            "wait": math.ceil(end - served),
            "floored": math.floor(end - served),
            "epoch": math.ceil(NOW + end + ahead),
            "epoch ms": math.ceil((NOW + end + ahead) * 1000),
            "exact": f"{end - served:.6f}",
        }[kind]
        left = max(0, limit - used)
        text = f"X-RateLimit-Limit: {limit} | X-RateLimit-Remaining: {left} | X-RateLimit-Reset: {value}"
        (one,) = read(reader, text, at=now, trip=trip, ahead=ahead, dated=dated).observations
        assert reader.state()["verdicts"].get("x-ratelimit-reset") in {None, "plain"}
        if one.reset is not None:
            late = 1 if kind == "floored" else 0
            assert one.reset[0] - 1e-4 <= NOW + end <= one.reset[1] + 1e-4 + late
        else:
            assert end - served <= 1 + trip  # it was 0, or past when the response was received


@given(
    limit=st.integers(2, 50),
    each=st.sampled_from([0.1, 1.0, 2.0, 7.5]),
    gaps=st.lists(st.floats(0, 5), min_size=2, max_size=40),
    trip=st.floats(0.001, 1),
    whole=st.booleans(),
    stated=st.booleans(),
)
def test_a_recognised_bucket_is_never_faster_than_it_is(limit, each, gaps, trip, whole, stated):
    reader = HeaderReader()
    now, level, before = 0.0, float(limit), 0.0
    for gap in gaps:
        now += gap + trip
        served = now + trip / 2
        level, before = min(limit, level + (served - before) / each), served
        level -= 1 if level >= 1 else 0
        full = (limit - level) * each
        value = math.ceil(full) if whole else f"{full:.6f}"
        text = f"RateLimit-Limit: {limit} | RateLimit-Remaining: {int(level)} | RateLimit-Reset: {value}"
        text += f" | RateLimit-Policy: {limit};w={limit * each}" * stated
        (one,) = read(reader, text, at=now, trip=trip).observations
        if reader.state()["verdicts"].get("ratelimit-reset") == "full":
            assert one.rate is None or one.rate <= 1 / each * (1 + 1e-4)
            following = served + (math.floor(level) + 1 - level) * each
            assert one.reset is None or one.reset[0] - NOW <= following <= one.reset[1] - NOW + 1e-4


# ---- clocks ----------------------------------------------------------------------------------------------------------


def test_dates_are_right_even_if_our_clock_is_wrong():
    for ahead in (-90, 90, 3600):
        text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {int(NOW) + 5000 + ahead}"
        (one,) = read(HeaderReader(), text, at=4970, ahead=ahead).observations
        assert one.reset[0] <= NOW + 5000 <= one.reset[1] < NOW + 5002


def test_every_response_narrows_the_clock_skew():
    reader = HeaderReader()
    widths = []
    for i in range(20):
        text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {NOW + 300 + 77.7:.3f}"
        (one,) = read(reader, text, at=200 + i * 0.37, trip=0.01, ahead=77.7).observations
        assert one.reset[0] - 1e-6 <= NOW + 300 <= one.reset[1] + 1e-6
        widths.append(one.reset[1] - one.reset[0])
    assert widths[0] > 1
    assert widths[-1] < 0.2
    (one,) = read(reader, text, at=250, dated=False).observations  # the skew also applies to responses without a date
    assert one.reset[0] <= NOW + 300 <= one.reset[1] < one.reset[0] + 0.2


def test_an_implausible_date_is_ignored():
    text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {int(NOW) + 30} | Date: Thu, 01 Jan 0170 00:00:00 GMT"
    (one,) = read(HeaderReader(), text, dated=False).observations
    assert one.reset == (NOW + 29, NOW + 30)


def test_a_clock_that_was_set_is_noticed():
    reader = HeaderReader()
    read(reader, "X-RateLimit-Remaining: 9", at=200, ahead=50)
    text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {int(NOW) + 300 - 50}"
    (one,) = read(reader, text, at=202, ahead=-50).observations
    assert one.reset[0] <= NOW + 300 <= one.reset[1]


# ---- state -----------------------------------------------------------------------------------------------------------


def test_verdicts_and_clock_skew_are_restored():
    reader = HeaderReader()
    window(reader, lambda t, _: math.ceil((60 - t) * 1000))
    state = json.loads(json.dumps(reader.state()))
    assert set(state) == {"verdicts", "skew"}
    again = HeaderReader()
    again.restore(state)
    assert again.state() == reader.state() == state
    low, high = window(again, lambda t, _: math.ceil((60 - t) * 1000), start=100, count=1)[0]
    assert low <= NOW + 160 <= high


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(JSON | st.fixed_dictionaries({"verdicts": JSON | st.dictionaries(st.text(), JSON), "skew": JSON}))
def test_unreadable_state_is_ignored(state):
    reader = HeaderReader()
    reader.restore(state)
    json.dumps(reader.state(), allow_nan=False)
    assert read(reader, "X-RateLimit-Reset: 5 | X-RateLimit-Remaining: 1").observations[0].remaining == 1


def test_unknown_verdicts_are_not_restored():
    reader = HeaderReader()
    reader.restore({"verdicts": {"a": "full", "b": "odd", "c": 7}, "skew": [2, 1]})
    assert reader.state() == {"verdicts": {"a": "full"}, "skew": []}


# ---- malformed and hostile fields ------------------------------------------------------------------------------------


NAMES = sorted({name for row in VECTORS for name, _ in fields(row[2])} | {"Age", "Date"})
VALUES = sorted({value for row in VECTORS for _, value in fields(row[2])})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(max_size=30) | st.text(alphabet="ratelimsng-xq_", max_size=30),
            st.sampled_from(VALUES) | st.text() | st.text(alphabet='0123456789.,;:="/{}[]-rtqw ', max_size=30),
        ),
        max_size=12,
    ),
    st.sampled_from([0, 100, 200, 202, 304, 403, 429, 503, 999]),
    st.floats(0, 4e9),
    st.floats(0, 1000),
)
def test_no_fields_break_it(headers, status, sent, trip):
    reader = HeaderReader()
    for _ in range(2):
        declared = reader.read(headers, status=status, sent=sent, received=sent + trip)
        assert sound(declared, sent, sent + trip)
        is_refusal(status, declared, headers)
        sent += trip + 1


ODD = ["0", "-1", "1" + "0" * 18, "1e300", "1" + "0" * 30, "nan", "inf"]


@pytest.mark.parametrize("length", [1000, 8000, 100_000])
@pytest.mark.parametrize("piece", [" ", "9", "1, ", "a", "a;", "=", "[", '{"a":', '"', "1/", "1s", "Jan 00:", "a=1/2 "])
def test_no_value_takes_long(piece, length):
    value = (piece * length)[:length]
    for name in [*NAMES, "X-RateLimit"]:
        begun = time.process_time()
        declared = HeaderReader().read([(name, value)], status=429, sent=SENT, received=RECEIVED)
        assert time.process_time() - begun < 0.5, name
        assert sound(declared), name


def mutated(value: str, chance: random.Random) -> str:
    """Return the value with a random error."""
    at = chance.randrange(len(value) + 1)
    before, after = value[:at], value[at:]
    return chance.choice(
        [
            before + after[1:],
            before + chance.choice(string.printable) + after,
            before + chance.choice('";,=:-/.{}[]() \t\\²٣µ\x00') + after,
            before,
            value + value,
            f"{value}, {chance.choice(VALUES)}",
            before + chance.choice(ODD) + after,
            chance.choice(VALUES),
        ]
    )


def test_ten_thousand_mutations_break_nothing():
    chance = random.Random(20260101)
    rows = [(status, fields(text)) for _, status, text, _ in VECTORS]
    reader, stated = HeaderReader(), 0
    for i in range(10_000):
        status, pairs = rows[i % len(rows)]
        pairs = list(pairs)
        at = chance.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at] = name, mutated(value, chance)
        if i % 100 == 0:
            reader = HeaderReader()
        sent = SENT + i
        declared = reader.read(pairs, status=status, sent=sent, received=sent + 0.25)
        stated += bool(declared)
        assert sound(declared, sent, sent + 0.25)
    assert stated > 5_000
