"""`LenientHTTP11Parser`: responses of HTTP/1 parsed as browsers do, for any bytes in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.transport.lenient_parser import LenientHTTP11Parser, ParseError

OK = b"HTTP/1.1 200 OK\r\n"


def read(data, *, pieces=None, has_body=True, max_headers=10_000):
    """Return the parser and the body."""
    answer = LenientHTTP11Parser(has_body=has_body, max_headers=max_headers)
    body = b""
    for piece in pieces or [data]:
        body += answer.feed(piece)
    answer.end()
    return answer, body


READ = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nok and more", b"ok"),
    "the same length twice": (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "the same length twice in a line": (OK + b"Content-Length: 2, 2\r\n\r\nok", b"ok"),
    "no length": (OK + b"\r\nok\r\nand all", b"ok\r\nand all"),
    "nothing": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n01 \r\nk\r\n0\r\nA: b\r\n\r\n", b"ok"),
    "chunks against a length": (
        OK + b"Content-Length: 1\r\ntransfer-encoding : gzip, Chunked\r\n\r\n2\nok\n0\n\n", b"ok",
    ),
    "a coding that is not of chunks": (OK + b"Transfer-Encoding: gzip\r\n\r\nok", b"ok"),
    "line ends without CR": (OK.replace(b"\r", b"") + b"Content-Length: 2\n\nok", b"ok"),
    "interim answers": (
        b"HTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\n" * 2 + OK + b"Content-Length: 2\r\n\r\nok", b"ok",
    ),
    "lower case": (b"http/1.0 200\r\n\r\nok", b"ok"),
    "no content": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", b""),
}  # fmt: skip


@each("case", READ)
@each("size", [1, 3, 1000])
def test_a_valid_response_is_read_in_pieces_of_any_size(case, size):
    data, expected = READ[case]
    answer, body = read(data, pieces=[data[place : place + size] for place in range(0, len(data), size)])
    assert body == expected
    assert answer.has_headers
    assert answer.is_complete
    assert b"103" not in answer.lines[0]


def test_lines_are_kept_as_they_are_but_for_cr():
    answer, _ = read(OK + b"rubbish\r\nA: b\rc\r\n D : e\r\n\r\n")
    assert answer.lines == [b"HTTP/1.1 200 OK", b"rubbish", b"A: b c", b" D : e"]


def test_an_answer_to_head_has_no_body():
    assert read(OK + b"Content-Length: 5\r\n\r\n", has_body=False)[1] == b""


BAD = {
    "closed": (b"", OK, OK + b"A", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "incomplete": (OK + b"Content-Length: 3\r\n\r\nok",
                   OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
                   OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\no"),
    "no_http": (b"hello\n", b"HTTP/1.1 20 OK\n", b"HTTP/1.1 2000 OK\n", b"HTTP/1.7 200 OK\n", b"\r\n",
                b"HTTP/1.1 000\n"),
    "bad_header": (OK + b"A: \0\r\n\r\n", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
                   OK + b"Content-Length: -1\r\n\r\n", OK + b"Content-Length: \r\n\r\n",
                   OK + b"Content-Length: 9999999999999999999\r\n\r\n"),
    "headers_too_large": (OK + b"A: " + b"b" * 10_000, OK + b"A: b\r\n" * 2000,
                          b"HTTP/1.1 103 Hints\r\n\r\n" * 1000,
                          OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 2000),
    "bad_chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
                  OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 17 + b"\r\n",
                  OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 20_000,
                  OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n"),
}  # fmt: skip


@each(("kind", "data"), [(kind, data) for kind, given in BAD.items() for data in given])
def test_an_invalid_response_has_a_kind_of_error(kind, data):
    with pytest.raises(ParseError) as caught:
        read(data)
    assert caught.value.kind == kind
    assert str(caught.value)


HEADS = st.sampled_from(
    [
        OK,
        b"A: b\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n",
        b"\0",
    ]
)


@given(st.lists(HEADS | st.binary(max_size=20), max_size=20), st.booleans())
def test_any_bytes_are_an_answer_or_a_bad_one_however_they_are_cut(pieces, has_body):
    def outcome(parts):
        try:
            answer, body = read(b"", pieces=parts or [b""], has_body=has_body)
        except ParseError as error:
            return error.kind
        return answer.lines, body

    whole = b"".join(pieces)
    assert outcome(pieces) == outcome([whole]) == outcome([whole[n : n + 1] for n in range(len(whole))])


def test_lines_between_chunks_have_a_limit_that_grows_with_the_chunks():
    parser = LenientHTTP11Parser(has_body=True, max_headers=1000)
    parser.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(100_000):
        assert parser.feed(b"1\r\na\r\n") == b"a"
    with pytest.raises(ParseError) as caught:
        for _ in range(1000):
            parser.feed(b"1;" + b"x" * 16_000 + b"\r\na\r\n")
    assert caught.value.kind == "endless"
