"""Requests as JSON: what survives it, and the arguments of callbacks."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each
from support.shop_requests import FULL, NEW_YEAR, SHOP, URL, Color, Point, Range, Shop, kept

from crawler import Request, Spider
from crawler.messages.request import mapping_of


def test_a_callback_is_kept_by_its_name():
    request = kept(Request(URL, SHOP.plain, errback=SHOP.failed))
    assert (request.callback, request.errback) == ("plain", "failed")
    assert kept(Request(URL, "anything")).callback == "anything"


def test_keyword_arguments_are_checked_against_the_signature_of_the_callback():
    assert Request(URL, SHOP.needs, cb_kwargs={"category": "books"}).cb_kwargs == {"category": "books"}
    assert Request(URL, SHOP.plain, cb_kwargs={"page": 2, "x": 1}).cb_kwargs == {"page": 2, "x": 1}
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'categroy'"):
        Request(URL, SHOP.typed, cb_kwargs={"categroy": "books"})
    with pytest.raises(TypeError, match="multiple values for argument 'response'"):
        Request(URL, SHOP.plain, cb_kwargs={"response": 1})


@each(
    ("name", "value", "stored"),
    [
        ("point", Point(1, 2.5), {"x": 1, "y": 2.5}),
        ("span", Range(datetime.date(2026, 1, 2)), {"first": "2026-01-02", "last": None}),
        ("span", None, None),
        ("when", datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC), "2026-01-02T03:04:05.000006Z"),
        ("color", Color.RED, "red"),
        ("price", Decimal("1.10"), "1.10"),
        ("weight", 5, 5),
        ("weight", 0.1, 0.1),
        ("data", b"\x00\xff", "AP8="),
        ("many", [Point(1), Point(2)], [{"x": 1, "y": 0.0}, {"x": 2, "y": 0.0}]),
        ("pair", (1, 2), [1, 2]),
        ("anything", {"a": [1, None]}, {"a": [1, None]}),
        ("loose", "text", "text"),
    ],
)
def test_an_annotation_converts_a_value_back(name, value, stored):
    request = kept(Request(URL, SHOP.typed, cb_kwargs={name: value}))
    assert request.cb_kwargs == {name: stored}
    hint = get_type_hints(Shop.typed).get(name, Any)
    assert msgspec.convert(request.cb_kwargs[name], hint) == value


@each(
    ("name", "value"),
    [
        ("loose", datetime.date(2026, 1, 2)),
        ("loose", (1, 2)),
        ("loose", [(1, 2)]),
        ("loose", {1: 2}),
        ("loose", [Point(1)]),
        ("loose", b"bytes"),
        ("anything", Point(1)),
        ("anything", {"a": {1}}),
        ("point", "1"),
        ("point", {"x": "one"}),
        ("weight", math.nan),
        ("weight", math.inf),
        ("weight", "heavy"),
        ("pair", (1, 2, 3)),
        ("many", [1]),
        ("when", "yesterday"),
    ],
)
def test_a_value_that_json_would_change_for_the_callback_is_refused(name, value):
    with pytest.raises(TypeError, match=rf"^cb_kwargs\['{name}'\] does not survive JSON: "):
        Request(URL, SHOP.typed, cb_kwargs={name: value})


def test_a_callback_given_by_name_takes_any_value_that_msgspec_encodes():
    request = kept(Request(URL, "typed", cb_kwargs={"point": Point(1), "when": NEW_YEAR}))
    assert request.cb_kwargs == {"point": {"x": 1, "y": 0.0}, "when": "2026-01-01T00:00:00Z"}


def test_annotations_that_cannot_be_resolved_are_ignored():
    class Odd(Spider):
        def parse_odd(self, response: Missing, page: AlsoMissing):  # noqa: F821
            return None

    assert Request(URL, Odd().parse_odd, cb_kwargs={"page": 3}).cb_kwargs == {"page": 3}
    with pytest.raises(TypeError, match="annotate the parameter"):
        Request(URL, Odd().parse_odd, cb_kwargs={"page": Point(1)})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


VISIBLE = st.text("".join(map(chr, range(0x21, 0x7F))), min_size=1, max_size=6)


ARGUMENTS = st.fixed_dictionaries(
    {"url": st.builds("https://u:p@site.test/{}?{}#{}".format, TEXT, TEXT, TEXT)},
    optional={
        "callback": st.sampled_from([None, "parse_item", SHOP.plain]),
        "errback": st.sampled_from([None, "failed", SHOP.failed]),
        "method": st.sampled_from(["get", "POST", "DELETE"]),
        "params": st.dictionaries(TEXT, TEXT | st.integers() | st.none(), max_size=3),
        "headers": st.lists(st.tuples(st.from_regex(r"[A-Za-z0-9-]{1,5}", fullmatch=True), VISIBLE), max_size=3),
        "body": st.binary(max_size=20) | TEXT,
        "cookies": st.dictionaries(
            st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.from_regex(r"[ -:<-~]{0,5}", fullmatch=True)
        ),
        "session": TEXT,
        "auth": st.none()
        | st.tuples(st.just("user"), st.from_regex(r"[ -~]{0,5}", fullmatch=True))
        | st.from_regex(r"[A-Za-z]+ [!-~]{1,5}", fullmatch=True),
        "proxy": st.sampled_from([None, "direct", "http://p.test", "socks5h://u:p@[::1]:1080/"]),
        "meta": st.dictionaries(TEXT, VALUES, max_size=3),
        "cb_kwargs": st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
        "priority": st.integers(1 - 2**63, 2**63 - 1),
        "dont_filter": st.booleans(),
        "ignore_robots": st.booleans(),
        "lane": st.none() | TEXT,
        "quotas": st.dictionaries(TEXT, st.integers(1, 9) | st.floats(0.1, 9), max_size=2),
        "accept_status": st.lists(st.integers(100, 999), max_size=3),
        "timeout": st.none() | st.floats(0.001, 1e6) | st.integers(1, 9),
        "attempts": st.none() | st.integers(1, 9),
        "max_body": st.none() | st.integers(1, 2**40),
        "plugins": st.dictionaries(TEXT, VALUES, max_size=2),
    },
)


@given(ARGUMENTS)
def test_a_request_survives_json_or_is_refused_with_the_name_of_the_argument(arguments):
    try:
        request = Request(**arguments)
    except (TypeError, ValueError) as error:
        assert str(error).partition("[")[0] in ("meta", "plugins", "cb_kwargs")  # noqa: PT017
        return
    kept(request)


@given(VALUES)
def test_values_that_survive_json_keep_their_types(value):
    try:
        request = Request(URL, meta={"a": value})
    except TypeError:
        return
    assert repr(Request.from_json(request.to_json()).meta) == repr({"a": value})


@given(VALUES)
def test_keyword_arguments_of_a_callback_survive_json(value):
    try:
        request = Request(URL, SHOP.plain, cb_kwargs={"other": value})
    except TypeError:
        return
    assert repr(Request.from_json(request.to_json()).cb_kwargs) == repr({"other": value})


def test_defaults_are_left_out_of_the_json():
    assert Request(URL).to_json() == b'{"url":"https://site.test/"}'


def test_a_full_request_survives_json():
    assert kept(FULL).headers.pairs == FULL.headers.pairs


def test_reading_a_mapping_does_not_add_it():
    request = Request(URL)
    assert mapping_of(request, "quotas") == {}
    assert "quotas" not in vars(request)
    request.quotas["key:A"] = 2.0
    assert mapping_of(request, "quotas") == {"key:A": 2.0}
    assert mapping_of(Request(URL, meta={"a": 1}), "meta") == {"a": 1}
