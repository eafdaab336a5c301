"""The governed client over libcurl, on loopback, in real time."""

from __future__ import annotations

import httpx
import pytest
import trio
from support.proxies import http_proxy, socks_proxy
from support.rawserver import answers, ok

from crawler import ConfigError, client
from crawler.transport.wire import EXTENSION, WireOptions


def is_idle(http) -> bool:
    return all(not throttle.busy and not throttle.inflight for throttle in http.limits.throttles.values())


async def test_a_window_is_kept(serve):
    used = 0

    async def limited(peer) -> None:
        nonlocal used
        while await peer.request():
            used += 1
            left = max(0, 10 - used)
            fields = ("RateLimit-Policy: 10;w=1", "RateLimit-Limit: 10", f"RateLimit-Remaining: {left}")
            await peer.send(ok(b"x", *fields, "RateLimit-Reset: 1"))
            if used == 10:
                refill.set()

    refill = trio.Event()
    server = await serve(limited)

    async def refiller() -> None:
        nonlocal used
        await refill.wait()
        await trio.sleep(1.0)
        used = 0

    async with client() as http, trio.open_nursery() as nursery:
        nursery.start_soon(refiller)
        started = trio.current_time()
        async for answer in http.map([f"{server.url}{number}" for number in range(15)]):
            assert answer.status_code == 200
        assert 0.5 < trio.current_time() - started < 5
        assert is_idle(http)
    assert used <= 10


async def test_a_kept_connection_that_the_server_closed_is_replaced_without_a_backoff(serve, monkeypatch):
    def never(*_arguments, **_options):
        raise AssertionError("a backoff was computed")

    monkeypatch.setattr("crawler.decision.retry_policy.backoff", never)

    async def once(peer) -> None:
        await peer.request()
        await peer.send(ok(b"x"))

    server = await serve(once)
    async with client(rate="1000/s") as http:
        for _ in range(5):
            assert (await http.get(server.url)).text == "x"
        assert is_idle(http)
    assert len(server.heads) == 5


async def test_cancelled_before_anything_was_sent_it_costs_nothing_and_after_it_does(serve):
    async def silent(peer) -> None:
        await peer.request()
        await trio.sleep_forever()

    server = await serve(silent)
    async with client(rate="1/h") as http:
        with trio.move_on_after(0.2):
            await http.get(server.url)
        [throttle] = http.limits.throttles.values()
        assert throttle.pacing.rates[0].due > http._transport.clock() + 3000
        assert is_idle(http)
    async with client(rate="1/h", attempts=1) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("http://127.0.0.1:1/")
        [throttle] = http.limits.throttles.values()
        assert throttle.pacing.rates[0].due < http._transport.clock() + 1
        assert is_idle(http)


async def test_a_trace_is_called_when_sending_begins_and_the_request_is_unchanged(serve):
    server = await serve(answers(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", ok(b"x")))
    told = []
    async with client() as http:
        request = http.build_request(
            "GET", server.url, extensions={EXTENSION: WireOptions(on_sent=lambda _at: told.append(1))}
        )
        before = dict(request.extensions)
        answer = await http.send(request)
        assert (answer.status_code, len(told)) == (200, 2)
        assert request.extensions == before
        assert answer.request is request


async def test_a_multipart_body_can_be_sent_again(serve):
    server = await serve(answers(b"HTTP/1.1 429 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", ok(b"x")))
    async with client() as http:
        assert (await http.post(server.url, files={"file": b"content"})).text == "x"
    assert server.bodies[0] == server.bodies[1]
    assert b"content" in server.bodies[0]


async def test_through_a_proxy(serve):
    server = await serve(answers(ok(b"by proxy")))
    proxy = server.url.replace("http://", "http://me:secret@").rstrip("/")
    async with client(proxy=proxy, trust_env=False) as http:
        assert (await http.get("http://api.test/a")).text == "by proxy"
        assert list(http.limits.throttles) == ["http://api.test"]
    assert server.head.startswith(b"GET http://api.test/a HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in server.head


@pytest.fixture
async def behind(serve):
    """Serve a site on loopback under another name, and an HTTP and a SOCKS proxy that require a password."""
    site = await serve(answers(ok(b"page")))
    http = await serve(http_proxy(password=b"Basic bWU6c2VjcmV0"))
    socks = await serve(socks_proxy(password=(b"me", b"secret")))
    return f"http://api.test:{site.port}/", f"127.0.0.1:{http.port}", f"127.0.0.1:{socks.port}", socks


async def test_proxies_in_every_form_that_httpx_takes(behind):
    url, http, socks, _ = behind
    for options in (
        {"proxy": f"http://me:secret@{http}"},
        {"proxy": httpx.URL(f"http://me:secret@{http}")},
        {"proxy": httpx.Proxy(f"http://{http}", auth=("me", "secret"))},
        {"proxy": f"socks5h://me:secret@{socks}"},
    ):
        async with client(trust_env=False, **options) as asked:
            assert (await asked.get(url)).text == "page"


async def test_a_name_is_for_the_proxy_to_resolve_but_by_socks5(behind):
    url, _, socks, server = behind
    async with client(proxy=f"socks5h://me:secret@{socks}", trust_env=False) as asked:
        await asked.get(url)
    assert server.heads == [b"api.test"]
    async with client(proxy=f"socks5://me:secret@{socks}", trust_env=False, attempts=1) as asked:
        with pytest.raises(httpx.ConnectError, match="no address of api.test"):
            await asked.get(url)


async def test_a_proxy_for_one_request(behind):
    url, http, _, _ = behind
    async with client(trust_env=False) as asked:
        assert (await asked.get(url, extensions={"proxy": f"http://me:secret@{http}"})).text == "page"


async def test_a_proxy_by_pattern(behind, serve):
    url, http, _, _ = behind
    direct = await serve(answers(ok(b"direct")))
    through = httpx.AsyncHTTPTransport(proxy=f"http://me:secret@{http}")
    async with client(mounts={"all://api.test": through}, trust_env=False) as asked:
        assert (await asked.get(url)).text == "page"
        assert (await asked.get(direct.url)).text == "direct"
        assert list(asked.limits.throttles) == [url.rstrip("/"), direct.url.rstrip("/")]


async def test_proxies_of_the_environment(behind, monkeypatch):
    url, http, _, _ = behind
    monkeypatch.setenv("http_proxy", f"http://me:secret@{http}")
    async with client() as asked:
        assert (await asked.get(url)).text == "page"


async def test_an_invalid_proxy_is_reported_in_one_line():
    for wrong in ("ftp://p.test", "p.test:3128"):
        with pytest.raises(ConfigError, match=r"^client\(\): Unknown scheme for proxy URL"):
            client(proxy=wrong)
