"""Crawls through proxies: by rule, in turn, from the environment; failed proxies pause, limits belong to the site."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import attrs
import httpx
import pytest
import trio
from support.proxies import HTTP_FAILED, http_proxy, socks_proxy
from support.rawserver import Serve, answers, ok, start
from trio.testing import MockClock

from crawler import ConfigError, Failure, Produced, Request, Response, Settings, Spider, crawl
from crawler.fetch.proxies import BASE_PAUSE
from crawler.testing import FakeSite, collect
from crawler.transport.curl import CurlTransport

FREE = Settings(obey_robots=False, slow_start=False, backoff_base=0.0)


class Nowhere:
    """A resolver that knows no names, only addresses."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        if not host[-1].isdigit():
            raise OSError(f"unexpected look-up of {host}")
        return (host,)


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    return partial(start, nursery)


@pytest.fixture
async def blind() -> AsyncIterator[CurlTransport]:
    """Open a transport that cannot look up names."""
    async with CurlTransport(resolver=Nowhere()) as opened:
        yield opened


class Pages(Spider):
    """Requests a few pages and yields an item for each result."""

    count: int = 6
    site: str = "http://site.test"
    pause: float = 0.0
    more: dict[str, object] = {}

    async def start(self) -> AsyncIterator[Request]:
        for number in range(self.count):
            yield Request(f"{self.site}/{number}", errback=self.gave_up, **self.more)
            if self.pause:
                await trio.sleep(self.pause)

    def parse(self, response: Response) -> Produced:
        return {"url": response.url, "body": response.body}

    def gave_up(self, failure: Failure) -> Produced:
        return {"failed": str(failure.error)}


@attrs.define
class Wires(httpx.AsyncBaseTransport):
    """Sites behind proxies that are up or down, in virtual time; records which proxy was used when."""

    down: set[str] = attrs.field(factory=set)
    statuses: dict[str, int] = attrs.field(factory=dict)
    asked: list[tuple[float, str]] = attrs.field(factory=list)
    took: float = 0.1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = request.extensions.get("proxy", "direct").rpartition("/")[2]
        self.asked.append((trio.current_time(), proxy))
        await trio.sleep(self.took)
        if proxy in self.down:
            raise httpx.ProxyError(f"{proxy} is down", request=request)
        return httpx.Response(self.statuses.get(proxy, 200), content=b"x")

    @property
    def used(self) -> Counter[str]:
        return Counter(proxy for _, proxy in self.asked)


# ---- real proxies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_the_proxy_resolves_names(serve: Serve, blind: CurlTransport, scheme: str) -> None:
    site = await serve(answers(ok(b"page")))
    proxy = await serve(http_proxy() if scheme == "http" else socks_proxy())
    settings = FREE | Settings(proxies=f"{scheme}://127.0.0.1:{proxy.port}")
    found = await collect(Pages(site=f"http://site.test:{site.port}"), blind, settings=settings)
    assert {item.get("body") for item in found.items} == {b"page"}
    assert len(proxy.heads) >= 1
    assert found.report.lanes.keys() == {f"http://site.test:{site.port}"}
    assert found.report.proxies == {f"127.0.0.1:{proxy.port}": {"requests": 6, "failures": 0}}


async def test_names_for_socks5_are_resolved_locally(serve: Serve) -> None:
    class Table:
        async def resolve(self, host: str, port: int) -> tuple[str, ...]:
            return ("127.0.0.9",) if host == "site.test" else (host,)

    site = await serve(answers(ok(b"page")))
    proxy = await serve(socks_proxy(password=(b"me", b"s:cret")))
    settings = FREE | Settings(proxies=f"socks5://me:s%3Acret@127.0.0.1:{proxy.port}")
    async with CurlTransport(resolver=Table()) as transport:
        found = await collect(Pages(count=1, site=f"http://site.test:{site.port}"), transport, settings=settings)
    assert found.items == [{"url": f"http://site.test:{site.port}/0", "body": b"page"}]
    assert proxy.heads == [b"127.0.0.9"]


@pytest.mark.parametrize("inline", [False, True])
async def test_robots_txt_is_requested_through_the_proxy_of_its_request(
    autojump_clock: MockClock, *, inline: bool
) -> None:
    """A user who chooses a proxy may need to hide from the site, or cannot reach it directly."""
    asked = []

    def page(request: httpx.Request) -> str:
        asked.append((request.url.path, request.extensions.get("proxy")))
        return ""

    wanted = Request("https://site.test/page", proxy="socks5h://one.test:9")

    class Asks(Spider):
        async def start(self) -> AsyncIterator[Request]:
            if inline:
                await self.crawl.fetch(wanted)
            else:
                yield wanted

        def parse(self, response: Response) -> None:
            return None

    await collect(Asks(), FakeSite({"/robots.txt": page, "/page": page}), settings=FREE | Settings(obey_robots=True))
    assert asked == [("/robots.txt", "socks5h://one.test:9"), ("/page", "socks5h://one.test:9")]


