"""The header fields of requests, byte by byte: names, order and replacements."""

from __future__ import annotations

import gzip
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.rawserver import Serve, answers, ok, start

from crawler import Produced, Request, Response, Settings, Spider, crawl
from crawler.fetch.downloader import DEFAULT_ACCEPT
from crawler.settings.headers import merged
from crawler.testing import FakeSite, collect
from crawler.transport.decoding import ACCEPTED

AGENT = "User-Agent: me/1"
USUAL = [AGENT, f"Accept: {DEFAULT_ACCEPT}", f"Accept-Encoding: {ACCEPTED}"]


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    return partial(start, nursery)


class Once(Spider):
    """Makes one request with the given arguments."""

    url: str = ""
    more: dict[str, Any] = {}

    def start(self) -> Produced:
        return [Request(self.url, **self.more)]

    def parse(self, response: Response) -> Produced:
        return {"body": response.body}


async def sent(serve: Serve, settings: Settings | None = None, answer: bytes = b"", **more: Any) -> list[str]:
    """Return the header lines of a request after ``Host``."""
    server = await serve(answers(answer or ok()))
    given = Settings(obey_robots=False, user_agent="me/1", proxy_env=False) | (settings or Settings())
    report = await crawl(Once(url=server.url, more=more), settings=given)
    assert report.pages == 1
    line, host, *rest = server.head.decode("ascii").split("\r\n")
    assert line == f"{more.get('method', 'GET')} / HTTP/1.1"
    assert host == f"Host: 127.0.0.1:{server.port}"
    return rest


async def test_default_header_fields(serve: Serve) -> None:
    assert await sent(serve) == USUAL
    codings = ACCEPTED.split(", ")
    assert codings[:2] == ["gzip", "deflate"]


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        ({"X-B": "1", "x-a": "2"}, [*USUAL, "X-B: 1", "x-a: 2"]),
        ([("X-A", "1"), ("X-B", "2"), ("x-a", "3")], [*USUAL, "X-A: 1", "X-B: 2", "x-a: 3"]),
        ({"ACCEPT": "*/*"}, [USUAL[0], USUAL[2], "ACCEPT: */*"]),
        ({"Accept": None}, [USUAL[0], USUAL[2]]),
        ({"accept": ""}, [USUAL[0], USUAL[2]]),
        ({"Accept-Encoding": None}, USUAL[:2]),
        ({"Accept-Encoding": "gzip"}, [*USUAL[:2], "Accept-Encoding: gzip"]),
        ({"User-Agent": "other/2"}, [*USUAL[1:], "User-Agent: other/2"]),
        ({"User-Agent": "", "Accept": "", "Accept-Encoding": ""}, []),
        (
            {"accept-encoding": "br", "Accept": "a/b", "X-Between": "1", "User-Agent": "z/9"},
            ["accept-encoding: br", "Accept: a/b", "X-Between: 1", "User-Agent: z/9"],
        ),
        ({"X-Empty": "", "X-Padded": " a\t"}, [*USUAL, "X-Padded: a"]),
    ],
    ids=str,
)
async def test_header_fields_of_a_request_replace_defaults_and_keep_their_order(
    serve: Serve, headers: Any, lines: list[str]
) -> None:
    assert await sent(serve, headers=headers) == lines


async def test_header_fields_of_the_settings_come_before_those_of_the_request(serve: Serve) -> None:
    settings = Settings(headers={"Accept-Language": "de", "DNT": "1"})
    assert await sent(serve, settings) == [*USUAL, "Accept-Language: de", "DNT: 1"]
    lines = await sent(serve, settings, headers={"accept-language": "en", "X-A": "b"})
    assert lines == [*USUAL, "DNT: 1", "accept-language: en", "X-A: b"]
    assert await sent(serve, settings, headers={"DNT": None}) == [*USUAL, "Accept-Language: de"]
    assert await sent(serve, Settings(headers={"Accept": None})) == [USUAL[0], USUAL[2]]
    fewer = await sent(serve, Settings(headers={"Accept": None}), headers={"Accept": "a/b"})
    assert fewer == [USUAL[0], USUAL[2], "Accept: a/b"]


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": None}, {"Accept-Encoding": "gzip"}], ids=str)
async def test_a_compressed_body_is_decoded_whether_requested_or_not(
    serve: Serve, headers: dict[str, str | None]
) -> None:
    server = await serve(answers(ok(gzip.compress(b"page"), "Content-Encoding: gzip")))
    bodies = []

    class Bodies(Once):
        def parse(self, response: Response) -> Produced:
            bodies.append(response.body)
            return None

    spider = Bodies(url=server.url, more={"headers": headers})
    await crawl(spider, settings=Settings(obey_robots=False, proxy_env=False))
    assert bodies == [b"page"]


async def test_a_body_sets_its_type_and_length(serve: Serve) -> None:
    lines = await sent(serve, method="POST", json=[1], headers={"X-A": "b"})
    assert sorted(lines) == sorted([*USUAL, "X-A: b", "Content-Type: application/json", "Content-Length: 3"])
    assert not any("ontent-Type" in line for line in await sent(serve, method="POST", body="x"))


async def test_a_cookie_field_set_by_hand_replaces_that_of_the_session(serve: Serve) -> None:
    assert await sent(serve, cookies={"a": "b"}) == [*USUAL, "Cookie: a=b"]
    assert await sent(serve, cookies={"a": "b"}, headers={"Cookie": "c=d"}) == [*USUAL, "Cookie: c=d"]


async def test_accept_encoding_of_libcurl_is_not_sent_by_other_transports() -> None:
    site = FakeSite({"/": "x"})
    await collect(Once(url="https://site.test/"), site, settings=Settings(headers={"DNT": "1"}))
    fields = site.visits("/")[0].headers
    assert (fields.get("accept-encoding"), fields["accept"], fields["dnt"]) == (None, DEFAULT_ACCEPT, "1")


@pytest.mark.parametrize("bad", ["a\r\nEvil: 1", "a\nb", "a\rb", "a\0b", "\x7f"])
def test_a_header_field_with_a_line_break_is_rejected(bad: str) -> None:
    for headers in ({"X-A": bad}, {bad: "a"}):
        with pytest.raises(ValueError, match="^headers: not a "):
            Request("https://site.test/", headers=headers)


@given(
    st.dictionaries(st.sampled_from(["A", "B", "C"]), st.sampled_from(["1", ""]), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b", "D"]), st.sampled_from(["2", ""]), max_size=3),
)
def test_merged_header_fields_keep_their_places(base: dict[str, str], over: dict[str, str]) -> None:
    both = merged(base, over)
    lowered = [name.lower() for name in both]
    assert len(set(lowered)) == len(lowered)
    assert lowered[: len(base)] == [name.lower() for name in base]
    assert {name: both[name] for name in over} == over
