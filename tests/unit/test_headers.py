"""`Headers`: order and spelling are kept, names are compared case-insensitively."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import headers as headers_module
from crawler.headers import Headers, ReceivedHeaders

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


PAGE = [
    b"Server: nginx\r\n", b"Content-Type: text/html; charset=utf-8\r\n", b"Content-Length:12\r\n",
    b'ETag:\t "\xe4" \r\n', b"Empty:\r\n",
]  # fmt: skip
ODD = {
    "repeated": [b"Set-Cookie: a=1\r\n", b"A: b\r\n", b"set-cookie: b=2\r\n"],
    "folded": [b"A: b\r\n", b" c: d\r\n"],
    "folded by a tab": [b"A: b\r\n", b"\tc\r\n"],
    "without a colon": [b"A: b\r\n", b"c\r\n"],
    "without a name": [b": b\r\n", b"C: d\r\n"],
    "space before the colon": [b"A : b\r\n"],
    "nothing": [],
}


def says(headers: Headers, lines: list[bytes]) -> None:
    """Check that headers say what `Headers.from_lines` says."""
    expected = Headers.from_lines(lines)
    names = {*expected, *(name.upper() for name in expected), "content-type", "missing", ""}
    assert {name: headers.get(name, "no") for name in names} == {name: expected.get(name, "no") for name in names}
    assert {name for name in names if name in headers} == {name for name in names if name in expected}
    assert headers.names == expected.names == tuple(name.lower() for name, _ in expected.pairs)
    assert (headers.pairs, dict(headers), len(headers)) == (expected.pairs, dict(expected), len(expected))
    assert headers == expected
    assert hash(headers) == hash(expected)
    assert headers.get_list("Set-Cookie") == expected.get_list("Set-Cookie")
    assert headers.encode() == expected.encode()


@pytest.mark.parametrize("lines", [PAGE, *ODD.values()], ids=["page", *ODD])
def test_received_headers_equal_headers(lines):
    says(ReceivedHeaders(list(lines)), lines)


field = st.sampled_from([b"A", b"a", b"Bc", b"Set-Cookie", b"X y ", b" d", b"\te", b"", b"\xc4"])
line = st.builds(
    lambda name, colon, value: name + colon + value + b"\r\n",
    field, st.sampled_from([b":", b""]), st.sampled_from([b"", b" 1", b"\t2 ", b": 3", b"\xe4"]),
)  # fmt: skip


@given(st.lists(line, max_size=6))
def test_received_headers_equal_headers_for_any_lines(lines):
    says(ReceivedHeaders(list(lines)), lines)


def test_a_field_is_looked_up_without_the_others():
    headers = ReceivedHeaders(PAGE)
    assert headers["content-LENGTH"] == "12"
    assert "etag" in headers
    assert headers._pairs is None
    with pytest.raises(KeyError):
        headers["missing"]
    assert 5 not in headers


def test_received_headers_are_immutable():
    headers = ReceivedHeaders(PAGE)
    for name in ("pairs", "names", "other"):
        with pytest.raises(AttributeError):
            setattr(headers, name, ())


def test_a_copy_is_made_of_them():
    assert Headers(ReceivedHeaders(PAGE)).pairs == Headers.from_lines(PAGE).pairs


def test_the_memory_of_names_is_bounded(monkeypatch):
    monkeypatch.setattr(headers_module, "_layouts", {})
    monkeypatch.setattr(headers_module, "MAX_LAYOUTS", 3)
    for number in range(10):
        assert f"a{number}" in ReceivedHeaders([b"A%d: b\r\n" % number])
        assert 0 < len(headers_module._layouts) <= 3
    headers_module._layouts.clear()
    assert "b" * 5000 in ReceivedHeaders([b"b" * 5000 + b": c\r\n"])
    assert not headers_module._layouts
