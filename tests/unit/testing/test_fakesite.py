"""`FakeSite`: what stands where is answered, what was asked is logged, and delays are virtual."""

from __future__ import annotations

import math

import httpx
import pytest
import trio

from crawler.testing import FakeSite, Page, Visit


@pytest.fixture
async def client():
    """A function that makes a client of a site."""
    clients = []

    def make(site: FakeSite) -> httpx.AsyncClient:
        clients.append(httpx.AsyncClient(transport=site.transport))
        return clients[-1]

    yield make
    for made in clients:
        await made.aclose()


# ---- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "status", "kind", "body"),
    [
        ("ü", 200, "text/html; charset=utf-8", "ü".encode()),
        (b"\xff", 200, "text/html", b"\xff"),
        ("", 200, "text/html; charset=utf-8", b""),
        (Page("gone", 410), 410, "text/html; charset=utf-8", b"gone"),
        (Page({"a": [1]}), 200, "application/json", b'{"a":[1]}'),
        (Page([]), 200, "application/json", b"[]"),
        (Page(status=204), 204, "text/html", b""),
        (Page("User-agent: *", headers={"Content-Type": "text/plain"}), 200, "text/plain", b"User-agent: *"),
        (lambda request: "made", 200, "text/html; charset=utf-8", b"made"),
        (lambda request: Page(request.method, 201), 201, "text/html; charset=utf-8", b"GET"),
        (lambda request: [Page(status=503), "x"], 503, "text/html", b""),
    ],
)
async def test_a_page_can_have_many_forms(client, page, status, kind, body):
    response = await client(FakeSite({"/a": page})).get("https://site.test/a")
    assert (response.status_code, response.headers["content-type"], response.content) == (status, kind, body)


async def test_an_async_function_returns_a_page(client, autojump_clock):
    async def slow(request: httpx.Request) -> Page:
        await trio.sleep(5)
        return Page({"asked": request.url.path, "sent": request.content.decode()})

    response = await client(FakeSite({"/a": slow})).post("https://site.test/a", content="x")
    assert response.json() == {"asked": "/a", "sent": "x"}
    assert trio.current_time() == 5


async def test_header_fields_of_the_same_name_are_all_sent(client):
    site = FakeSite({"/": Page("x", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])})
    response = await client(site).get("https://site.test/")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_header_fields_may_hold_any_text(client):
    response = await client(FakeSite({"/": Page("x", headers={"X-Name": "ü"})})).get("https://site.test/")
    assert dict(response.headers.raw)[b"X-Name"] == "ü".encode()


async def test_the_pages_of_a_list_are_sent_in_order_and_the_last_one_is_repeated(client):
    site = FakeSite({"/a": [Page(status=503), httpx.ReadError("reset"), "healed"], "/b": ["first", "second"]})
    asking = client(site)
    assert (await asking.get("https://site.test/a")).status_code == 503
    assert (await asking.get("https://site.test/b")).text == "first"
    with pytest.raises(httpx.ReadError):
        await asking.get("https://site.test/a")
    assert [(await asking.get("https://site.test/a")).text for _ in range(3)] == ["healed"] * 3
    assert (await asking.get("https://site.test/b")).text == "second"


async def test_an_exception_is_raised_every_time_and_does_not_grow(client):
    error = httpx.ConnectError("refused")
    asking = client(FakeSite({"/a": error}))
    depths = []
    for _ in range(3):
        with pytest.raises(httpx.ConnectError) as caught:
            await asking.get("https://site.test/a")
        depths.append(len(caught.traceback))
    assert len(set(depths)) == 1


async def test_an_exception_that_a_function_returns_is_raised(client):
    with pytest.raises(httpx.ConnectTimeout):
        await client(FakeSite({"/a": lambda request: httpx.ConnectTimeout("late")})).get("https://site.test/a")


@pytest.mark.parametrize("page", [None, 5, {"a": 1}, [], [None], ["x", 5]])
def test_a_value_that_is_not_a_page_is_refused_at_once(page):
    with pytest.raises(TypeError, match=r"^not a page for /a: .* \(use Page\(value\) for JSON\)$"):
        FakeSite({"/a": page})


async def test_a_function_must_return_a_page(client):
    with pytest.raises(TypeError, match="not a page for https://site.test/a: None"):
        await client(FakeSite({"/a": lambda request: None})).get("https://site.test/a")


# ---- places ----------------------------------------------------------------------------------------------------------


async def test_pages_can_be_on_several_hosts(client):
    site = FakeSite(
        {"/": "a", "https://other.test/": "b", "http://site.test:8080/x#y": "c"}, host="https://www.site.test/"
    )
    urls = ["https://www.site.test/", "https://OTHER.test", "http://site.test:8080/x"]
    assert [(await client(site).get(url)).text for url in urls] == ["a", "b", "c"]


