"""Credentials by origin, and requests of authentication flows."""

from __future__ import annotations

import base64

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from crawler import Request, Response
from crawler.errors import BrokenExchange, ConfigError, RequestError
from crawler.fetch.auth import OriginAuth, send_authenticated


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://api.test/a?b", "Bearer own"),
        ("https://api.test:8443/", None),
        ("http://api.test/", None),
        ("https://www.api.test/", "Bearer wild"),
        ("https://a.b.api.test/", "Bearer wild"),
        ("https://notapi.test/", None),
        ("https://special.api.test/", ("user", "password")),
    ],
)
def test_the_origin_counts_and_goes_before_a_pattern(url, found):
    auth = OriginAuth(
        {
            "https://*.api.test": "Bearer wild",
            "https://API.test:443": "Bearer own",
            "https://special.api.test": ["user", "password"],
        }
    )
    assert auth.for_url(url) == found


@given(st.one_of(st.text(), st.integers(), st.none()), st.one_of(st.text(), st.integers(), st.tuples(st.text())))
def test_invalid_credentials_are_a_configuration_error_in_one_line(key, value):
    try:
        OriginAuth({key: value})
    except ConfigError as error:
        assert str(error).startswith("Spider.auth")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


BASIC = "Basic " + base64.b64encode(b"me:secret").decode()


class Server:
    """Responds with 401 until the password is right."""

    def __init__(self):
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        status = 200 if request.headers.get("authorization") == BASIC else 401
        fields = {"WWW-Authenticate": "Basic", "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
        return Response(request.url, status, fields, b"body", request=request)


class Challenged(httpx.Auth):
    """Sends the password only after a challenge, whose body it reads."""

    requires_response_body = True

    def __init__(self, elsewhere=""):
        self.elsewhere = elsewhere
        self.bodies = []

    def auth_flow(self, request):
        response = yield request
        self.bodies.append(response.content)
        if response.status_code == 401:
            if self.elsewhere:
                yield httpx.Request("POST", self.elsewhere, data={"user": "me"})
            request.headers["Authorization"] = BASIC
            yield request


async def sent(auth, request, server):
    between = []

    async def before_next(last, response):
        between.append((last.url, response.status))

    response = await send_authenticated(auth, request, server, before_next)
    return response, between


async def test_a_flow_sends_as_often_as_it_needs_and_waits_in_between():
    server, auth = Server(), Challenged()
    request = Request("https://api.test/a", headers={"X-A": "b"}, cookies={"c": "d"}, meta={"m": 1})
    response, between = await sent(auth, request, server)
    assert (response.status, response.request) == (200, request)
    assert between == [("https://api.test/a", 401)]
    assert [one.headers.get("authorization") for one in server.requests] == [None, BASIC]
    assert all(
        one.headers["x-a"] == "b" and one.cookies == {"c": "d"} and one.meta == {"m": 1} for one in server.requests
    )
    assert auth.bodies == [b"body"], "the body was not decoded twice"


async def test_fields_that_httpx_adds_are_not_sent_and_those_of_the_request_are():
    server = Server()
    own = {"Host": "other.test", "Accept": "text/plain"}
    await sent(Challenged(), Request("https://api.test/", method="POST", body=b"x", headers=own), server)
    assert {name.lower() for name, _ in server.requests[0].headers.pairs} == {"host", "accept"}


async def test_a_request_of_the_flow_to_another_origin_has_no_cookies_of_the_first():
    server = Server()
    auth = Challenged(elsewhere="https://login.test/token")
    await sent(auth, Request("https://api.test/", cookies={"c": "d"}), server)
    assert [(one.url, one.cookies) for one in server.requests] == [
        ("https://api.test/", {"c": "d"}),
        ("https://login.test/token", {}),
        ("https://api.test/", {"c": "d"}),
    ]
    assert server.requests[1].body == b"user=me"


async def test_errors_of_the_network_pass_and_those_of_the_flow_become_request_errors():
    async def broken(_request):
        raise BrokenExchange("cut off")

    with pytest.raises(BrokenExchange, match="cut off"):
        await sent(Challenged(), Request("https://api.test/"), broken)

    class Faulty(httpx.Auth):
        def auth_flow(self, request):
            yield request
            raise KeyError("nonce")

    with pytest.raises(RequestError, match="nonce") as caught:
        await sent(Faulty(), Request("https://api.test/"), Server())
    assert caught.value.request.url == "https://api.test/"


def test_a_flow_is_closed_however_it_ends():
    closed = []

    class Generator(httpx.Auth):
        async def async_auth_flow(self, request):
            try:
                yield request
            finally:
                closed.append(True)

    async def cancelled(_request):
        await trio.sleep_forever()

    async def main():
        with trio.move_on_after(0.01):
            await sent(Generator(), Request("https://api.test/"), cancelled)

    trio.run(main)
    assert closed
