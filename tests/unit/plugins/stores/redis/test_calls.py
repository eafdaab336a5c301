from __future__ import annotations

import math

import msgspec
from crawler_plugins.stores.redis import calls, reading
from hypothesis import given
from hypothesis import strategies as st
from support.stores import A, done, failed, ticket

from crawler.frontier import Pending
from crawler.hooks.page_effects import MISSING
from crawler.messages import Request
from crawler.store import Kind, Outcome
from crawler.store.checkpoint import Checkpoint
from crawler.store.handler_counts import HandlerCounts
from crawler.store.outcome import CookieChange, ItemRow, Observations, RobotsAnswer

PRIORITIES = st.integers(-(2**31) + 1, 2**31 - 1)
ORDERS = st.tuples(PRIORITIES, st.integers(0, 2**40 - 1))
REQUESTS = st.builds(
    Request,
    st.sampled_from([f"{A}/", f"{A}/a/b?c=d", f"{A}/%C3%BC?x=1|2"]),
    callback=st.sampled_from([None, "parse_item"]),
    errback=st.sampled_from([None, "failed"]),
    priority=PRIORITIES,
    cb_kwargs=st.sampled_from([{}, {"n": 1}, {"b|": "|", "a": [None]}]),
    meta=st.sampled_from([{}, {"é": "ü|"}]),
    method=st.sampled_from(["GET", "POST"]),
)


@given(ORDERS, ORDERS)
def test_the_texts_of_places_sort_as_the_places(one, other):
    assert (calls.order_of(one) < calls.order_of(other)) == (one < other)


def test_priorities_beyond_32_bits_are_first_or_last():
    assert calls.order_of((-(2**60), 5)) == "00000000" + "0000000005"
    assert calls.order_of((2**60, 5)) == "ffffffff" + "0000000005"


@given(REQUESTS, st.integers(1, 2**40 - 1), st.integers(0, 50), st.sampled_from(["", "1795711459.25"]))
def test_a_row_is_read_back_as_the_request(request, number, attempts, not_before):
    link = calls.link(request)
    row = f"{link.tier}{number:010x}{attempts}|{not_before}|{link.record}".encode()
    pending = reading.pending_of(link.group, row)
    assert pending.order == (-request.priority, number)
    assert (pending.request, pending.group, pending.attempts) == (request, A, attempts)
    assert (pending.request.callback, pending.request.cb_kwargs) == (request.callback, request.cb_kwargs)
    assert pending.not_before == (float(not_before) if not_before else -math.inf)


def test_only_requests_that_are_filtered_have_a_fingerprint():
    one, same, other = calls.link(Request(f"{A}/1")), calls.link(Request(f"{A}/1#x")), calls.link(Request(A))
    assert one.shard is not None
    assert one.print is not None
    assert (len(one.shard), int(one.print) < 2**63) == (4, True)
    assert (one.shard, one.print) == (same.shard, same.print) != (other.shard, other.print)
    assert calls.link(Request(f"{A}/1", dont_filter=True)).print is None


@given(st.lists(REQUESTS, max_size=8))
def test_runs_of_requests_have_the_same_content_as_single_requests(requests):
    rows = [
        (run.group, run.tier, run.handlers, *run.rows[i : i + 3])
        for run in calls.links(requests)
        for i in range(0, len(run.rows), 3)
    ]
    alone = [calls.link(request) for request in requests]
    assert rows == [(one.group, one.tier, one.handlers, one.record, one.shard, one.print) for one in alone]


def test_plain_links_of_one_page_are_one_run():
    plain = [Request(f"{A}/{n}") for n in range(3)]
    item = Request(f"{A}/4", callback="parse_item")
    assert [len(run.rows) for run in calls.links([*plain, item, *plain])] == [9, 3, 9]


@given(st.lists(REQUESTS, max_size=8))
def test_handlers_are_counted_as_in_a_folder(requests):
    expected, fields = HandlerCounts(), dict[str, int]()
    for request in requests:
        expected.add(request)
        for field in calls.handlers_of(request):
            fields[field] = fields.get(field, 0) + 1
    assert reading.counts_of((field, str(n)) for field, n in fields.items()) == expected


def held(**options):
    return ticket(Pending((0, 7), Request(f"{A}/p", **options), A), 3)