async def test_other_urls_are_not_found_including_robots_txt(client):
    asking = client(FakeSite({"/": "x"}))
    for url in (
        "https://site.test/robots.txt",
        "https://site.test/nothing",
        "http://site.test/",
        "https://other.test/",
    ):
        assert (await asking.get(url)).status_code == 404


async def test_a_query_has_its_own_page_or_that_of_its_path(client):
    site = FakeSite({"/list": "all", "/list?page=2": "second", "/search": lambda request: request.url.params["q"]})
    asking = client(site)
    urls = ["/list", "/list?page=1", "/list?page=2", "/search?q=books"]
    assert [(await asking.get(f"https://site.test{url}")).text for url in urls] == ["all", "all", "second", "books"]


async def test_a_url_is_found_in_any_spelling(client):
    site = FakeSite({"/ü": "umlaut", "/a b": "space"})
    assert (await client(site).get("https://site.test/%C3%BC")).text == "umlaut"
    assert (await client(site).get("https://site.test/a%20b")).text == "space"
    assert len(site.visits("/ü")) == 1


def test_a_key_that_is_not_a_url_is_refused():
    with pytest.raises(ValueError, match="not a URL: 'a'"):
        FakeSite({"a": "x"})


async def test_pages_may_change_at_any_time(client):
    site = FakeSite({})
    asking = client(site)
    assert (await asking.get("https://site.test/new")).status_code == 404
    site.pages["https://site.test/new"] = "here"
    assert (await asking.get("https://site.test/new")).text == "here"


async def test_head_has_the_headers_and_no_body(client):
    response = await client(FakeSite({"/": "x"})).head("https://site.test/")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "text/html; charset=utf-8"


# ---- the log ---------------------------------------------------------------------------------------------------------


async def test_the_log_has_every_visit_in_order(client, autojump_clock):
    site = FakeSite({"/a": Page(delay=2.0), "/b": httpx.ReadError("reset")})
    asking = client(site)
    await asking.post("https://site.test/a?x=1#y", content=b"body", headers={"X-Name": "value"})
    with pytest.raises(httpx.ReadError):
        await asking.get("https://site.test/b")
    await asking.get("https://other.test/")
    assert [(visit.at, visit.method, visit.url) for visit in site.log] == [
        (0.0, "POST", "https://site.test/a?x=1"), (2.0, "GET", "https://site.test/b"), (2.0, "GET", "https://other.test/")
    ]  # fmt: skip
    assert isinstance(site.log[0], Visit)
    assert site.log[0].headers["x-name"] == "value"
    assert site.log[0].body == b"body"


async def test_the_visits_of_one_url(client):
    site = FakeSite({"/a": "x"})
    for path in ("a", "b", "a"):
        await client(site).get(f"https://site.test/{path}")
    assert len(site.visits("/a")) == len(site.visits("https://site.test/a#x")) == 2
    assert site.visits("/c") == []


async def test_the_peak_is_the_largest_number_of_simultaneous_requests_per_host(client, autojump_clock):
    site = FakeSite({"/": Page(delay=1.0), "https://other.test/": Page(delay=1.0)})
    asking = client(site)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(asking.get, "https://site.test/")
        nursery.start_soon(asking.get, "https://other.test/")
    await asking.get("https://site.test/")
    assert site.peak == {"https://site.test": 3, "https://other.test": 1}


# ---- time ------------------------------------------------------------------------------------------------------------


async def test_a_delay_passes_in_virtual_time(client, autojump_clock):
    await client(FakeSite({"/": Page("x", delay=3600.0)})).get("https://site.test/", timeout=None)
    assert trio.current_time() == 3600


@pytest.mark.parametrize("delay", [3600.0, math.inf])
async def test_a_cancelled_delay_is_not_in_flight_any_more(client, autojump_clock, delay):
    site = FakeSite({"/": Page("x", delay=delay), "/fast": "y"})
    asking = client(site)
    with trio.move_on_after(5) as scope:
        await asking.get("https://site.test/")
    assert scope.cancelled_caught
    assert trio.current_time() == 5
    await asking.get("https://site.test/fast")
    assert site.peak["https://site.test"] == 1


async def test_every_response_lets_other_tasks_run(client):
    """Also without a delay: a crawl of a `FakeSite` cannot starve what runs beside it."""
    ran = False

    async def beside() -> None:
        nonlocal ran
        ran = True

    asking = client(FakeSite({"/": "x"}))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(beside)
        for _ in range(2):  # it becomes ready together with the first answer, in whichever order
            await asking.get("https://site.test/")
        assert ran
