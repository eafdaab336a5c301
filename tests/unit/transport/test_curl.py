"""`CurlTransport`: the bytes of requests, the responses, and the use of connections."""

from __future__ import annotations

import gzip
import random
import zlib

import httpx
import pytest
import trio
from support.rawserver import answers, get, ok, until

from crawler import urls
from crawler.transport.curl import CurlTransport
from crawler.transport.inspection import Inspection
from crawler.transport.wire import EXTENSION, LeanRequest, WireOptions, failure_of


def telling(sent):
    """Return extensions for a request that appends 1 to a list when it is sent."""
    return {EXTENSION: WireOptions(on_sent=lambda _at: sent.append(1))}


async def test_the_request_keeps_the_order_and_the_case_of_its_headers_and_nothing_is_added(serve, transport):
    server = await serve(answers(ok()))
    headers = [("X-One", "1"), ("user-AGENT", "me"), ("X-Empty", ""), ("Accept-Encoding", "gzip"), ("x-one", "2")]
    await get(transport, server.url + "a%20b?q=%C3%A9&r=../x#fragment", headers=headers)
    assert server.head.decode().split("\r\n") == [
        "GET /a%20b?q=%C3%A9&r=../x HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "X-One: 1",
        "user-AGENT: me",
        "X-Empty:",
        "Accept-Encoding: gzip",
        "x-one: 2",
    ]


async def test_a_request_without_accept_encoding_accepts_all_codings(serve, transport):
    server = await serve(answers(ok()))
    await get(transport, server.url)
    assert b"\r\nAccept-Encoding: gzip, deflate, br, zstd" in server.head


async def test_dots_and_user_and_fragment_of_a_url_go_out_as_a_browser_sends_them(serve, transport):
    server = await serve(answers(ok()))
    await get(transport, f"http://user:secret@127.0.0.1:{server.port}/a/%2E%2E/b#c")
    assert server.head.startswith(b"GET /a/%2E%2E/b HTTP/1.1\r\n")
    assert b"uthorization" not in server.head


TAILS = [
    "/%c3%a9", "/%C3%a9?q=%c3%A9", "/%2f%2E/x", "/a%", "/a%4", "/%%c3", "/%zz", "/a|b^c`d{e}", "/?a'b|c^d`e{f}\\g",
    "/[x]?[y]", "/a;b=c,d@e:f!$&'()*+", "//a//b", "/?", "/a?b?c", "/%00", "/é?é", "/?a/../b/./c", "/%7e/%41",
]  # fmt: skip


async def test_path_and_query_go_out_as_they_are_written(serve, transport):
    """Percent-encoded bytes keep the case of their digits: to a server, %c3 and %C3 may be different pages."""
    server = await serve(answers(ok()))
    origin, chance = f"http://127.0.0.1:{server.port}", random.Random(0)
    tails = TAILS + ["/" + "".join(chance.choices("%%%acdefACDEF0129/.?;=é", k=12)) for _ in range(300)]
    addresses = [urls.normalize(origin + tail) for tail in tails]
    for address in addresses:
        request = LeanRequest("GET", address, [(b"Host", b"site.test")], b"", {})
        await (await transport.handle_async_request(request)).aread()
        await get(transport, address)
    sent = [head.split(b" ")[1].decode() for head in server.heads]
    assert sent == [address.removeprefix(origin) for address in addresses for _ in range(2)]
    assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_any_method_with_nothing_to_send(serve, transport, method):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    response = await get(transport, server.url, method=method)
    await get(transport, server.url)  # the same handle, without the earlier method
    assert response.status_code == 200
    assert [head.split()[0].decode() for head in server.heads] == [method, "GET"]
    lengths = [line for line in server.heads[0].split(b"\r\n") if line.lower().startswith(b"content-length")]
    assert lengths == ([b"Content-Length: 0"] if method in {"POST", "PUT", "PATCH"} else [])
    assert b"ontent" not in server.heads[1]
    assert server.connections == 1


