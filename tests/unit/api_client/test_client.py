"""`crawler.client`: the features of httpx work as usual, and every hop waits for the limits."""

from __future__ import annotations

import itertools
import ssl

import httpx
import pytest
import trio
import trustme

from crawler import ConfigError, Limits, Pace, client
from crawler.api_client import Client, GovernedTransport, QuotaTimeout
from crawler.transport.authorities import VARIABLES
from crawler.transport.curl import CurlTransport

API = "https://api.test/"


class Site:
    """A handler for `httpx.MockTransport` that records requests and their times."""

    def __init__(self, answer=lambda request: httpx.Response(200, text=request.url.path)) -> None:
        self.answer = answer
        self.log: list[tuple[str, float]] = []
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        self.log.append((str(request.url), round(trio.current_time(), 3)))
        self.requests.append(request)
        return self.answer(request)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


def is_idle(http: Client) -> bool:
    return all(not throttle.busy and not throttle.inflight for throttle in http.limits.throttles.values())


async def test_a_streamed_response_is_opened_before_it_is_read(autojump_clock):
    async with client(transport=Site().transport()) as http:
        async with http.stream("GET", f"{API}a") as response:
            assert [chunk async for chunk in response.aiter_text()] == ["/a"]
        with pytest.raises(TypeError, match=r"open it before you loop over it: async with http\.stream"):
            async for _ in http.stream("GET", API):
                pass


async def test_the_client_is_an_httpx_client_and_takes_its_arguments(autojump_clock):
    site = Site()
    options = {"base_url": API, "headers": {"X-Key": "7"}, "params": {"v": "2"}, "auth": ("me", "secret")}
    async with client(transport=site.transport(), **options) as http:
        assert isinstance(http, httpx.AsyncClient)
        assert (await http.get("users")).text == "/users"
        assert (await http.post("users", json={"a": 1})).status_code == 200
    assert site.log[0][0] == "https://api.test/users?v=2"
    assert site.requests[0].headers["x-key"] == "7"
    assert site.requests[0].headers["authorization"].startswith("Basic ")
    assert site.requests[1].content == b'{"a":1}'


async def test_the_rate_is_kept(autojump_clock):
    site = Site()
    async with client(transport=site.transport(), rate="60/min") as http, trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(http.get, f"{API}{number}")
    assert [at for _, at in site.log] == [0, 1, 2, 3, 4]


async def test_each_hop_of_a_redirect_waits_on_its_own_lane(autojump_clock):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "a.test" and request.url.path != "/end":
            return httpx.Response(302, headers={"Location": "https://b.test/next"})
        if request.url.host == "b.test":
            return httpx.Response(302, headers={"Location": "https://a.test/end"})
        return httpx.Response(200, text="here")

    site = Site(answer)
    async with client(transport=site.transport(), delay=10, follow_redirects=True) as http:
        answer = await http.get("https://a.test/")
        assert (answer.text, len(answer.history)) == ("here", 2)
        assert is_idle(http)
    assert site.log == [("https://a.test/", 0), ("https://b.test/next", 0), ("https://a.test/end", 10)]


async def test_each_step_of_an_auth_flow_waits(autojump_clock):
    challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
    site = Site(lambda request: httpx.Response(200 if "authorization" in request.headers else 401, headers=challenge))
    async with client(transport=site.transport(), delay=10) as http:
        assert (await http.get(API, auth=httpx.DigestAuth("me", "secret"))).status_code == 200
    assert [at for _, at in site.log] == [0, 10]


async def test_cookies_and_hooks(autojump_clock):
    site = Site(lambda _: httpx.Response(200, headers={"Set-Cookie": "id=7"}))
    seen = []

    async def asked(request: httpx.Request) -> None:
        seen.append((request.method, trio.current_time()))

    async def answered(response: httpx.Response) -> None:
        seen.append((response.status_code, trio.current_time()))

    hooks = {"request": [asked], "response": [answered]}
    async with client(transport=site.transport(), delay=10, event_hooks=hooks) as http:
        await http.get(API)
        await http.get(API)
    assert site.requests[1].headers["cookie"] == "id=7"
    assert [(what, round(at)) for what, at in seen] == [("GET", 0), (200, 0), ("GET", 0), (200, 10)]


