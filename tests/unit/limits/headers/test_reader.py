"""What a server says of its limits, whatever its dialect."""

from __future__ import annotations

import json
import math
import random
import string
import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.header_vectors import DATE, NOW, RECEIVED, SENT, VECTORS, fields

from crawler.limits.headers.declared import NOTHING, Declared, Observation
from crawler.limits.headers.field_names import parse_field_name
from crawler.limits.headers.reader import HeaderReader
from crawler.limits.headers.refusal_status import REFUSAL_STATUSES, is_refusal
from crawler.limits.headers.reset_times import MAX_DISTANCE
from crawler.limits.headers.retry_after import MAX_RETRY_AFTER

ORDINARY = [
    ("Server", "nginx"), ("Date", DATE), ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "12345"),
    ("Connection", "keep-alive"), ("Vary", "Accept-Encoding"), ("ETag", '"a"'), ("Cache-Control", "max-age=60"),
    ("Set-Cookie", "a=b"), ("X-Frame-Options", "DENY"), ("Last-Modified", DATE), ("Age", "0"),
]  # fmt: skip


def same(got, want):
    """Whether two values are equal, but for what floats lose."""
    if isinstance(want, tuple):
        return isinstance(got, tuple) and len(got) == len(want) and all(map(same, got, want))
    if isinstance(want, float):
        return got is not None and math.isclose(got, want, rel_tol=1e-4 if abs(want) < 1e6 else 0, abs_tol=1e-5)
    return got == want


def sound(declared: Declared, sent: float = SENT, received: float = RECEIVED) -> bool:
    """Whether everything that is said can be believed by a governor."""
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


@pytest.mark.parametrize(("status", "text", "means"), [pytest.param(*row[1:], id=row[0]) for row in VECTORS])
def test_what_it_means(status, text, means):
    declared = HeaderReader().read(fields(text), status=status, sent=SENT, received=RECEIVED)
    assert same(attrs.astuple(declared), attrs.astuple(means)), declared
    assert sound(declared)