async def test_a_head_request_has_an_answer_without_a_body_and_its_headers_are_kept(serve, transport):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    response = await get(transport, server.url, method="HEAD")
    assert response.headers["content-length"] == "1000"
    assert response.content == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_a_body_is_sent_once_and_whole(serve, transport, method):
    server = await serve(answers(ok()))
    await get(transport, server.url, method=method, json={"a": 1})
    assert server.head.split()[0].decode() == method
    assert b"Content-Type: application/json" in server.head
    assert server.head.count(b"ontent-Length") == 1
    assert b"Expect" not in server.head
    assert server.bodies == [b'{"a":1}']


async def test_no_content_type_is_made_up(serve, transport):
    server = await serve(answers(ok()))
    await get(transport, server.url, method="POST", content=b"x")
    assert b"ontent-Type" not in server.head


async def test_a_large_body_goes_out_without_asking_first(serve, transport):
    body = bytes(range(256)) * 20_000
    server = await serve(answers(ok()))
    await get(transport, server.url, method="POST", content=body)
    assert server.bodies == [body]
    assert b"Expect" not in server.head


async def test_a_streamed_body_is_sent_in_chunks_as_its_header_says(serve, transport):
    async def body():  # noqa: ASYNC124
        yield b"one"
        yield b"two"

    received = []

    async def handler(peer):
        while b"\r\n0\r\n\r\n" not in peer.received:
            await peer.receive()
        received.append(peer.received)
        await peer.send(ok())

    server = await serve(handler)
    await get(transport, server.url, method="POST", content=body())
    head, _, sent = received[0].partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert sent == b"6\r\nonetwo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (httpx.Request("GET", "http://h/", headers={"a": "b\r\nc: d"}), "a line break in the header b'a'"),
        (httpx.Request("GET", "http://h/", headers={"a b": "c"}), "not the name of a header: b'a b'"),
        (httpx.Request("A B", "http://h/"), "not a method: 'A B'"),
        (httpx.Request("HEAD", "http://h/", content=b"x"), "a HEAD request with a body"),
        (httpx.Request("GET", "http://h/", headers={"content-length": "3"}), "a Content-Length of b'3'"),
        (httpx.Request("GET", "http://a b/"), "Bad hostname"),
    ],
)
async def test_an_invalid_request_is_not_sent(request_, words):
    class Anywhere:
        async def resolve(self, host, port):  # noqa: ASYNC124
            return ("127.0.0.1",)

    async with CurlTransport(resolver=Anywhere()) as transport:
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await transport.handle_async_request(request_)
        assert transport.statistics().transfers == 0
    assert words in str(caught.value)
    assert caught.value.request is request_
    assert failure_of(caught.value).sent is False


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "http:///x", "/x"])
async def test_only_http_and_https_are_spoken(transport, url):
    with pytest.raises(httpx.UnsupportedProtocol) as caught:
        await transport.handle_async_request(httpx.Request("GET", url))
    assert failure_of(caught.value).sent is False


async def test_the_response_says_all_that_was_received(serve, transport):
    answer = ok(b"hello", "X-A: 1", "x-a:2 ", "Set-Cookie: b=c")
    server = await serve(answers(answer))
    request = httpx.Request("GET", server.url)
    response = await transport.handle_async_request(request)
    assert await response.aread() == b"hello"
    assert response.request is request
    assert (response.status_code, response.http_version, response.reason_phrase) == (200, "HTTP/1.1", "OK")
    assert response.extensions["primary_ip"] == "127.0.0.1"
    assert response.extensions["wire_headers"] == [
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"Set-Cookie", b"b=c"),
        (b"Content-Length", b"5"),
    ]
    assert response.headers.get_list("x-a") == ["1", "2"]
    assert response.headers["content-length"] == "5"