async def test_proxies_of_a_list_take_turns_and_a_dead_one_is_skipped(serve: Serve, blind: CurlTransport) -> None:
    site = await serve(answers(ok(b"page")))
    one, two = await serve(http_proxy()), await serve(http_proxy())
    settings = FREE | Settings(
        proxies=[f"http://127.0.0.1:{one.port}", "http://127.0.0.1:1", f"http://127.0.0.1:{two.port}"], workers=1
    )
    found = await collect(Pages(site=f"http://site.test:{site.port}"), blind, settings=settings)
    assert [item.get("body") for item in found.items] == [b"page"] * 6
    assert (found.report.retries, found.report.requests) == (0, 6)
    assert (len(one.heads), len(two.heads)) == (3, 3)
    assert found.report.proxies["127.0.0.1:1"] == {"requests": 1, "failures": 1}


@pytest.mark.parametrize(
    "refusal", [b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n", HTTP_FAILED], ids=["password", "gateway"]
)
async def test_a_response_of_the_proxy_itself_is_not_a_page_and_another_proxy_is_tried(
    serve: Serve, blind: CurlTransport, refusal: bytes
) -> None:
    site = await serve(answers(ok(b"page")))
    good, bad = await serve(http_proxy()), await serve(http_proxy(answer=refusal))
    settings = FREE | Settings(
        proxies=[f"http://127.0.0.1:{bad.port}", f"http://127.0.0.1:{good.port}"], workers=1, attempts=1
    )
    found = await collect(Pages(count=3, site=f"http://site.test:{site.port}"), blind, settings=settings)
    assert [item.get("body") for item in found.items] == [b"page"] * 3
    assert found.report.statuses == {200: 3}
    assert found.report.proxies[f"127.0.0.1:{bad.port}"] == {"requests": 1, "failures": 1}


async def test_no_proxy_is_paused_if_all_report_that_the_site_is_down(serve: Serve, blind: CurlTransport) -> None:
    proxies = [await serve(http_proxy(answer=HTTP_FAILED)) for _ in range(2)]
    names = [f"127.0.0.1:{proxy.port}" for proxy in proxies]
    settings = FREE | Settings(
        proxies=[f"http://me:secret@{name}" for name in names], workers=1, attempts=1, outage_patience=0
    )
    found = await collect(Pages(count=2), blind, settings=settings)
    assert [item["failed"] for item in found.items] == [f"the proxy {names[1]} answered 502"] * 2
    assert found.report.failures == {"connect_failed": 2}
    assert found.report.proxies == {name: {"requests": 2, "failures": 0} for name in names}


async def test_a_502_of_the_site_is_delivered_unchanged(serve: Serve, blind: CurlTransport) -> None:
    site = await serve(answers(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", ok(b"page")))
    proxy = await serve(http_proxy())
    settings = FREE | Settings(proxies=f"http://127.0.0.1:{proxy.port}", attempts=1)
    found = await collect(Pages(count=1, site=f"http://site.test:{site.port}"), blind, settings=settings)
    assert found.items == [{"failed": "status 502"}]


async def test_the_proxy_of_a_request_takes_precedence_over_the_rules(serve: Serve, blind: CurlTransport) -> None:
    site = await serve(answers(ok(b"page")))
    proxy = await serve(http_proxy())
    where, through = f"http://127.0.0.1:{site.port}", f"http://127.0.0.1:{proxy.port}"
    closed = Settings(proxies="http://127.0.0.1:1", attempts=1)
    for more in ({"proxy": "direct"}, {"proxy": through}):
        found = await collect(Pages(count=1, site=where, more=more), blind, settings=FREE | closed)
        assert found.items == [{"url": f"{where}/0", "body": b"page"}]
        assert found.report.proxies == {}
    assert len(proxy.heads) == 1


async def test_the_environment_is_used_except_for_loopback(
    serve: Serve, blind: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await serve(answers(ok(b"page")))
    proxy = await serve(http_proxy())
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "direct.test")
    found = await collect(Pages(count=1, site=f"http://site.test:{site.port}"), blind, settings=FREE)
    assert found.items[0]["body"] == b"page"
    assert len(proxy.heads) == 1
    once = FREE | Settings(attempts=1, outage_patience=0)
    for settings, where in [
        (FREE, f"http://127.0.0.1:{site.port}"),
        (once, "http://direct.test"),
        (once | Settings(proxy_env=False), "http://site.test"),
        (once | Settings(proxies="direct"), "http://site.test"),
    ]:
        await collect(Pages(count=1, site=where), blind, settings=settings)
    assert len(proxy.heads) == 1


async def test_an_invalid_proxy_in_the_environment_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "nonsense://me:secret@proxy.test")
    with pytest.raises(ConfigError, match=r"^https_proxy in the environment: not the URL of an .*'nonsense://\*\*\*@"):
        await crawl(Pages())
    with pytest.raises(ConfigError, match="^setting proxies: "):
        await crawl(Pages(), settings=Settings(proxies="nonsense"))


# ---- virtual time ----------------------------------------------------------------------------------------------------


async def test_a_failing_proxy_pauses_twice_as_long_each_time(autojump_clock: MockClock) -> None:
    wires = Wires(down={"bad:1"}, took=0.0)
    settings = FREE | Settings(proxies=["http://good:1", "http://bad:1"], workers=1)
    await collect(Pages(count=400, pause=1.0), wires, settings=settings)
    failed_at = [at - wires.asked[0][0] for at, proxy in wires.asked if proxy == "bad:1"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(failed_at)]
    assert len(gaps) >= 5
    for number, gap in enumerate(gaps):
        assert BASE_PAUSE * 2**number <= gap <= BASE_PAUSE * 2**number + 3.0


async def test_a_recovered_proxy_is_used_as_much_as_the_other(autojump_clock: MockClock) -> None:
    wires = Wires(down={"bad:1"}, took=0.0)

    class Mends(Pages):
        async def start(self) -> AsyncIterator[Request]:
            async for request in super().start():
                if request.url.endswith("/20"):
                    wires.down.clear()
                    wires.asked.clear()
                yield request

    found = await collect(
        Mends(count=120, pause=1.0), wires, settings=FREE | Settings(proxies=["http://good:1", "http://bad:1"])
    )
    assert found.report.failed == 0
    assert wires.used["bad:1"] > 35


async def test_a_crawl_keeps_trying_while_all_proxies_are_paused(autojump_clock: MockClock) -> None:
    wires = Wires(down={"a:1", "b:1"})
    settings = FREE | Settings(proxies=["http://a:1", "http://b:1"], attempts=2, workers=1)
    found = await collect(Pages(count=2), wires, settings=settings)
    assert found.report.failures == {"connect_failed": 2}
    assert 4 <= wires.used["a:1"] == wires.used["b:1"] <= 6, "each attempt asks both"
    assert found.report.requests == 0, "nothing has reached the site"


async def test_the_pace_belongs_to_the_site_with_any_number_of_proxies(autojump_clock: MockClock) -> None:
    wires = Wires()
    settings = FREE | Settings(proxies=[f"http://p{number}:1" for number in range(5)], delay=2.0)
    await collect(Pages(count=10), wires, settings=settings)
    assert all(later - earlier >= 2.0 - 1e-6 for (earlier, _), (later, _) in itertools.pairwise(wires.asked))
    assert set(wires.used.values()) == {2}


async def test_an_unsafe_request_is_not_sent_again_after_a_gateway_failure(autojump_clock: MockClock) -> None:
    class Gateway(Wires):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await super().handle_async_request(request)
            return httpx.Response(504, headers={"Proxy-Status": "p; error=connection_timeout"})

    settings = FREE | Settings(proxies=["http://a:1", "http://b:1"], attempts=1, outage_patience=0)
    for method, asked in (("POST", 1), ("GET", 2)):
        wires = Gateway()
        found = await collect(Pages(count=1, more={"method": method}), wires, settings=settings)
        assert (len(wires.asked), found.report.failures) == (asked, {"connect_failed": 1})


async def test_passwords_of_proxies_appear_nowhere(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wires = Wires(down={"me:secret@a.test:1", "me:secret@b.test:1"})
    settings = FREE | Settings(proxies=[f"http://me:secret@{name}.test:1" for name in "ab"], attempts=1)

    class Quiet(Wires):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ProxyError("refused", request=request)

    found = await collect(Pages(count=2), Quiet(down=wires.down), settings=settings)
    assert any("the proxy a.test:1 is not used for 5 s: refused" in record.getMessage() for record in caplog.records)
    assert "secret" not in caplog.text
    assert b"secret" not in found.report.to_json()
    assert found.report.proxies.keys() == {"a.test:1", "b.test:1"}