async def test_a_stream_holds_its_place_until_it_is_closed(autojump_clock):
    class Slow(httpx.AsyncByteStream):
        closed = False

        async def __aiter__(self):
            for number in range(3):
                await trio.sleep(1)
                yield b"%d\n" % number

        async def aclose(self) -> None:
            self.closed = True

    bodies = []

    def answer(_: httpx.Request) -> httpx.Response:
        bodies.append(Slow())
        return httpx.Response(200, stream=bodies[-1])

    site = Site(answer)
    async with client(transport=site.transport(), concurrency=1) as http:
        async with trio.open_nursery() as nursery:

            async def whole() -> None:
                async with http.stream("GET", API) as response:
                    assert [line async for line in response.aiter_lines()] == ["0", "1", "2"]

            nursery.start_soon(whole)
            await trio.sleep(0.1)
            async with http.stream("GET", API) as response:  # and leave early
                assert response.status_code == 200
                [throttle] = http.limits.throttles.values()
                assert throttle.busy == 1
        assert is_idle(http)
        with pytest.raises(httpx.PoolTimeout):
            async with http.stream("GET", API):
                await _impatient(http).get(API)
        assert is_idle(http)
    assert all(body.closed for body in bodies)
    assert [at for _, at in site.log[:2]] == [0, 3]


def _impatient(http: Client) -> Client:
    """A client that shares the limits of another, and does not wait."""
    return client(transport=Site().transport(), limits=http.limits, patience=0.5)


async def test_a_stream_that_breaks_off_releases_its_slot(autojump_clock):
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"x"
            raise httpx.ReadError("broken")

    async with client(transport=Site(lambda _: httpx.Response(200, stream=Broken())).transport()) as http:
        with pytest.raises(httpx.ReadError):
            await http.get(API)
        assert is_idle(http)
        with pytest.raises(httpx.ReadError):
            async with http.stream("GET", API) as response:
                await response.aread()
        assert is_idle(http)


async def test_an_asgi_application(autojump_clock):
    async def app(scope, receive, send) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event["body"], event["more_body"]
        assert body == b"hello"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["path"].encode())]})
        await send({"type": "http.response.body", "body": b"he", "more_body": True})
        await send({"type": "http.response.body", "body": b"llo"})

    async with client(transport=httpx.ASGITransport(app), delay=5) as http:
        for _ in range(2):
            answer = await http.post(f"{API}echo", content=b"hello")
            assert (answer.text, answer.headers["x-path"]) == ("hello", "/echo")
        assert is_idle(http)
    assert trio.current_time() == pytest.approx(5, abs=0.01)


async def test_mounts_are_governed_too_and_share_their_budgets(autojump_clock):
    usual, mounted = Site(), Site()
    pacing = {"key:*": Pace(rate="1/s")}
    mounts = {"https://b.test": mounted.transport(), "https://none.test": None}
    async with client(transport=usual.transport(), mounts=mounts, pacing=pacing) as http:
        for number in range(4):
            await http.get(f"https://{'ab'[number % 2]}.test/", extensions={"quotas": {"key:A": 1}})
        await http.get("https://none.test/")
        assert sorted(http.usage()) == ["https://a.test", "https://b.test", "https://none.test", "key:A"]
    assert [at for _, at in usual.log[:2]] == [0, 2]
    assert [at for _, at in mounted.log] == [1, 3]
    assert usual.log[2][0] == "https://none.test/"


async def test_proxies_are_governed_too(autojump_clock, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "direct.test")
    async with client() as http:
        through = http._transport_for_url(httpx.URL("http://api.test/"))
        assert isinstance(through, GovernedTransport)
        assert through.inner is http._transport.inner
        assert through._context.queue is http._transport._context.queue
        assert list(through._context.extensions) == ["proxy"]
        assert http._transport_for_url(httpx.URL("http://direct.test/")) is http._transport
    async with client(trust_env=False) as http:
        assert http._transport_for_url(httpx.URL("http://api.test/")) is http._transport
    special = httpx.Proxy("http://proxy.test:3128", headers={"X-Key": "7"})
    async with client(proxy=special, trust_env=False) as http:
        through = http._transport_for_url(httpx.URL("http://api.test/"))
        assert isinstance(through, GovernedTransport)
        assert isinstance(through.inner, httpx.AsyncHTTPTransport)
        assert through._context.queue is http._transport._context.queue


