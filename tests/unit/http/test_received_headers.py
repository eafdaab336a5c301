"""`ReceivedHeaders` says of header lines what `Headers` says, without decoding those that nobody asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.headers import Headers
from crawler.http import received_headers
from crawler.http.received_headers import ReceivedHeaders

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
    monkeypatch.setattr(received_headers, "_layouts", {})
    monkeypatch.setattr(received_headers, "MAX_LAYOUTS", 3)
    for number in range(10):
        assert f"a{number}" in ReceivedHeaders([b"A%d: b\r\n" % number])
        assert 0 < len(received_headers._layouts) <= 3
    received_headers._layouts.clear()
    assert "b" * 5000 in ReceivedHeaders([b"b" * 5000 + b": c\r\n"])
    assert not received_headers._layouts