def test_the_table_is_large_and_names_each_row_once():
    assert len(VECTORS) >= 120
    assert len({row[0] for row in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize(("status", "text"), [pytest.param(*row[1:3], id=row[0]) for row in VECTORS])
def test_the_spelling_and_order_of_names_mean_nothing(status, text):
    one, two = HeaderReader(), HeaderReader()
    pairs = fields(text)
    shouted = [(name.upper(), value) for name, value in pairs]
    said = one.read(pairs, status=status, sent=SENT, received=RECEIVED)
    assert two.read(shouted, status=status, sent=SENT, received=RECEIVED) == said


@pytest.mark.parametrize(("status", "text"), [pytest.param(*row[1:3], id=row[0]) for row in VECTORS])
def test_the_same_answer_again_names_the_same_policies(status, text):
    dialect = HeaderReader()
    first = dialect.read(fields(text), status=status, sent=SENT, received=RECEIVED)
    again = dialect.read(fields(text), status=status, sent=RECEIVED, received=RECEIVED + 0.1)
    assert [one.policy for one in again.observations] == [one.policy for one in first.observations]
    assert [one.unit for one in again.observations] == [one.unit for one in first.observations]


def read(dialect, text, *, status=200, at=0.0, trip=0.05, ahead=0.0, dated=True):
    """Reads an answer that was asked for `at` seconds from now, by a server whose clock is `ahead` seconds ahead."""
    pairs = fields(text)[:-1]
    if dated:
        clock = int(NOW + at + trip / 2 + ahead) % 86400
        assert NOW <= NOW + at + ahead < NOW + 86400
        pairs.append(("Date", f"Thu, 01 Jan 2026 {clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02} GMT"))
    declared = dialect.read(pairs, status=status, sent=NOW + at, received=NOW + at + trip)
    assert sound(declared, NOW + at, NOW + at + trip)
    return declared


# What is ordinary


def test_an_ordinary_answer_says_nothing_at_once():
    dialect = HeaderReader()
    assert dialect.read(ORDINARY, status=200, sent=SENT, received=RECEIVED) is NOTHING
    assert dialect.read([], status=200, sent=SENT, received=RECEIVED) is NOTHING
    assert dialect.state() == HeaderReader().state()


def test_names_are_looked_up_and_not_taken_apart_again():
    dialect = HeaderReader()
    dialect.read(ORDINARY, status=200, sent=SENT, received=RECEIVED)
    misses = parse_field_name.cache_info().misses
    dialect.read(ORDINARY, status=200, sent=SENT, received=RECEIVED)
    assert parse_field_name.cache_info().misses == misses


# What is remembered of names


def test_a_refusal_without_the_policy_speaks_of_the_same_policy():
    dialect = HeaderReader()
    first = read(dialect, "RateLimit-Limit: 100 | RateLimit-Policy: 100;w=60 | RateLimit-Remaining: 3")
    later = read(dialect, "RateLimit-Limit: 100 | RateLimit-Remaining: 0 | Retry-After: 9", status=429, at=1)
    assert [one.policy for one in first.observations] == [one.policy for one in later.observations] == ["60s"]
    assert later.observations[0].window == 60


def test_the_limit_that_ends_first_may_change_without_confusion():
    dialect = HeaderReader()
    policies = "RateLimit-Policy: 10;w=1, 50;w=60"
    one = read(dialect, f"{policies} | RateLimit-Limit: 10 | RateLimit-Remaining: 9 | RateLimit-Reset: 1")
    two = read(dialect, f"{policies} | RateLimit-Limit: 50 | RateLimit-Remaining: 8 | RateLimit-Reset: 51", at=9)
    rest = [{one.policy: one.remaining for one in declared.observations} for declared in (one, two)]
    assert rest == [{"1s": 9, "60s": None}, {"60s": 8, "1s": None}]


def test_a_unit_is_remembered_from_the_policy():
    dialect = HeaderReader()
    read(dialect, 'RateLimit: "up";r=9 | RateLimit-Policy: "up";q=10;qu="content-bytes";w=5')
    (one,) = read(dialect, 'RateLimit: "up";r=8').observations
    assert (one.unit, one.limit, one.window) == ("content-bytes", 10, 5)


def test_what_is_remembered_is_bounded():
    dialect = HeaderReader()
    for i in range(1000):
        read(dialect, f'RateLimit: "p{i}";r=8;t=9 | RateLimit-Policy: "p{i}";q=9;w=9 | x-{i}-ratelimit-reset: 9')
    assert len(dialect._policies) <= 64
    assert len(dialect._semantics._first) <= 64


# What is remembered of numbers


def window(dialect, reset, *, limit=60, start=0, gap=2.5, count=4):
    """Reads answers of one window whose reset is `reset(seconds since its start, requests made in it)`."""
    return [
        read(
            dialect,
            f"X-RateLimit-Limit: {limit} | X-RateLimit-Remaining: {limit - i - 1} | "
            f"X-RateLimit-Reset: {reset(i * gap, i + 1)}",
            at=start + i * gap,
        )
        .observations[0]
        .reset
        for i in range(count)
    ]


def test_seconds_fall_by_one_a_second():
    dialect = HeaderReader()
    for low, high in window(dialect, lambda t, _: math.ceil(60 - t)):
        assert low <= NOW + 60 <= high
    assert dialect.state()["verdicts"].get("x-ratelimit-reset") in {None, "plain"}


def test_milliseconds_fall_by_a_thousand_a_second():
    dialect = HeaderReader()
    first, *later = window(dialect, lambda t, _: math.ceil((60 - t) * 1000))
    assert first[0] > NOW + 10000  # nobody could know
    for low, high in later:
        assert low <= NOW + 60 <= high < low + 0.1
    assert dialect.state()["verdicts"] == {"x-ratelimit-reset": "milliseconds"}
    for low, high in window(dialect, lambda t, _: math.ceil((60 - t) * 1000), start=100):
        assert low <= NOW + 160 <= high  # the verdict holds from the first answer on


def test_an_epoch_stands_still():
    dialect = HeaderReader()
    for low, high in window(dialect, lambda _t, _n: int(NOW) + 60):
        assert low <= NOW + 60 <= high
    assert dialect.state()["verdicts"].get("x-ratelimit-reset") in {None, "plain"}


def test_an_epoch_that_stands_still_for_long_is_proven():
    dialect = HeaderReader()
    window(dialect, lambda _t, _n: int(NOW) + 60, limit=10, gap=5, count=9)
    assert dialect.state()["verdicts"] == {"x-ratelimit-reset": "plain"}


@pytest.mark.parametrize("start", [0, int(NOW)])
def test_the_time_to_full_moves_away_with_each_request(start):
    # a bucket of 5 that gets one unit back every 2 s, drained at once: 2, 4, 6, 8, 10
    dialect = HeaderReader()
    resets = window(dialect, lambda _, n: start + 2 * n, limit=5, gap=0.1, count=5)
    assert dialect.state()["verdicts"] == {"x-ratelimit-reset": "full"}
    assert resets[3] is None
    low, high = resets[4]  # nothing is left: the next unit comes in 2 s
    assert low <= NOW + 2.4 <= high < NOW + 3.1


def test_the_time_to_full_tells_how_fast_units_come_back():
    dialect = HeaderReader()
    for n in range(1, 6):
        declared = read(
            dialect,
            f"RateLimit-Limit: 5 | RateLimit-Policy: 5;w=10 | RateLimit-Remaining: {5 - n} | RateLimit-Reset: {2 * n}",
            at=n / 10,
        )
    (one,) = declared.observations
    assert one.rate == 0.5
    assert one.reset == pytest.approx((NOW + 0.5, NOW + 2.55))


def test_a_window_that_is_said_over_and_over_is_no_time():
    dialect = HeaderReader()
    resets = window(dialect, lambda _t, _n: 60, count=8)
    assert dialect.state()["verdicts"] == {"x-ratelimit-reset": "moving"}
    assert resets[-1] is None


def test_what_is_documented_as_time_to_full_is_overruled_by_what_it_does():
    dialect = HeaderReader()
    for i, left in enumerate(range(90, 0, -10)):
        (one,) = read(
            dialect,
            f"X-RateLimit-Limit-Requests: 100 | X-RateLimit-Remaining-Requests: {left} | "
            f"X-RateLimit-Reset-Requests: {60 - 2 * i}s",
            at=2 * i,
        ).observations
    assert dialect.state()["verdicts"] == {"x-ratelimit-reset-requests": "plain"}
    assert one.reset[0] <= NOW + 60 <= one.reset[1]


def test_answers_that_come_out_of_order_prove_nothing():
    dialect = HeaderReader()
    read(dialect, "X-RateLimit-Limit: 9 | X-RateLimit-Remaining: 8 | X-RateLimit-Reset: 2", at=0, trip=5)
    read(dialect, "X-RateLimit-Limit: 9 | X-RateLimit-Remaining: 7 | X-RateLimit-Reset: 9", at=1, trip=1)
    assert dialect.state()["verdicts"] == {}


@given(
    limit=st.integers(2, 100),
    span=st.sampled_from([5, 10, 60, 900]),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=30),
    trip=st.floats(0.001, 2),
    ahead=st.integers(0, 90),
    kind=st.sampled_from(["wait", "floored", "epoch", "epoch ms", "exact"]),
    dated=st.booleans(),
)
def test_a_fixed_window_is_never_taken_for_anything_else(limit, span, gaps, trip, ahead, kind, dated):
    dialect = HeaderReader()
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
        (one,) = read(dialect, text, at=now, trip=trip, ahead=ahead, dated=dated).observations
        assert dialect.state()["verdicts"].get("x-ratelimit-reset") in {None, "plain"}
        if one.reset is not None:
            late = 1 if kind == "floored" else 0
            assert one.reset[0] - 1e-4 <= NOW + end <= one.reset[1] + 1e-4 + late
        else:
            assert end - served <= 1 + trip  # it was 0, or over when the answer came


@given(
    limit=st.integers(2, 50),
    each=st.sampled_from([0.1, 1.0, 2.0, 7.5]),
    gaps=st.lists(st.floats(0, 5), min_size=2, max_size=40),
    trip=st.floats(0.001, 1),
    whole=st.booleans(),
    told=st.booleans(),
)
def test_a_bucket_that_is_found_out_is_never_said_to_be_slower_or_faster_than_it_is(
    limit, each, gaps, trip, whole, told
):
    dialect = HeaderReader()
    now, level, before = 0.0, float(limit), 0.0
    for gap in gaps:
        now += gap + trip
        served = now + trip / 2
        level, before = min(limit, level + (served - before) / each), served
        level -= 1 if level >= 1 else 0
        full = (limit - level) * each
        value = math.ceil(full) if whole else f"{full:.6f}"
        text = f"RateLimit-Limit: {limit} | RateLimit-Remaining: {int(level)} | RateLimit-Reset: {value}"
        text += f" | RateLimit-Policy: {limit};w={limit * each}" * told
        (one,) = read(dialect, text, at=now, trip=trip).observations
        if dialect.state()["verdicts"].get("ratelimit-reset") == "full":
            assert one.rate is None or one.rate <= 1 / each * (1 + 1e-4)
            following = served + (math.floor(level) + 1 - level) * each
            assert one.reset is None or one.reset[0] - NOW <= following <= one.reset[1] - NOW + 1e-4


# What is remembered of clocks


def test_dates_are_right_though_our_clock_is_wrong():
    for ahead in (-90, 90, 3600):
        text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {int(NOW) + 5000 + ahead}"
        (one,) = read(HeaderReader(), text, at=4970, ahead=ahead).observations
        assert one.reset[0] <= NOW + 5000 <= one.reset[1] < NOW + 5002


def test_every_answer_narrows_what_is_known_of_the_clocks():
    dialect = HeaderReader()
    widths = []
    for i in range(20):
        text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {NOW + 300 + 77.7:.3f}"
        (one,) = read(dialect, text, at=200 + i * 0.37, trip=0.01, ahead=77.7).observations
        assert one.reset[0] - 1e-6 <= NOW + 300 <= one.reset[1] + 1e-6
        widths.append(one.reset[1] - one.reset[0])
    assert widths[0] > 1
    assert widths[-1] < 0.2
    (one,) = read(dialect, text, at=250, dated=False).observations  # and it serves answers without a date
    assert one.reset[0] <= NOW + 300 <= one.reset[1] < one.reset[0] + 0.2


def test_a_mad_date_moves_nothing():
    text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {int(NOW) + 30} | Date: Thu, 01 Jan 0170 00:00:00 GMT"
    (one,) = read(HeaderReader(), text, dated=False).observations
    assert one.reset == (NOW + 29, NOW + 30)


def test_a_clock_that_was_set_is_believed():
    dialect = HeaderReader()
    read(dialect, "X-RateLimit-Remaining: 9", at=200, ahead=50)
    text = f"X-RateLimit-Remaining: 9 | X-RateLimit-Reset: {int(NOW) + 300 - 50}"
    (one,) = read(dialect, text, at=202, ahead=-50).observations
    assert one.reset[0] <= NOW + 300 <= one.reset[1]


# What outlives it


def test_what_was_learned_outlives_the_object():
    dialect = HeaderReader()
    window(dialect, lambda t, _: math.ceil((60 - t) * 1000))
    state = json.loads(json.dumps(dialect.state()))
    assert set(state) == {"verdicts", "skew"}
    again = HeaderReader()
    again.restore(state)
    assert again.state() == dialect.state() == state
    low, high = window(again, lambda t, _: math.ceil((60 - t) * 1000), start=100, count=1)[0]
    assert low <= NOW + 160 <= high


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(JSON | st.fixed_dictionaries({"verdicts": JSON | st.dictionaries(st.text(), JSON), "skew": JSON}))
def test_garbage_is_no_state(state):
    dialect = HeaderReader()
    dialect.restore(state)
    json.dumps(dialect.state(), allow_nan=False)
    assert read(dialect, "X-RateLimit-Reset: 5 | X-RateLimit-Remaining: 1").observations[0].remaining == 1


def test_a_verdict_that_is_none_is_not_restored():
    dialect = HeaderReader()
    dialect.restore({"verdicts": {"a": "full", "b": "odd", "c": 7}, "skew": [2, 1]})
    assert dialect.state() == {"verdicts": {"a": "full"}, "skew": []}


# Refusals


EMPTY = Declared(observations=(Observation(policy="a", remaining=9), Observation(policy="b", remaining=0)))
LEFT = Declared(observations=(Observation(policy="a", remaining=1),))


@pytest.mark.parametrize("status", sorted(REFUSAL_STATUSES))
def test_some_statuses_always_refuse(status):
    assert is_refusal(status, NOTHING)


@pytest.mark.parametrize("status", [0, 200, 202, 301, 304, 400, 401, 404, 430, 477, 500, 502, 504, 999])
def test_others_only_by_a_rule(status):
    assert not is_refusal(status, EMPTY, [("Retry-After", "5")])
    assert is_refusal(status, NOTHING, statuses={status})


@pytest.mark.parametrize(
    ("declared", "headers", "refused"),
    [
        (NOTHING, [], False),
        (LEFT, [], False),
        (EMPTY, [], True),
        (Declared(retry_after=60.0), [], True),
        (Declared(violated=("secondary",)), [], True),
        (NOTHING, [("Retry-After", "when it suits")], True),
        (NOTHING, [("Server", "x")], False),
    ],
)
def test_forbidden_needs_evidence(declared, headers, refused):
    assert is_refusal(403, declared, headers) is refused


# Whatever comes


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
def test_no_header_breaks_it(headers, status, sent, trip):
    dialect = HeaderReader()
    for _ in range(2):
        declared = dialect.read(headers, status=status, sent=sent, received=sent + trip)
        assert sound(declared, sent, sent + trip)
        is_refusal(status, declared, headers)
        sent += trip + 1


ODD = ["0", "-1", "1" + "0" * 18, "1e300", "1" + "0" * 30, "nan", "inf"]


@pytest.mark.parametrize("name", [*NAMES, "X-RateLimit"])
@pytest.mark.parametrize("piece", [" ", "9", "1, ", "a", "a;", "=", "[", '{"a":', '"', "1/", "1s", "Jan 00:", "a=1/2 "])
def test_no_value_takes_long(name, piece):
    for length in (1000, 8000, 100_000):
        value = (piece * length)[:length]
        begun = time.perf_counter()
        declared = HeaderReader().read([(name, value)], status=429, sent=SENT, received=RECEIVED)
        assert time.perf_counter() - begun < 0.5
        assert sound(declared)


def mutated(value: str, chance: random.Random) -> str:
    """A value with something wrong."""
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


def test_a_hundred_thousand_mutations_break_nothing():
    chance = random.Random(20260101)
    rows = [(status, fields(text)) for _, status, text, _ in VECTORS]
    dialect, said = HeaderReader(), 0
    for i in range(100_000):
        status, pairs = rows[i % len(rows)]
        pairs = list(pairs)
        at = chance.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at] = name, mutated(value, chance)
        if i % 1000 == 0:
            dialect = HeaderReader()
        sent = SENT + i
        declared = dialect.read(pairs, status=status, sent=sent, received=sent + 0.25)
        said += bool(declared)
        assert sound(declared, sent, sent + 0.25)
    assert said > 50_000