async def test_connections_are_kept_and_used_again(serve, transport):
    server = await serve(answers(ok()))
    for _ in range(20):
        assert (await get(transport, server.url)).content == b"ok"
    assert server.connections == 1
    assert transport.statistics().idle_handles == 1


async def test_requests_at_the_same_time_have_a_connection_each_and_do_not_wait_for_one_another(serve, transport):
    arrived = 0
    everybody = trio.Event()

    async def handler(peer):
        nonlocal arrived
        while await peer.request():
            arrived += 1
            if arrived == 8:
                everybody.set()
            await everybody.wait()
            await peer.send(ok())

    server = await serve(handler)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(get, transport, server.url)
    assert server.connections == 8


async def test_a_kept_connection_that_was_closed_is_replaced(serve, transport):
    server = await serve(answers(ok(), then_close=True))
    for _ in range(5):
        assert (await get(transport, server.url)).content == b"ok"
        await trio.sleep(0.01)
    assert server.connections == 5


async def test_a_request_whose_kept_connection_dies_without_an_answer_is_sent_again_body_and_all(serve, transport):
    sent = []

    async def handler(peer):
        await peer.request()
        await peer.send(ok())
        await peer.request()  # without a response

    server = await serve(handler)
    await get(transport, server.url)
    request = httpx.Request("PUT", server.url, content=b"once more", extensions=telling(sent))
    response = await transport.handle_async_request(request)
    assert await response.aread() == b"ok"
    assert server.bodies == [b"", b"once more", b"once more"]
    assert server.connections == 2
    assert sent == [1, 1]  # each time is counted


def noisy(noise):
    """A server that sends bytes after the end of its first response, but only once the next request is there."""

    async def handler(peer):
        await peer.request()
        await peer.send(ok())
        if await peer.request():
            await peer.send(noise)

    return handler


@pytest.mark.parametrize("noise", [b"x" * 20_000, b"<p>not for you\r\n"])
async def test_bytes_after_the_last_response_of_a_kept_connection_are_not_the_next_response(serve, transport, noise):
    server = await serve(noisy(noise))
    sent = []
    assert (await get(transport, server.url)).content == b"ok"
    assert (await get(transport, server.url, extensions=telling(sent))).content == b"ok"
    assert server.connections == 2
    assert sent == [1, 1]


async def test_a_request_that_is_not_idempotent_fails_at_such_bytes_without_being_repeated(serve, transport):
    server = await serve(noisy(b"x" * 20_000))
    await get(transport, server.url)
    with pytest.raises(httpx.RemoteProtocolError, match="bytes after the end of its last response") as caught:
        await get(transport, server.url, method="POST", content=b"only once")
    assert failure_of(caught.value).is_stale
    assert server.bodies.count(b"only once") == 1


async def test_a_new_connection_that_does_not_speak_http_is_not_tried_again(serve, transport):
    server = await serve(answers(b"x" * 20_000))
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await get(transport, server.url)
    assert failure_of(caught.value).kind == "no_http"
    assert server.connections == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("kept", [1, 12])
async def test_a_request_that_is_not_idempotent_is_never_sent_twice(serve, transport, method, kept):
    server = await keeps(serve, transport, kept)
    sent = []
    request = httpx.Request(method, server.url, content=b"only once", extensions=telling(sent))
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await transport.handle_async_request(request)
    assert failure_of(caught.value).is_stale
    assert server.bodies.count(b"only once") == 1
    assert sent == [1]


async def test_a_post_with_an_idempotency_key_is_sent_again(serve, transport):
    server = await keeps(serve, transport, 1)
    fields = {"Idempotency-Key": "8e03978e"}
    response = await get(transport, server.url, method="POST", headers=fields, content=b"once more")
    assert response.content == b"ok"
    assert server.bodies.count(b"once more") == 2


