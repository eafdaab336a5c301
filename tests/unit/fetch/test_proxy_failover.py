"""`with_failover`: the choice of the next proxy, and the conclusions about the failed ones."""

from __future__ import annotations

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from crawler import Request, Response, Settings
from crawler.errors import BodyTooLarge, RequestError
from crawler.fetch.proxies import Proxies
from crawler.fetch.proxy_failover import raise_if_proxy_answered, with_failover
from crawler.transport.errors import translate, transport_error
from crawler.transport.wire import failure_of

NAMES = ("a.test:1", "b.test:2", "c.test:3")
WIRE = httpx.Request("GET", "http://site.test/")
PAGE = "page"


class Sender:
    """Sends over proxies with a result each: `PAGE`, the place of a fault, or an exception."""

    def __init__(self, *results, method="GET", sent=False):
        self.proxies = Proxies.from_settings(Settings(proxies=[f"http://{name}" for name in NAMES[: len(results)]]), {})
        self.request = Request("http://site.test/", method=method)
        self.results = {f"http://{name}": result for name, result in zip(NAMES, results, strict=False)}
        self.sent = sent
        self.now = 0.0
        self.log = []

    async def send(self, url):
        self.now += 1.0
        self.log.append(url.removeprefix("http://"))
        result = self.results[url]
        if result == PAGE:
            return Response(self.request.url, 200, (), b"", request=self.request)
        if isinstance(result, Exception):
            raise result
        fault = transport_error(httpx.ProxyError, "no", request=WIRE, sent=self.sent, proxy_fault=result)
        raise translate(fault, self.request) from fault

    async def run(self):
        rotation = self.proxies.rotation_for(self.request.url)
        return await with_failover(self.proxies, rotation, self.request, self.send, lambda: self.now)

    @property
    def failures(self):
        return dict(self.proxies.failures)


async def test_no_further_proxy_is_tried_after_one_that_works():
    sender = Sender(PAGE, PAGE)
    for _ in range(3):
        assert (await sender.run()).status == 200
    assert sender.log == ["a.test:1", "b.test:2", "a.test:1"]
    assert dict(sender.proxies.requests) == {"a.test:1": 2, "b.test:2": 1}
    assert sender.failures == {}


async def test_a_proxy_at_fault_is_avoided_from_then_on():
    sender = Sender("proxy", PAGE)
    await sender.run()
    await sender.run()
    assert sender.log == ["a.test:1", "b.test:2", "b.test:2"]
    assert sender.failures == {"a.test:1": 1}


async def test_a_failure_beyond_the_proxy_counts_only_when_another_proxy_reaches_the_site():
    sender = Sender("beyond", "beyond", PAGE)
    await sender.run()
    assert sender.failures == {"a.test:1": 1, "b.test:2": 1}
    sender = Sender("beyond", "beyond")
    with pytest.raises(RequestError):
        await sender.run()
    assert sender.failures == {}


async def test_when_every_proxy_fails_the_last_error_is_raised():
    sender = Sender("proxy", "proxy", "proxy")
    with pytest.raises(RequestError, match="no"):
        await sender.run()
    assert sender.log == list(NAMES)


async def test_an_error_that_no_proxy_caused_is_raised_at_once():
    sender = Sender(BodyTooLarge("large"), PAGE)
    with pytest.raises(BodyTooLarge):
        await sender.run()
    assert sender.log == ["a.test:1"]


@pytest.mark.parametrize(("method", "sent", "tries"), [("POST", False, 2), ("POST", True, 1), ("GET", True, 2)])
async def test_a_request_that_may_have_reached_the_site_is_resent_only_if_it_is_safe(method, sent, tries):
    sender = Sender("beyond", PAGE, method=method, sent=sent)
    try:
        await sender.run()
    except RequestError:
        assert tries == 1
    assert len(sender.log) == tries


@given(st.lists(st.sampled_from([PAGE, "proxy", "beyond"]), min_size=1, max_size=3))
def test_no_proxy_is_tried_twice_and_any_working_one_is_found(results):
    sender = Sender(*results)
    if PAGE in results:
        assert trio.run(sender.run).status == 200
    else:
        with pytest.raises(RequestError):
            trio.run(sender.run)
    assert len(set(sender.log)) == len(sender.log) <= len(results)
    assert sum(sender.failures.values()) <= len(results) - (PAGE in results)


@pytest.mark.parametrize(
    ("proxy", "status", "fields", "fault"),
    [
        ("http://p.test", 407, {}, "proxy"),
        ("http://p.test", 502, {"X-Squid-Error": "ERR_CONNECT_FAIL 111"}, "beyond"),
        ("http://p.test", 504, {"Proxy-Status": "p.test; error=connection_timeout"}, "beyond"),
        ("http://p.test", 502, {}, None),
        ("http://p.test", 200, {"Proxy-Status": "p.test; error=http_request_error"}, None),
        ("socks5h://p.test", 407, {}, None),
    ],
)
async def test_a_response_of_the_proxy_itself_is_an_error(proxy, status, fields, fault):
    response = httpx.Response(status, headers=fields, stream=httpx.ByteStream(b"x"), request=WIRE)
    if fault is None:
        await raise_if_proxy_answered(response, WIRE, proxy)
        return
    with pytest.raises(httpx.ProxyError, match=f"the proxy p.test:80 answered {status}") as caught:
        await raise_if_proxy_answered(response, WIRE, proxy)
    assert failure_of(caught.value).proxy_fault == fault
    assert failure_of(caught.value).sent is (fault == "beyond")
    assert response.is_closed