async def test_the_transport_is_libcurl_unless_that_cannot_do_it():
    async with client(http2=True, limits=httpx.Limits(max_keepalive_connections=7)) as http:
        assert isinstance(http._transport, GovernedTransport)
        assert isinstance(http._transport.inner, CurlTransport)
        assert http._transport.inner._driver._room._max_kept == 7
    async with client(verify=ssl.create_default_context()) as http:
        assert isinstance(http._transport.inner, httpx.AsyncHTTPTransport)


@pytest.mark.parametrize("name", VARIABLES)
async def test_the_environment_names_the_authorities_that_a_client_trusts(monkeypatch, tmp_path, name):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("me.test").private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    async with client() as http:
        assert http._transport.inner._driver._options.tls_verify == str(tmp_path / "ca.pem")
    async with client(trust_env=False) as http:
        assert http._transport.inner._driver._options.tls_verify is True
    with pytest.warns(DeprecationWarning, match="cert="):
        http = client(cert=str(tmp_path / "me.pem"))
    async with http:
        context = http._transport.inner._pool._ssl_context
        known = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        assert context.get_ca_certs() == known.get_ca_certs()


def test_a_file_of_authorities_that_does_not_exist_is_an_error_of_the_option():
    with pytest.raises(ConfigError, match=r"client\(\): verify: no such file: none.pem"):
        client(verify="none.pem")


async def test_two_clients_and_one_budget(autojump_clock):
    site = Site()
    limits = Limits({"key:A": Pace(rate="1/s")})
    one, other = (client(transport=site.transport(), limits=limits) for _ in range(2))
    async with one, other, trio.open_nursery() as nursery:
        for number in range(6):
            http = (one, other)[number % 2]
            url = f"https://{number}.test/"
            nursery.start_soon(lambda http=http, url=url: http.get(url, extensions={"quotas": {"key:A": 1}}))
    # Each client has read the wall clock for itself, at another moment of a machine that virtual time does not stop.
    assert [at for _, at in site.log] == pytest.approx([0, 1, 2, 3, 4, 5], abs=0.1)
    assert one.limits is other.limits is limits


async def test_an_exception_of_the_block_leaves_it_unchanged(autojump_clock):
    site = Site(lambda _: httpx.Response(404))
    with pytest.raises(httpx.HTTPStatusError):
        async with client(transport=site.transport()) as http:
            (await http.get(API)).raise_for_status()
    with trio.move_on_after(1) as scope:
        async with client(transport=site.transport()):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(KeyError), trio.CancelScope() as scope:
        async with client(transport=site.transport(), rate="1/min") as http:
            answers = http.map(f"{API}{number}" for number in range(9))
            await anext(answers)
            scope.cancel()
            raise KeyError("mine")


async def test_without_a_block_it_works_as_httpx_does(autojump_clock):
    http = client(transport=Site().transport(), rate="1/s")
    for _ in range(2):
        await http.get(API)
    assert trio.current_time() >= 1
    with pytest.raises(RuntimeError, match="async with"):
        http.map([API])
    await http.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await http.get(API)


async def test_closing_ends_those_who_wait(autojump_clock):
    http = client(transport=Site().transport(), rate="1/min")
    await http.get(API)
    raised = []

    async def one() -> None:
        try:
            await http.get(API)
        except httpx.CloseError as error:
            raised.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(one)
        await trio.sleep(1)
        await http.aclose()
    assert len(raised) == 3
    assert trio.current_time() == 1


async def test_errors_are_those_of_httpx(autojump_clock):
    async with client(transport=Site().transport(), rate="1/min") as http:
        await http.get(API)
        with pytest.raises(httpx.RequestError) as caught, trio.fail_after(5):
            await http.get(API)
        assert type(caught.value) is QuotaTimeout
        assert isinstance(caught.value, httpx.TimeoutException)
        assert caught.value.request.url == API


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rat": "1/s"}, "client() has no option rat (did you mean rate?)"),
        ({"follow_redirect": True}, "client() has no option follow_redirect (did you mean follow_redirects?)"),
        ({"rate": "1/year"}, "client(): not a rate: '1/year'"),
        ({"concurrency": 0}, "client(): concurrency must be at least 1"),
        ({"transport": httpx.HTTPTransport()}, "transport must be an httpx.AsyncBaseTransport"),
        ({"transport": "curl"}, "transport must be an httpx.AsyncBaseTransport, not 'curl'"),
        ({"mounts": {"all://": 7}}, "client(): not a transport for httpx"),
        ({"limits": 7}, "client(): limits must be a Limits object, not 7"),
        ({"base_url": "http://[::"}, "client(): Invalid"),
        ({"mounts": {"no pattern": None}}, "client(): Proxy keys should use proper URL forms"),
    ],
)
async def test_a_wrong_option_is_refused_in_one_line(options, words):
    with pytest.raises(ConfigError) as caught:
        client(**options)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