async def keeps(serve, transport, count):
    """A server of which this many connections are kept, each of them closed when it is used again."""
    met, everybody = 0, trio.Event()

    async def handler(peer):
        nonlocal met
        await peer.request()
        met += 1
        if met == count:
            everybody.set()
        await everybody.wait()
        await peer.send(ok())
        await peer.request()  # without a response

    server = await serve(handler)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(get, transport, server.url)
    assert server.connections == count
    return server


async def test_no_response_is_lost_if_a_server_has_closed_all_kept_connections(serve, transport):
    """libcurl tries some of them and gives up; then the transport opens a new one."""
    server = await keeps(serve, transport, 12)
    sent = []
    extensions = telling(sent)
    request = httpx.Request("PUT", server.url, content=b"once more", extensions=extensions)
    response = await transport.handle_async_request(request)
    assert await response.aread() == b"ok"
    assert server.connections == 13
    assert set(server.bodies[12:]) == {b"once more"}
    assert sent == [1] * len(server.bodies[12:])


async def test_after_a_stale_connection_a_request_that_must_not_be_resent_takes_a_new_one(serve, transport):
    server = await keeps(serve, transport, 3)
    request = httpx.Request("GET", server.url, extensions={EXTENSION: WireOptions(resend=False)})
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await transport.handle_async_request(request)
    assert failure_of(caught.value).is_stale
    assert len(server.heads) == 4
    assert await (await transport.handle_async_request(request)).aread() == b"ok"
    assert len(server.heads) == 5


CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda _: b"\x0b\x02\x80hello\x03",
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_coded_body_is_decoded_once(serve, transport, coding):
    body = CODINGS[coding](b"hello")
    server = await serve(answers(ok(body, f"Content-Encoding: {coding}")))
    response = await get(transport, server.url)
    assert response.content == b"hello"
    assert "content-encoding" not in response.headers
    assert "content-length" not in response.headers
    assert (b"Content-Encoding", coding.encode()) in response.extensions["wire_headers"]


@pytest.mark.parametrize("accepted", ["identity", "gzip, zstd, rot13"])
async def test_a_body_is_decoded_whatever_the_request_accepts(serve, transport, accepted):
    server = await serve(answers(ok(gzip.compress(b"hello"), "Content-Encoding: gzip")))
    assert (await get(transport, server.url, headers={"Accept-Encoding": accepted})).content == b"hello"
    assert f"\r\nAccept-Encoding: {accepted}" in server.head.decode()


async def test_a_request_that_accepts_gzip_itself_is_decoded_too(serve, transport):
    server = await serve(answers(ok(gzip.compress(b"hello"), "Content-Encoding: gzip")))
    response = await transport.handle_async_request(
        httpx.Request("GET", server.url, headers={"Accept-Encoding": "gzip, deflate;q=0.5"})
    )
    assert [chunk async for chunk in response.stream] == [b"hello"]


async def test_ipv6_and_localhost(serve, transport):
    server = await serve(answers(ok()), host="::1")
    response = await get(transport, f"http://[::1]:{server.port}/")
    assert response.extensions["primary_ip"] == "::1"
    assert f"Host: [::1]:{server.port}".encode() in server.head
    server = await serve(answers(ok()))
    assert (await get(transport, f"http://localhost:{server.port}/")).content == b"ok"


async def test_on_sent_is_called_when_the_request_goes_out_and_not_before(serve, transport):
    sent = []
    server = await serve(answers(ok()))
    extensions = {EXTENSION: WireOptions(on_sent=lambda _at: sent.append(len(server.heads)))}
    await get(transport, server.url, extensions=extensions)
    assert sent == [0]
    with pytest.raises(httpx.ConnectError):
        await get(transport, "http://127.0.0.1:1/", extensions=extensions)
    assert sent == [0]


