"""Network safety: a page from the public internet cannot make the crawler request addresses on other networks.

In these tests, 127.0.0.2 stands for the public internet, and 127.0.0.1 is loopback.
"""

from __future__ import annotations

import httpx
import pytest
import trio
from support.proxies import socks_proxy
from support.rawserver import start
from support.trees import FREE

from crawler import ConfigError, Plugin, Refused, Request, Response, Settings, SitemapSpider, Spider, client, crawl
from crawler.http import address_guard
from crawler.testing import FakeSite, collect
from crawler.transport.curl import CurlTransport
from crawler.transport.wire import EXTENSION, WireOptions

WEB, INSIDE = "127.0.0.2", "127.0.0.1"


@pytest.fixture(autouse=True)
def _public(monkeypatch):
    """Make 127.0.0.2 and 127.0.0.3 count as public."""
    public = {WEB, "127.0.0.3"}
    network_of = address_guard.network_of
    monkeypatch.setattr(address_guard, "network_of", lambda address: "" if address in public else network_of(address))


class Names:
    """A resolver whose addresses may change from one look-up to the next."""

    def __init__(self, **addresses):
        self.addresses = {"web": [WEB], "inside": [INSIDE]} | addresses

    async def resolve(self, host, port):
        known = self.addresses.get(host.removesuffix(".test"), [host])
        return (known.pop(0),) if len(known) > 1 else (known[0],)


def site(nursery, pages, host=WEB, port=0):
    """Start a server with pages by path; each page is a body or the target of a redirect."""

    async def handler(peer):
        while head := await peer.request():
            path = head.split()[1].decode()
            peer.server.heads[-1] = path
            page = pages.get(path)
            lines = ["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8"]
            if page is None:
                lines[0], page = "HTTP/1.1 404 Not Found", ""
            elif page.startswith("to "):
                lines = ["HTTP/1.1 302 Found", f"Location: {page[3:]}"]
            body = page.encode()
            lines += [f"Content-Length: {len(body)}", "Connection: close"]
            await peer.send("\r\n".join([*lines, "", ""]).encode() + body)
            return

    return start(nursery, handler, host, port)


class Follow(Spider):
    """Follows every link and records refused requests."""

    def __init__(self, *starts):
        super().__init__()
        self.start_urls = starts
        self.pages: list[str] = []
        self.refused: list[Refused] = []

    def start(self):
        return [Request(url, errback=self.gave_up) for url in self.start_urls]

    def parse(self, response):
        self.pages.append(response.url)
        yield from response.follow_all(errback=self.gave_up)

    def gave_up(self, failure):
        assert isinstance(failure.error, Refused)
        self.refused.append(failure.error)


class Quiet(Follow):
    """Follows nothing."""

    def parse(self, response):
        return None


def run(spider, names=None, plugins=(), job=None, **settings):
    transport = CurlTransport(resolver=names or Names())
    settings = FREE | Settings(attempts=2, **settings)
    return crawl(spider, settings=settings, transport=transport, plugins=plugins, job=job)


def links(*urls):
    return "".join(f"<a href='{url}'>x</a>" for url in urls)


