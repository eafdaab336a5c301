"""`Headers`: order and spelling are kept, names are compared case-insensitively."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.headers import Headers

FIELDS = st.lists(
    st.tuples(st.sampled_from(["A", "a", "X-Y", "x-y", "Set-Cookie", "b"]), st.text("abc,; ", max_size=5)), max_size=8
)


def test_names_are_case_insensitive():
    headers = Headers({"Content-Type": "text/html"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == headers.get("Content-type") == "text/html"
    assert "CONTENT-type" in headers
    assert "content" not in headers
    assert 5 not in headers
    assert headers.get("etag") is None
    with pytest.raises(KeyError):
        headers["etag"]


def test_lines_keep_their_order_and_spelling():
    pairs = (("B", "1"), ("a", "2"), ("b", "3"))
    assert Headers(pairs).pairs == pairs
    assert list(Headers(pairs)) == ["b", "a"]


def test_repeated_lines_are_joined_as_in_rfc_9110():
    headers = Headers([("Accept", "a"), ("X", "y"), ("accept", "b, c")])
    assert headers["accept"] == "a, b, c"
    assert headers.get_list("ACCEPT") == ["a", "b, c"]
    assert headers.get_list("nothing") == []
    assert len(headers) == 2


def test_set_cookie_lines_are_kept_separate():
    headers = Headers([("Set-Cookie", "a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT"), ("Set-Cookie", "b=2")])
    assert headers.get_list("set-cookie") == ["a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT", "b=2"]


def test_headers_are_a_mapping_with_lower_case_names():
    headers = Headers({"A": "1", "B": "2"})
    assert isinstance(headers, Mapping)
    assert dict(headers) == {"a": "1", "b": "2"}


def test_headers_with_the_same_fields_are_equal():
    assert Headers({"A": "1"}) == Headers({"a": "1"}) == {"A": "1"}
    assert Headers({"A": "1"}) != Headers({"A": "2"})
    assert Headers() == {}
    assert Headers() != 5


def test_headers_are_immutable():
    headers = Headers({"A": "1"})
    with pytest.raises(TypeError):
        headers["A"] = "2"  # type: ignore[index]
    with pytest.raises(AttributeError):
        headers.pairs = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        headers.other = ()


def test_headers_can_be_made_from_headers():
    headers = Headers([("a", "1"), ("A", "2")])
    assert Headers(headers).pairs == headers.pairs


def test_headers_copy_their_argument():
    given_ = [("a", "1")]
    headers = Headers(given_)
    given_.append(("b", "2"))
    assert dict(headers) == {"a": "1"}


@given(FIELDS)
def test_every_value_is_in_the_joined_field(pairs):
    headers = Headers(pairs)
    for name, value in pairs:
        assert value in headers[name]
        assert headers[name] == ", ".join(headers.get_list(name))
    assert sum(len(headers.get_list(name)) for name in headers) == len(pairs)


@given(FIELDS, FIELDS)
def test_equal_headers_have_equal_hashes(one, other):
    if Headers(one) == Headers(other):
        assert hash(Headers(one)) == hash(Headers(other))
    swapped = Headers([(name.swapcase(), value) for name, value in one])
    assert Headers(one) == swapped
    assert hash(Headers(one)) == hash(swapped)


def test_repr_shows_the_fields():
    assert repr(Headers({"A": "1"})) == "Headers({'a': '1'})"


def test_lines_as_received_are_read_as_browsers_read_them():
    lines = [
        b" before all\r\n", b"A: b\r\n", b"\t c \r\n", b"  d\r\n", b"no field\r\n", b": x\r\n",
        b"E:f\n", b"Sp ace \t:\t\xe4:\xa0 \r\n", b"Empty:\r\n",
    ]  # fmt: skip
    headers = Headers.from_lines(lines)
    assert headers.pairs == (("A", "b c d"), ("E", "f"), ("Sp ace", "ä:\xa0"), ("Empty", ""))
    assert headers.encode() == [(b"A", b"b c d"), (b"E", b"f"), (b"Sp ace", b"\xe4:\xa0"), (b"Empty", b"")]
    assert Headers.from_lines([]) == {}
