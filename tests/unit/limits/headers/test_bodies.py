"""Which bodies are read for limits, and what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.limits.headers.bodies import BURST_WAIT, MAX_BODY, is_marked, is_readable, read_body
from crawler.limits.headers.declared import NOTHING, Declared

JSON, HTML, XML = ([("Content-Type", kind)] for kind in ("application/json; charset=utf-8", "text/html", "text/xml"))


@each(
    ("status", "headers", "asked", "readable"),
    [
        (429, JSON, False, True), (403, JSON, False, True), (400, JSON, False, True),
        (429, HTML, False, False), (403, HTML, False, True), (400, XML, False, True), (403, [], False, False),
        (200, JSON, False, False), (200, JSON, True, True), (200, HTML, True, False), (404, JSON, False, False),
    ],
)  # fmt: skip
def test_which_bodies_are_readable(status, headers, asked, readable):
    assert is_readable(status, headers, asked=asked) is readable


@pytest.mark.parametrize(
    ("status", "headers", "body", "violated"),
    [
        (403, HTML, b"<h2>You are being\n  Rate Limited</h2>", "rate limited"),
        (403, HTML, b"x" * 20_000 + b"rate limited", None),
        (403, JSON, b'{"message": "API rate limit exceeded for 1.2.3.4"}', "rate limit exceeded"),
        (429, HTML, b"rate limit exceeded", None),
        (400, XML, b"<R><Code>RequestLimitExceeded</Code></R>", "RequestLimitExceeded"),
        (400, HTML, b"<Code>RequestLimitExceeded</Code>", None),
        (400, JSON, b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]',
         "REQUEST_LIMIT_EXCEEDED"),
        (400, JSON, b'{"error": {"code": 17, "type": "OAuthException", "fbtrace_id": "A"}}', "meta"),
        (400, JSON, b'{"error": {"code": 17}}', None),
    ],
)  # fmt: skip
def test_the_words_of_a_body(status, headers, body, violated):
    assert read_body(status, headers, body).violated == (() if violated is None else (violated,))


def test_githubs_limit_on_bursts_asks_for_a_minute_unless_a_field_states_a_time():
    body = b'{"message": "You have exceeded a secondary rate limit."}'
    assert read_body(403, JSON, body) == Declared(retry_after=BURST_WAIT, violated=("secondary rate limit",))
    assert read_body(403, JSON, body, waits=True).retry_after is None


def test_a_time_in_the_body_counts():
    assert read_body(403, JSON, b'{"retry_after": 2, "message": "rate limited"}') == Declared(retry_after=2.0)


@given(st.sampled_from([200, 400, 403, 429]), st.sampled_from([JSON, HTML, XML]), st.binary(max_size=200))
def test_no_body_raises(status, headers, body):
    assert isinstance(read_body(status, headers, body), Declared)


def test_a_large_document_is_not_read():
    assert read_body(429, JSON, b'{"retry_after": 2, "x": "%b"}' % (b"x" * MAX_BODY)) is NOTHING


def test_only_the_edges_of_an_answer_are_searched_for_marks():
    mark, filler = b'"THROTTLED"', b"x" * 20_000
    assert is_marked(mark)
    assert is_marked(mark + filler)
    assert is_marked(filler + mark)
    assert not is_marked(filler + mark + filler)
    assert not is_marked(b"{}")