async def test_an_error_in_on_sent_is_raised_and_nothing_is_sent(serve, transport):
    def refuse(_at):
        raise LookupError("no")

    server = await serve(answers(ok()))
    with pytest.raises(LookupError):
        await get(transport, server.url, extensions={EXTENSION: WireOptions(on_sent=refuse)})
    assert server.heads == []
    assert (await get(transport, server.url)).content == b"ok"


@pytest.mark.parametrize(
    ("lines", "options", "comes_early"),
    [
        ([], {}, True),
        ([], {"max_body": 1000}, False),
        (["Set-Cookie: a=1"], {"max_body": 1000}, True),
    ],
)
async def test_a_small_body_comes_with_its_response_unless_there_are_cookies(
    serve, transport, lines, options, comes_early
):
    goes_on = trio.Event()

    async def handler(peer):
        await peer.request()
        head, _, body = ok(b"small", *lines).partition(b"\r\n\r\n")
        await peer.send(head + b"\r\n\r\n" + body[:2])
        await goes_on.wait()
        await peer.send(body[2:])

    server = await serve(handler)
    request = LeanRequest("GET", server.url, [], b"", {EXTENSION: WireOptions(**options)})
    with trio.move_on_after(0.1) as scope:
        response = await transport.exchange(request)
        assert response.headers_at <= trio.current_time()
    assert scope.cancelled_caught is not comes_early
    goes_on.set()
    if comes_early:
        assert b"".join([chunk async for chunk in response.stream]) == b"small"
        await response.aclose()
    else:
        response = await transport.exchange(request)
        assert transport.statistics().transfers == 0
        assert b"".join([chunk async for chunk in response.stream]) == b"small"


async def test_a_large_body_comes_in_pieces_and_waits_for_its_reader(serve, transport):
    read = trio.Event()
    body = random.Random(1).randbytes(3 * 1024 * 1024)

    async def handler(peer):
        await peer.request()
        whole = ok(body)
        await peer.send(whole[:-1_500_000])
        await read.wait()
        await peer.send(whole[-1_500_000:])

    server = await serve(handler)
    request = LeanRequest("GET", server.url, [], b"", {EXTENSION: WireOptions(max_body=32 * 1024 * 1024)})
    response = await transport.exchange(request)  # although the server has not sent all of it
    assert response.take_body() is None
    await until(lambda: response.is_paused)
    transfers = transport._driver._transfers
    assert (
        Inspection.connections(transfers) == Inspection.connections(transfers) == []
    )  # unread bytes are no framing without end
    pieces = [await anext(response.stream)]
    assert 512 * 1024 < len(pieces[0]) < 600_000
    read.set()
    pieces += [piece async for piece in response.stream]
    assert b"".join(pieces) == body


async def test_a_body_that_breaks_off_leaves_the_headers_of_its_response(serve, transport):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 9\r\n\r\nbegun", then_close=True))
    request = LeanRequest("GET", server.url, [], b"", {EXTENSION: WireOptions(max_body=1000)})
    response = await transport.exchange(request)
    assert response.headers["x"] == "y"
    assert await anext(response.stream) == b"begun"
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await anext(response.stream)
    assert failure_of(caught.value).kind == "incomplete"


async def test_a_deadline_that_has_passed_ends_the_request_at_once(serve, transport):
    async def slow(peer):
        while await peer.request():
            await trio.sleep(0.05)  # libcurl waits for a millisecond at least
            await peer.send(ok())

    server = await serve(slow)
    for complete_by in (trio.current_time() - 5, trio.current_time()):
        options = {EXTENSION: WireOptions(complete_by=complete_by)}
        with pytest.raises(httpx.ReadTimeout, match="by its deadline") as caught:
            await get(transport, server.url, extensions=options)
        assert failure_of(caught.value).kind == "deadline"
    far = {EXTENSION: WireOptions(complete_by=trio.current_time() + 1e12)}
    assert (await get(transport, server.url, extensions=far)).content == b"ok"
    assert (await get(transport, server.url)).content == b"ok", "the deadline does not stay with the handle"
