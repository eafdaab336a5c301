"""`CurlTransport` under `httpx.AsyncClient`: its usual features work as usual."""

from __future__ import annotations

import gzip

import httpx
import pytest
import trio
from support.rawserver import answers, ok

from crawler.transport.curl import CurlTransport


@pytest.fixture
async def client():
    async with httpx.AsyncClient(transport=CurlTransport()) as opened:
        yield opened


async def test_get_with_the_clients_own_headers(serve, client):
    server = await serve(
        answers(ok(gzip.compress("größer".encode()), "Content-Encoding: gzip", "Content-Type: text/plain"))
    )
    response = await client.get(server.url, params={"a": "ö"})
    assert response.text == "größer"
    assert server.head.startswith(b"GET /?a=%C3%B6 HTTP/1.1\r\n")
    assert b"User-Agent: python-httpx/" in server.head
    assert response.elapsed.total_seconds() > 0


async def test_post_form_and_json_and_files(serve, client):
    server = await serve(answers(ok()))
    await client.post(server.url, data={"a": "1"})
    await client.post(server.url, json=[1])
    await client.post(server.url, files={"f": b"content"})
    assert server.bodies[:2] == [b"a=1", b"[1]"]
    assert b"content" in server.bodies[2]


async def test_stream(serve, client):
    server = await serve(answers(ok(b"a\nb\nc\n")))
    async with client.stream("GET", server.url) as response:
        assert [line async for line in response.aiter_lines()] == ["a", "b", "c"]
    async with client.stream("GET", server.url) as response:
        assert [chunk async for chunk in response.aiter_raw(2)] == [b"a\n", b"b\n", b"c\n"]
    async with client.stream("GET", server.url) as response:
        assert response.status_code == 200  # leave without reading it


async def test_cookies_and_redirects(serve, client):
    server = await serve(
        answers(
            b"HTTP/1.1 302 Found\r\nLocation: /there\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
            ok(b"arrived"),
        )
    )
    response = await client.get(server.url, follow_redirects=True)
    assert response.text == "arrived"
    assert [step.status_code for step in response.history] == [302]
    assert server.head.startswith(b"GET /there ")
    assert b"Cookie: a=b" in server.head
    assert server.connections == 1


async def test_basic_and_digest_authentication(serve, client):
    server = await serve(answers(ok()))
    await client.get(server.url, auth=("me", "secret"))
    assert b"Authorization: Basic bWU6c2VjcmV0" in server.head
    challenge = (
        'HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nContent-Length: 0\r\n\r\n'
    )
    server = await serve(answers(challenge.encode(), ok(b"in")))
    response = await client.get(server.url, auth=httpx.DigestAuth("me", "secret"))
    assert response.text == "in"
    assert b'Authorization: Digest username="me"' in server.head


async def test_errors_are_those_of_httpx_and_carry_the_request(serve, client):
    async def hangs(peer):
        await peer.request()
        await trio.sleep_forever()

    server = await serve(hangs)
    with pytest.raises(httpx.ReadTimeout) as caught:
        await client.get(server.url, timeout=0.1)
    assert caught.value.request.url == server.url
    with pytest.raises(httpx.ConnectError):
        await client.get("http://127.0.0.1:1/")
    with pytest.raises(httpx.UnsupportedProtocol):
        await client.get("ftp://127.0.0.1/")


async def test_many_at_once_with_deadlines_and_then_healthy_ones(serve, client):
    async def slow(peer):
        while await peer.request():
            await trio.sleep(0.02)
            await peer.send(ok())

    server = await serve(slow)

    async def impatient():
        for _ in range(10):
            with trio.move_on_after(0.01):
                await client.get(server.url)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(impatient)
    for _ in range(3):
        assert (await client.get(server.url)).status_code == 200