SPELLINGS = (
    "127.0.0.1", "inside.test", "127.1", "0x7f.1", "2130706433", "017700000001", "[::ffff:127.0.0.1]", "[::1]",
    "0.0.0.0", "[64:ff9b::7f00:1]", "10.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fd00:ec2::254]",
    "224.0.0.1", "\uff11\uff12\uff17.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("obey_robots", [True, False])
async def test_links_to_other_networks_are_refused_in_any_spelling(nursery, obey_robots):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    targets = [f"http://{host}:{inside.port}/{n}" for n, host in enumerate(SPELLINGS)]
    web = await site(nursery, {"/": links(*targets)})
    spider = Follow(f"http://web.test:{web.port}/")
    report = await run(spider, obey_robots=obey_robots)
    assert inside.connections == 0
    assert report.filtered == {"network": len(SPELLINGS)}
    assert len(report.samples["network"]) == 5
    assert (report.failed, report.retries, report.pages) == (0, 0, 1)
    assert len(spider.refused) == len(SPELLINGS)
    assert {error.by for error in spider.refused} == {"network"}
    assert {error.request.url for error in spider.refused} == {Request(url).url for url in targets}


async def test_refused_links_are_counted_without_errbacks(nursery):
    inside = await site(nursery, {}, INSIDE)
    web = await site(nursery, {"/": links(f"http://127.0.0.1:{inside.port}/")})

    class Plain(Spider):
        start_urls = [f"http://web.test:{web.port}/"]

        def parse(self, response):
            return response.follow_all()

    report = await run(Plain())
    assert (report.filtered, report.failed, inside.connections) == ({"network": 1}, 0, 0)


@pytest.mark.parametrize("first", ["/", "/page"])
async def test_a_redirect_to_another_network_is_refused_for_start_pages_too(nursery, first):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    web = await site(nursery, {"/": links("/page"), "/page": "hop"} | {first: f"to http://inside.test:{inside.port}/"})
    spider = Follow(f"http://web.test:{web.port}/")
    report = await run(spider)
    assert inside.connections == 0
    assert report.filtered == {"network": 1}
    assert report.samples["network"] == [f"http://inside.test:{inside.port}/"]
    assert len(spider.refused) == 1


async def test_a_robots_txt_that_redirects_to_another_network_is_unavailable(nursery):
    inside = await site(nursery, {"/robots.txt": "User-agent: *\nAllow: /"}, INSIDE)
    web = await site(nursery, {"/": "x", "/robots.txt": f"to http://127.0.0.1:{inside.port}/robots.txt"})
    report = await run(Follow(f"http://web.test:{web.port}/"), obey_robots=True)
    assert inside.connections == 0
    assert "/" not in web.heads
    assert (report.pages, report.filtered) == (0, {"network": 1})


@pytest.mark.parametrize("hook", ["answer", "fetch"])
async def test_a_start_page_answered_by_a_plugin_opens_its_network(nursery, tmp_path, hook):
    """The network is open from then on, also in later runs of the job."""
    other = await site(nursery, {"/": "y"}, "127.0.0.4")
    inside = await site(nursery, {"/a": links("/b", f"http://127.0.0.4:{other.port}/"), "/b": "x"}, INSIDE)

    async def known(self, request, send=None):
        if request.depth == 0:
            page = links(f"http://inside.test:{inside.port}/a")
            return Response(request.url, headers={"Content-Type": "text/html"}, body=page)
        return None

    cache = type("Cache", (Plugin,), {hook: known})
    first = f"http://inside.test:{inside.port}/"
    report = await run(Follow(first), plugins=[cache()], job=tmp_path / "job", max_pages=1)
    assert (report.finished, inside.connections) == ("max_pages", 0)
    report = await run(Follow(first), plugins=[cache()], job=tmp_path / "job")
    assert (report.pages, report.filtered, other.connections) == (4, {}, 1)  # it is on the network of the first page
    report = await run(Follow("http://web.test/"), plugins=[cache()])
    assert (report.pages, report.filtered) == (1, {"network": 1})


async def test_an_inline_fetch_is_refused_too(nursery):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    web = await site(nursery, {"/": "x", "/hop": f"to http://127.0.0.1:{inside.port}/"})
    seen = []

    class Inline(Spider):
        start_urls = [f"http://web.test:{web.port}/"]

        async def parse(self, response):
            for url in (f"http://127.0.0.1:{inside.port}/", f"http://inside.test:{inside.port}/", "/hop"):
                try:
                    await self.crawl.fetch(Request(response.urljoin(url)))
                except Refused as error:
                    seen.append(error.by)
            yield Request(f"http://127.0.0.1:{inside.port}/by-hand")
            self.crawl.add(Request(f"http://127.0.0.1:{inside.port}/added"))

    report = await run(Inline())
    assert seen == ["network"] * 3
    assert inside.connections == 0
    assert (report.filtered, report.failed) == ({"network": 5}, 0)


async def test_a_robots_txt_requested_by_a_callback_is_refused_too(nursery):
    """A request for the sitemaps of a URL does not make it a start page."""
    inside = await site(nursery, {"/": "secret", "/robots.txt": "Sitemap: /s.xml"}, INSIDE)
    web = await site(nursery, {"/": links(f"http://127.0.0.1:{inside.port}/")})

    class Sitemaps(Follow):
        async def parse(self, response):
            for url in response.hrefs():
                with pytest.raises(Refused):
                    await self.crawl.sitemaps_of(url)
            return super().parse(response)

    spider = Sitemaps(f"http://web.test:{web.port}/")
    report = await run(spider)
    assert (report.pages, report.filtered, inside.connections) == (1, {"network": 1}, 0)


async def test_sitemaps_named_by_a_robots_txt_open_no_network(nursery):
    inside = await site(nursery, {"/s.xml": "<urlset><url><loc>/</loc></url></urlset>", "/": "secret"}, INSIDE)
    web = await site(nursery, {"/robots.txt": f"Sitemap: http://127.0.0.1:{inside.port}/s.xml"})
    report = await run(SitemapSpider(start_urls=[f"http://web.test:{web.port}/"]))
    assert (report.pages, report.filtered, inside.connections) == (0, {"network": 1}, 0)
    web = await site(nursery, {"/robots.txt": "Sitemap: /s.xml", "/s.xml": "http://inside.test/"}, INSIDE)
    report = await run(SitemapSpider(start_urls=[f"http://inside.test:{web.port}/"]))
    assert (report.pages, report.filtered) == (1, {})


@pytest.mark.parametrize("hook", ["fetch", "measure"])
async def test_a_request_added_by_a_hook_is_refused_too(nursery, hook):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    web = await site(nursery, {"/": links(f"http://127.0.0.1:{inside.port}/")})

    class Adds(Plugin):
        async def fetch(self, request, send):
            response = await send(request)
            if hook == "fetch":
                self.add(response)
            return response

        def measure(self, usage):
            if hook == "measure" and usage.response is not None:
                self.add(usage.response)

        def add(self, response):
            for url in response.hrefs():
                self.crawl.add(Request(url))

    report = await run(Quiet(f"http://web.test:{web.port}/"), plugins=[Adds()])
    assert (report.pages, report.filtered, inside.connections) == (1, {"network": 1}, 0)


async def test_a_request_yielded_by_an_errback_is_refused_too(nursery):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    web = await site(nursery, {})

    class Again(Spider):
        def start(self):
            return Request(f"http://web.test:{web.port}/", errback=self.gave_up)

        def gave_up(self, failure):
            return Request(f"http://127.0.0.1:{inside.port}/", self.parse)

        def parse(self, response):
            raise AssertionError

    report = await run(Again())
    assert inside.connections == 0
    assert report.filtered == {"network": 1}


async def test_a_request_sent_by_a_sink_is_refused_too(nursery):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    web = await site(nursery, {"/": "x"})
    seen = []

    class Pictures(Plugin):
        name = "pictures"

        async def persist(self, batch):
            for row in batch:
                with pytest.raises(Refused) as caught:
                    await self.crawl.fetch(Request(row.value["url"]))
                seen.append(caught.value.by)

    class Item(Spider):
        start_urls = [f"http://web.test:{web.port}/"]
        plugins = [Pictures()]

        def parse(self, response):
            return {"url": f"http://127.0.0.1:{inside.port}/"}

    report = await run(Item())
    assert (seen, inside.connections, report.filtered) == (["network"], 0, {"network": 1})


@pytest.mark.parametrize("page", ["/", "/again"])
async def test_a_name_that_moves_to_another_network_is_refused(nursery, page):
    """DNS rebinding, also of the name of the start page."""
    web = await site(nursery, {"/": links("/again"), "/again": links("/more")})
    inside = await site(nursery, {"/": "secret", "/again": "secret"}, INSIDE, web.port)
    first = f"http://web.test:{web.port}/"
    spider = Follow(first) if page == "/again" else Follow(first, f"{first}again")
    report = await run(spider, Names(web=[WEB, INSIDE]))
    assert inside.connections == 0
    assert spider.pages == [first]
    assert report.filtered["network"] == 1


async def test_a_name_with_public_and_private_addresses_is_connected_to_at_the_public_one(nursery):
    class Both(Names):
        async def resolve(self, host, port):
            return (INSIDE, WEB, "10.0.0.1")

    web = await site(nursery, {"/": links("/a"), "/a": "x"})
    inside = await site(nursery, {"/": "secret"}, INSIDE, web.port)
    spider = Follow(f"http://both.test:{web.port}/")
    report = await run(spider, Both())
    assert (inside.connections, report.pages, report.filtered) == (0, 2, {})


async def test_a_kept_connection_is_checked_by_its_address(nursery):
    """The last check: the name is public now, but libcurl still has a connection to its previous address."""

    async def handler(peer):
        while await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    inside = await start(nursery, handler, INSIDE)
    names = Names(web=[INSIDE])
    async with CurlTransport(resolver=names) as transport:

        async def asked(**options):
            extensions = {EXTENSION: WireOptions(**options)}
            request = httpx.Request("GET", f"http://web.test:{inside.port}/", extensions=extensions)
            response = await transport.handle_async_request(request)
            return await response.aread()

        assert await asked() == b"ok"
        names.addresses["web"] = [WEB]
        with pytest.raises(Refused, match=r"not sent: 127\.0\.0\.1, on the loopback network"):
            await asked(address_guard=address_guard.AddressGuard())
        assert len(inside.heads) == 1
        names.addresses["web"] = [INSIDE]
        assert await asked(address_guard=address_guard.AddressGuard(), is_start_page=True) == b"ok"


@pytest.mark.parametrize("first", ["127.0.0.1", "inside.test", "localhost"])
async def test_a_crawl_that_starts_on_loopback_may_visit_all_of_it(nursery, first):
    other = await site(nursery, {"/": "x"}, "127.0.0.4")
    third = await site(nursery, {"/": "y"}, INSIDE)
    pages = {"/": links(f"http://127.0.0.4:{other.port}/", f"http://inside.test:{third.port}/", "http://10.0.0.1/",
                        "http://169.254.169.254/latest/")}  # fmt: skip
    inside = await site(nursery, pages, INSIDE)
    spider = Follow(f"http://{first}:{inside.port}/")
    report = await run(spider, Names(localhost=[INSIDE]), obey_robots=True)
    assert len(spider.pages) == 3
    assert report.filtered == {"network": 2}


async def test_a_late_start_page_opens_its_network_from_then_on(nursery):
    """Before, a link to the network and its robots.txt were refused."""
    inside = await site(nursery, {"/": links("/b"), "/a": "secret", "/b": "x"}, INSIDE)
    web = await site(nursery, {"/": links(f"http://127.0.0.1:{inside.port}/a")})

    class Late(Follow):
        async def start(self):
            yield Request(f"http://web.test:{web.port}/")
            while not self.crawl.stats.filtered:
                await trio.sleep(0.01)
            yield Request(f"http://127.0.0.1:{inside.port}/")

    spider = Late()
    report = await run(spider, obey_robots=True)
    assert sorted(inside.heads) == ["/", "/b", "/robots.txt"]
    assert (report.pages, report.filtered) == (3, {"network": 1})


async def test_start_pages_on_a_closed_network_are_refused_once(nursery):
    """Their robots.txt is not requested endlessly."""
    inside = await site(nursery, {}, INSIDE)
    first = f"http://127.0.0.1:{inside.port}/"
    report = await run(Follow(first, f"{first}a"), obey_robots=True, private_network=False)
    assert (report.finished, report.filtered, inside.connections) == ("finished", {"network": 2}, 0)


async def test_start_pages_whose_name_has_moved_are_refused_once(nursery):
    web = await site(nursery, {})
    inside = await site(nursery, {}, INSIDE, web.port)
    first = f"http://web.test:{web.port}/"
    report = await run(Follow(first, f"{first}a"), Names(web=[WEB, INSIDE]), obey_robots=True)
    assert (report.finished, report.filtered, inside.connections) == ("finished", {"network": 2}, 0)
    assert web.heads == ["/robots.txt"]


async def test_a_redirect_does_not_open_the_network_that_it_leads_to(nursery):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    web = await site(
        nursery, {"/": f"to http://127.0.0.1:{inside.port}/", "/a": links(f"http://127.0.0.1:{inside.port}/b")}
    )
    report = await run(Follow(f"http://web.test:{web.port}/", f"http://web.test:{web.port}/a"))
    assert (inside.connections, report.filtered) == (0, {"network": 2})


async def test_private_network_true_opens_all_networks(nursery):
    inside = await site(nursery, {"/": "x"}, INSIDE)
    web = await site(nursery, {"/": links(f"http://127.0.0.1:{inside.port}/")})
    report = await run(Follow(f"http://web.test:{web.port}/"), private_network=True)
    assert (report.pages, report.filtered) == (2, {})


async def test_private_network_false_closes_all_networks_to_start_pages_too(nursery):
    inside = await site(nursery, {"/": "x"}, INSIDE)
    spider = Follow(f"http://127.0.0.1:{inside.port}/")
    report = await run(spider, private_network=False)
    assert (report.pages, report.filtered, report.failed, inside.connections) == (0, {"network": 1}, 0, 0)
    assert len(spider.refused) == 1


async def test_an_inline_fetch_in_start_opens_its_network(nursery):
    """A login, for example, opens its network like a start page."""
    inside = await site(nursery, {"/login": "x", "/": "y"}, INSIDE)
    web = await site(nursery, {"/": links(f"http://127.0.0.1:{inside.port}/")})

    class Login(Follow):
        async def start(self):
            await self.crawl.fetch(Request(f"http://127.0.0.1:{inside.port}/login"))
            yield Request(f"http://web.test:{web.port}/")

    report = await run(Login())
    assert (report.pages, report.filtered) == (2, {})


async def test_a_resumed_job_keeps_its_open_networks(nursery, tmp_path):
    other = await site(nursery, {"/": "x"}, "127.0.0.4")
    inside = await site(nursery, {"/": links(f"http://127.0.0.4:{other.port}/", "http://10.0.0.1/")}, INSIDE)
    start_url = f"http://127.0.0.1:{inside.port}/"
    job = tmp_path / "job"
    for pages, filtered in ((1, {}), (2, {"network": 1})):
        settings = FREE | Settings(max_pages=pages if pages == 1 else None)
        report = await crawl(Job(start_url), settings=settings, transport=CurlTransport(resolver=Names()), job=job)
        assert (report.pages, report.filtered) == (pages, filtered)


class Job(Spider):
    """Follows every link."""

    def __init__(self, url):
        super().__init__()
        self.start_urls = [url]

    def parse(self, response):
        return response.follow_all()


async def test_a_proxy_resolves_names_itself_but_addresses_in_urls_are_checked(nursery):
    async def handler(peer):
        while await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    proxy = await start(nursery, handler, INSIDE)

    class Proxied(Spider):
        def start(self):
            return Request("http://web.test/", proxy=proxy.url)

        def parse(self, response):
            for url in ("http://inside.test/", "http://127.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://8.8.8.8/"):
                if response.depth == 0:
                    yield response.follow(url, proxy=proxy.url)

    report = await run(Proxied())
    asked = sorted(head.split()[1].decode() for head in proxy.heads)
    assert asked == ["http://8.8.8.8/", "http://inside.test/", "http://web.test/"]
    assert report.filtered == {"network": 2}


async def test_addresses_resolved_for_a_socks5_proxy_are_checked(nursery):
    inside = await site(nursery, {"/": "secret"}, INSIDE)
    proxy = await start(nursery, socks_proxy(), INSIDE)
    web = await site(nursery, {"/": links(f"http://inside.test:{inside.port}/")})
    rules = {"inside.test": f"socks5://{INSIDE}:{proxy.port}"}
    spider = Follow(f"http://web.test:{web.port}/")
    report = await run(spider, proxies=rules)
    assert (report.pages, report.filtered, proxy.heads, inside.connections) == (1, {"network": 1}, [], 0)
    report = await run(Follow(f"http://inside.test:{inside.port}/"), proxies=rules)
    assert (report.pages, proxy.heads) == (1, [INSIDE.encode()])


async def test_a_transport_without_addresses_is_not_checked(autojump_clock):
    class Links(Spider):
        start_urls = ["https://site.test/"]

        def parse(self, response):
            yield {"url": response.url}
            yield from response.follow_all()

    pages = FakeSite(
        {"/": links("http://127.0.0.1/", "http://10.0.0.1/"), "http://127.0.0.1/": "a", "http://10.0.0.1/": "b"}
    )
    found = await collect(Links(), pages)
    assert len(found.items) == 3
    assert found.report.filtered == {}


async def test_requests_of_the_client_are_not_checked(nursery):
    inside = await site(nursery, {"/": "x", "/hop": "to /"}, INSIDE)
    async with client(follow_redirects=True) as http:
        assert (await http.get(f"http://127.0.0.1:{inside.port}/hop")).text == "x"


def test_private_network_has_three_values():
    assert [Settings.from_strings({"private_network": text}).private_network for text in ("true", "false", "none")] == [
        True, False, None
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="^setting private_network: must be true, false or none"):
        Settings.from_strings({"private_network": "maybe"})