async def test_monitoring(autojump_clock):
    headers = {"RateLimit-Policy": '"daily";q=1000;w=86400', "RateLimit": '"daily";r=999;t=86400'}
    async with client(transport=Site(lambda _: httpx.Response(200, headers=headers)).transport()) as http:
        await http.get(API)
        [(name, policy)] = http.usage()["https://api.test"].items()
        assert name == "daily"
        assert (policy["limit"], policy["remaining"], policy["window"]) == (1000, 999, 86_400)
        assert http.limits.throttles["https://api.test"].policies() == http.usage()["https://api.test"]


async def test_starts_on_one_lane_keep_the_order_of_their_calls(autojump_clock):
    site = Site()
    async with client(transport=site.transport(), rate="10/s", concurrency=4) as http, trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(http.get, f"{API}{number}")
            await trio.sleep(0.001)
    numbers = [int(url.rpartition("/")[2]) for url, _ in site.log]
    assert numbers == sorted(numbers)
    gaps = [later - earlier for (_, earlier), (_, later) in itertools.pairwise(site.log)]
    assert min(gaps) >= 0.099


# ---- redirects to other origins --------------------------------------------------------------------------------------

MINE = {"X-Api-Key": "k", "X-Trace": "1", "Cookie": "c=d", "Accept-Language": "de", "Authorization": "Bearer t"}


async def redirected(target: str, **options) -> set[str]:
    """Return the names of the fields, of those in `MINE`, that reach the target of a redirect."""
    site = Site(
        lambda request: httpx.Response(302, headers={"Location": target}) if request.url.path == "/" else
        httpx.Response(200)
    )  # fmt: skip
    async with client(transport=site.transport(), follow_redirects=True, cookies={"s": "t"}, **options) as http:
        assert (await http.get(API, headers=MINE)).status_code == 200
    assert {name.lower() for name in MINE} <= set(site.requests[0].headers)
    assert site.requests[1].url.host in site.requests[1].headers["host"]
    return {name for name in MINE if name in site.requests[1].headers}


@pytest.mark.parametrize("target", ["https://other.test/b", "http://api.test/b", "https://api.test:444/b"])
async def test_the_headers_of_a_request_stay_on_their_origin(autojump_clock, target):
    assert await redirected(target) == {"Accept-Language"}
    assert await redirected(target, cross_origin_headers=["x-trace"]) == {"Accept-Language", "X-Trace"}
    assert await redirected(target, cross_origin_headers=["Cookie"]) == {"Accept-Language", "Cookie"}


async def test_the_headers_of_a_request_follow_a_redirect_on_their_origin(autojump_clock):
    assert await redirected("/b") == set(MINE)


async def test_a_cookie_of_a_site_is_sent_there_after_a_redirect_from_another(autojump_clock):
    def answer(request):
        if request.url.host == "other.test" and request.url.path == "/":
            return httpx.Response(200, headers={"Set-Cookie": "own=1"})
        return httpx.Response(302, headers={"Location": "https://other.test/b"}) if request.url.path == "/" else (
            httpx.Response(200)
        )  # fmt: skip

    site = Site(answer)
    async with client(transport=site.transport(), follow_redirects=True, cookies={"s": "t"}) as http:
        await http.get("https://other.test/")
        await http.get(API)
    assert site.requests[-1].headers["cookie"] == "own=1"


@pytest.mark.parametrize("names", ["X-Trace", [5]])
def test_the_option_for_headers_across_origins_is_a_list_of_names(names):
    with pytest.raises(ConfigError, match="cross_origin_headers must be a list of names"):
        client(cross_origin_headers=names)


@pytest.mark.parametrize("value", ["secret\n", "secret\r\nX: y", "secret\0"])
async def test_a_header_that_cannot_be_sent_is_refused_without_being_shown(value):
    async with client(attempts=1) as http:
        with pytest.raises(httpx.LocalProtocolError) as caught:
            await http.get("http://127.0.0.1:9/", headers={"X-Api-Key": value})
    assert "secret" not in str(caught.value)