def sent(outcome, requests=(), observations=None):
    """Return what a commit sends, as the server reads it."""
    call = calls.commit_call("job", [outcome], [list(requests)], observations, 5.0)
    return msgspec.json.decode(msgspec.json.encode(call))


def test_a_page_is_sent_with_all_its_effects():
    outcome = done(
        held(callback="parse_item"),
        items=[ItemRow(b'{"a":1}', type="Book")],
        state={"spider": {"n": b"1", "gone": MISSING}},
        state_version=4,
        stage=2,
        staged_items=9,
        digest=b"\xff",
        lane_state={"delay": 1},
    )
    [row] = sent(outcome, [Request(f"{A}/q")])["outcomes"]
    [[group, tier, handlers, requests]] = row.pop("requests")
    assert (group, tier, handlers, requests[0]) == (A, "80000000", ["cparse"], '["/q",0,null]')
    assert row == {
        "group": A,
        "epoch": "3",
        "order": "80000000" + "0000000007",
        "url": f"{A}/p",
        "prefix": "job.0.7.",
        "handlers": ["cparse_item"],
        "items": [["Book", '{"a":1}']],
        "states": [['["spider","n"]', "1"], ['["spider","gone"]', None]],
        "version": 4,
        "digest": "ff",
        "state": '{"delay":1}',
        "stage": "2",
    }


def test_a_retry_is_sent_without_effects():
    outcome = Outcome(kind=Kind.RETRY, ticket=held(), attempts=2, not_before=1795711459.25)
    [row] = sent(outcome)["outcomes"]
    assert (row["retry"], row["attempts"], row["not_before"]) == (True, 2, "1795711459.25")
    assert (row["handlers"], row["items"]) == ([], [])


def test_a_failure_is_kept_with_its_request():
    [row] = sent(failed(held(), "no \ud800 answer"))["outcomes"]
    failure = msgspec.json.decode(row["failure"])
    assert (failure["url"], failure["reason"], failure["message"]) == (f"{A}/p", "connect_failed", "no ? answer")
    assert (failure["attempts"], failure["at"], row["reason"]) == (3, 5.0, "connect_failed")
    assert (row["again"]["record"], "print" in row["again"]) == ('["/p",0,null]', False)


def test_observations_are_sent_as_rows():
    seen = Observations(
        checkpoint=Checkpoint(stats=b'{"pages":3,"items":2}', networks=b"[1]", exhausted=True, budgets={"key:A": {}}),
        cookies=[CookieChange(session="s", domain="d", path="/", name="n", value=None)],
        robots=[RobotsAnswer(A, 200, b"\xff", 7.0)],
    )
    call = sent(done(held()), observations=seen)
    assert call["stats"] == {"json": '{"pages":3,"items":2}', "pages": 3, "items": 2, "failed": 0}
    rows = call["observations"]
    assert rows["exhausted"] is True
    assert (rows["notes"], rows["budgets"]) == ([["networks", "[1]"]], [["key:A", "{}"]])
    assert reading.cookies_of(rows["cookies"])[0].value is None
    [[origin, answer]] = rows["robots"]
    assert reading.robots_of(origin, answer.encode()) == [RobotsAnswer(A, 200, b"\xff", 7.0)]


def test_states_and_cookies_are_read_as_they_were_written():
    assert reading.states_of([('["p","a"]', "[1]"), ('["p","b"]', None)]) == {"p": {"a": b"[1]", "b": MISSING}}
    [cookie] = reading.cookies_of([('["s","d","/","n"]', "{}")])
    assert (cookie.session, cookie.domain, cookie.path, cookie.name, cookie.value) == ("s", "d", "/", "n", b"{}")
    assert reading.robots_of(A, b"") == []


def test_effects_are_staged_as_items_and_requests():
    item, request = calls.staged([ItemRow(b"{}", type="T")], [Request(f"{A}/p")])
    assert msgspec.json.decode(item) == ["T", "{}"]
    assert msgspec.json.decode(request)["group"] == A


def test_items_of_the_log_name_the_sinks_that_need_them():
    fields = [b"key", b"k", b"page", b"u", b"type", b"T", b"data", b"{}", b"sinks", b'["a"]']
    [row] = reading.rows_of([(b"1-0", fields)])
    assert (row.data, row.key, row.page, row.type, row.sinks) == (b"{}", "k", "u", "T", ("a",))
