"""Any bytes as a page: everything that `Response` offers raises documented errors only, in linear time."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import examples

from crawler import Request, Response
from crawler.content.labels import _LABELS

URL = "https://site.test/a/b?c"

TAGS = ["a", "area", "base", "link", "iframe", "svg", "template", "table", "td", "select", "noscript", "plaintext", "b"]
WORDS = [
    "\ud800", "\x00", "é", "&#xD800;", "&amp", "<!--", "-->", "<![CDATA[", "]]>", "<?xml encoding='koi8-r'?>",
    "javascript:", "http://[", "//", "?q=é", "#", "\\", "data:,", "<meta charset=utf-16>", "<meta charset='shift_jis'>",
    "<base href=//x>", "<script>", "</p>", "{", '"', "'",
]  # fmt: skip
PIECE = (
    st.sampled_from(WORDS).map(lambda word: word.encode("utf-8", "surrogatepass"))
    | st.builds("<{} href='{}'>".format, st.sampled_from(TAGS), st.sampled_from(WORDS)).map(
        lambda tag: tag.encode("utf-8", "surrogatepass")
    )
    | st.binary(max_size=12)
)
BODIES = st.lists(PIECE, max_size=30).map(b"".join)
TYPES = st.sampled_from(
    ["text/html", "application/xhtml+xml", "text/plain", "image/png", "application/json", "text/xml", ""]
)
FIELDS = st.none() | st.text(max_size=40) | st.builds("{}; charset={}".format, TYPES, st.sampled_from(sorted(_LABELS)))
QUERIES = st.sampled_from(
    ["*", "a::attr(href)", "::text", "a ::text", "td > b, a:not([href])", "li:nth-child(2n+1)", "a[", "::x", ">", ""]
)


@given(BODIES, FIELDS, st.text(max_size=20) | st.sampled_from(WORDS), QUERIES)
def test_only_documented_errors_are_raised(body: bytes, content_type: str | None, href: str, query: str) -> None:
    response = Response(URL, 200, {} if content_type is None else {"Content-Type": content_type}, body)
    said = [response.text, response.encoding, *response.hrefs()]
    for link in response.links():
        said += link.url, link.text, link.fragment, *link.rel
    said += [request.url for request in response.follow_all()]
    for ask in (response.css, response.xpath):
        with suppress(ValueError):  # an invalid query
            said += map(str, ask(query).getall())
    with suppress(ValueError):  # not a web link
        said.append(response.urljoin(href))
        said.append(response.follow(href).url)
        said += [request.url for request in response.follow_all([href])]
    with suppress(ValueError):  # not JSON
        response.json()
    article = response.article()
    said += (
        response.markdown(),
        response.markdown(whole=True),
        article.text,
        article.markdown,
        article.html,
        repr(article),
    )
    assert msgspec.json.encode(response.data())
    "".join(said).encode()
    assert all(Request(url).url == url for url in response.hrefs())


# ---- work ------------------------------------------------------------------------------------------------------------

SMALL, TIMES = 20_000, 8
NUMBERS = itertools.count()


def ask(body: bytes, content_type: str) -> None:
    """Use everything that a crawl uses of a page."""
    response = Response(URL, 200, {"Content-Type": content_type}, body)
    response.hrefs()
    response.links()
    len(response.text)
    response.css("a::attr(href)")
    response.css("title::text, p ::text")
    sum(1 for _ in response.follow_all())


def calls(work: Callable[[], object]) -> int:
    """Return how many Python and C functions are called."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest of a few runs."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def sized(pieces: list[bytes], size: int) -> bytes:
    """Repeat the pieces up to a size, numbered, so that links differ and none is cached from another page."""
    unit = b"".join(pieces) or b"<a href=/%d>x</a>"
    units = []
    while size > 0:
        units.append(unit.replace(b"%d", b"%d" % next(NUMBERS)))
        size -= len(units[-1])
    return b"".join(units)


# No different formatting elements that are never closed (<b 1><b 2> ...): large pages of them are parsed in another way
# than small ones (tests/unit/html/test_tree.py), so their times cannot be compared.
UNITS = st.lists(
    PIECE | st.sampled_from([b"<a href=/%d>x</a>", b"<td>", b"<p>", b"<div>", b"</div>", b"<a href='?q=\xe9%d'>"]),
    min_size=1,
    max_size=4,
)
CHARSETS = st.sampled_from(["", "utf-8", "windows-1252", "shift_jis", "utf-16"])


@examples(30)
@given(UNITS, CHARSETS)
def test_a_page_that_is_eight_times_as_long_is_at_most_eight_times_the_work(pieces: list[bytes], charset: str) -> None:
    kind = f"text/html; charset={charset}"
    # Caches that earlier tests have filled may make the first small page cheap. A page that would outgrow its size is
    # read in another way from some size on: then both are larger.
    for size in (SMALL, SMALL, TIMES * SMALL):
        small, large = sized(pieces, size), sized(pieces, TIMES * size)
        few, many = calls(lambda: ask(small, kind)), calls(lambda: ask(large, kind))  # noqa: B023
        if many <= TIMES * few * 1.2 + 500:
            break
    assert many <= TIMES * few * 1.2 + 500
    # work inside C code is not counted, so it is weighed: work that grows with the square takes 64 times as long
    assert seconds(lambda: ask(large, kind)) <= 5 * TIMES * max(seconds(lambda: ask(small, kind)), 0.002)


@pytest.mark.parametrize("content_type", ["image/png", "application/pdf", "application/json", "text/plain"])
def test_a_body_that_is_not_a_page_costs_no_parsing_however_large_it_is(content_type: str) -> None:
    def ask(body: bytes) -> None:
        response = Response(URL, 200, {"Content-Type": content_type}, body)
        assert response.hrefs() == response.links() == list(response.follow_all()) == []

    body = b"\x89\0<a href=/x>"
    ask(body)  # fill the caches
    assert calls(lambda: ask(body)) == calls(lambda: ask(body * 100_000))
