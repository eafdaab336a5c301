"""Redirects and cookies over real sockets: the bytes of a response, and those of the next request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import trio
from support.rawserver import Handler, Peer, Serve, Server, ok

from crawler import Request, Settings, Spider
from crawler.testing import Collected, collect
from crawler.transport.curl import CurlTransport


class Asks(Spider):
    """Yields the final page, or the reason of the failure."""

    settings = Settings(obey_robots=False, attempts=1)
    requests: list[Any]

    def start(self):
        for request in self.requests:
            yield request.replace(errback=self.lost)

    def parse(self, response):
        yield {"url": response.url, "status": response.status, "redirects": len(response.redirects)}

    def lost(self, failure):
        yield {"reason": failure.reason}


def by_path(answers: Mapping[bytes, bytes]) -> Handler:
    """Return a handler that answers each path with bytes, and closes the connection after an incomplete response."""

    async def handler(peer: Peer) -> None:
        while head := await peer.request():
            answer = answers[head.split(b" ")[1]]
            await peer.send(answer)
            if b"Content-Length" not in answer:
                return

    return handler


def moved(*lines: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\n" + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: 0\r\n\r\n"


async def crawl_of(server: Server, *requests: Request) -> Collected:
    spider = Asks()
    spider.requests = list(requests)
    async with CurlTransport() as transport:
        with trio.fail_after(20):
            return await collect(spider, transport)


def cookies(server: Server) -> list[str | None]:
    """Return the ``Cookie`` values of all requests, in order."""
    found = []
    for head in server.heads:
        lines = head.decode("latin-1").split("\r\n")[1:]
        fields = [line[8:] for line in lines if line.lower().startswith("cookie: ")]
        assert len(fields) <= 1
        found.append(fields[0] if fields else None)
    return found


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"Location: /new", b"/new"),
        (b"location:/new", b"/new"),
        (b"LOCATION:\t /new \t", b"/new"),
        (b"Location: new?a=b#c", b"/new?a=b"),
        (b"Location: /\xc3\xbc", b"/%C3%BC"),
        (b"Location: /\xfc", b"/%C3%BC"),
        (b"Location: /\xe4\xbd\xa0?\xe5\xa5\xbd", b"/%E4%BD%A0?%E5%A5%BD"),
        (b"Location: /a b", b"/a%20b"),
        (b"Location: \\new", b"/new"),
        (b"Location: /x/../new/./", b"/new/"),
        (b"Location: /a\r\n b", b"/a%20b"),
        (b"Location: /new\r\nLocation: /new", b"/new"),
        (b"Location:\r\nLocation: /new", b"/new"),
    ],
)
async def test_the_target_of_a_redirect(serve: Serve, line: bytes, target: bytes) -> None:
    server = await serve(by_path({b"/": moved(line), target: ok()}))
    found = await crawl_of(server, Request(server.url))
    assert [head.split(b" ")[1] for head in server.heads] == [b"/", target]
    assert [(item["status"], item["redirects"]) for item in found.items] == [(200, 1)]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "status_302"),
        ([b"Location:"], "status_302"),
        ([b"Location: http://"], "bad_redirect"),
        ([b"Location: file:///etc/passwd"], "bad_redirect"),
    ],
)
async def test_redirects_without_a_valid_target(serve: Serve, lines: list[bytes], reason: str) -> None:
    server = await serve(by_path({b"/": moved(*lines)}))
    found = await crawl_of(server, Request(server.url))
    assert found.items == [{"reason": reason}]


async def test_several_places_are_none(serve: Serve) -> None:
    """Newer versions of libcurl reject such a response as another protocol."""
    server = await serve(by_path({b"/": moved(b"Location: /a", b"Location: /b")}))
    found = await crawl_of(server, Request(server.url))
    assert found.items in ([{"reason": "broken_exchange"}], [{"reason": "bad_redirect"}])
    assert len(server.heads) == 1


async def test_a_head_stays_one_and_a_body_is_sent_again_where_it_has_to_be(serve: Serve) -> None:
    again = moved(b"Location: /new").replace(b"302", b"307")
    server = await serve(by_path({b"/": moved(b"Location: /new"), b"/again": again, b"/new": ok(b"")}))
    await crawl_of(server, Request(server.url, method="HEAD"))
    await crawl_of(server, Request(server.url, method="POST", body=b"x=1"))
    await crawl_of(server, Request(server.url + "again", method="POST", body=b"x=1"))
    asked = [(head.split(b" ")[0], body) for head, body in zip(server.heads, server.bodies, strict=True)]
    assert asked == [
        *[(b"HEAD", b""), (b"HEAD", b"")],
        *[(b"POST", b"x=1"), (b"GET", b"")],
        *[(b"POST", b"x=1"), (b"POST", b"x=1")],
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "broken_exchange"),
        (b"HTTP/1.1 404 No\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n", "status_404"),
        (moved(b"Set-Cookie: a=1", b"Location: javascript:x"), "bad_redirect"),
    ],
)
async def test_cookies_are_kept_whatever_becomes_of_the_answer(serve: Serve, answer: bytes, reason: str) -> None:
    server = await serve(by_path({b"/": answer, b"/next": ok()}))

    class Twice(Asks):
        def lost(self, failure):
            yield {"reason": failure.reason}
            yield Request(server.url + "next")

    spider = Twice()
    spider.requests = [Request(server.url)]
    async with CurlTransport() as transport:
        found = await collect(spider, transport)
    assert found.items[0] == {"reason": reason}
    assert cookies(server) == [None, "a=1"]


async def test_cookies_are_sent_as_the_bytes_that_came_in_one_field(serve: Serve) -> None:
    first = moved(
        b"Set-Cookie: u=\xc3\xa9; Path=/", b'set-cookie:b="x y"', b"SET-COOKIE: c=1, d=2", b"Set-Cookie: a=\x01",
        b"Set-Cookie: s=1; Secure", b"Set-Cookie: __Host-h=1; Path=/", b"Location: /next",
    )  # fmt: skip
    server = await serve(by_path({b"/": first, b"/next": ok()}))
    await crawl_of(server, Request(server.url))
    assert cookies(server) == [None, 'u=\u00c3\u00a9; b="x y"; c=1, d=2']


async def test_ports_share_cookies_and_nothing_given_by_hand(serve: Serve) -> None:
    other = await serve(by_path({b"/": ok()}))
    there = f"Location: {other.url}".encode()
    server = await serve(by_path({b"/": moved(there, b"Set-Cookie: a=1")}))
    given = Request(server.url, auth=("u", "p"), cookies={"c": "1"}, headers={"X-Api-Key": "k", "DNT": "1"})
    await crawl_of(server, given)
    assert (cookies(server), cookies(other)) == (["c=1"], ["a=1"])
    [first], [second] = server.heads, other.heads
    assert b"Authorization: Basic" in first
    assert b"X-Api-Key: k" in first
    assert b"DNT: 1" in second
    assert b"authorization" not in second.lower()
    assert b"x-api-key" not in second.lower()
