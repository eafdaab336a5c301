"""`RequestTranslator`: requests there and back."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
import scrapy
from crawler_plugins.scrapy.handlers import Handlers
from crawler_plugins.scrapy.requests import RequestTranslator
from scrapy.http import FormRequest, JsonRequest
from scrapy.settings import Settings
from support.cases import each
from support.scrapy_site import SITE, run_scrapy

import crawler

URL = "https://site.test/"


class Spider(scrapy.Spider):
    name = "one"

    def parse_page(self, response): ...

    def start(self): ...

    def lost(self, failure): ...


def translator(spider=None, settings=None, *, durable=True):
    given = Settings(settings or {})
    handlers = Handlers(SimpleNamespace(settings=given))
    found = RequestTranslator(spider or Spider(), given, lambda name: name != "start", {}, handlers)
    found.durable = durable
    return found


def there_and_back(request, spider):
    requests = translator(spider)
    stored = crawler.Request.from_json(requests.to_crawl(request).to_json())
    return requests.to_scrapy(stored)


def test_a_plain_request_is_one_of_the_crawl():
    spider = Spider()
    made = translator(spider).to_crawl(scrapy.Request(URL, spider.parse_page))
    assert (made.url, made.callback, made.meta) == (URL, "parse_page", {})
    assert translator(spider).to_crawl(scrapy.Request(URL, spider.parse)).callback is None


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"method": "POST", "body": b"a=1"},
        {"headers": {"X-A": ["1", "2"]}},
        {"meta": {"day": dt.date(2026, 1, 31), "pair": (1, 2)}, "cb_kwargs": {"b": b"x"}},
        {"cookies": {"a": "1"}, "dont_filter": True, "priority": 7, "flags": ["f"]},
    ],
)
def test_a_request_survives_a_job(kwargs):
    spider = Spider()
    request = scrapy.Request(URL, spider.parse_page, errback=spider.lost, **kwargs)
    again = there_and_back(request, spider)
    assert again.meta.pop("depth") == 0
    again.meta.pop("is_start_request", None)  # since Scrapy 2.13
    assert again.to_dict(spider=spider) == request.to_dict(spider=spider)


@pytest.mark.parametrize("kind", [FormRequest, JsonRequest])
def test_a_request_keeps_its_class(kind):
    spider = Spider()
    again = there_and_back(kind(URL, callback=spider.start, method="POST", body=b"x"), spider)
    assert type(again) is kind
    assert again.callback == spider.start
    assert again.body == b"x"


@each(
    ("meta", "expected"),
    [
        ({"dont_retry": True}, {"attempts": 1}),
        ({"max_retry_times": 4}, {"attempts": 5}),
        ({"proxy": "http://proxy.test:1"}, {"proxy": "http://proxy.test:1"}),
        ({"download_timeout": 3}, {"timeout": 3.0}),
        ({"download_maxsize": 9}, {"max_body": 9}),
        ({"cookiejar": 1}, {"session": "1"}),
        ({"dont_obey_robotstxt": True}, {"ignore_robots": True}),
        ({"download_slot": "slot"}, {"lane": "slot"}),
        ({"handle_httpstatus_list": [404, 500]}, {"accept_status": (301, 302, 303, 307, 308, 404, 500)}),
        ({"handle_httpstatus_all": True}, {"accept_status": tuple(range(300, 600))}),
    ],
)
def test_keys_of_meta_are_options(meta, expected):
    made = translator().to_crawl(scrapy.Request(URL, meta=meta))
    assert {name: getattr(made, name) for name in expected} == expected


def test_user_and_password_go_to_their_domain():
    class Authorized(Spider):
        http_user = "me"
        http_pass = "word"
        http_auth_domain = "site.test"

    requests = translator(Authorized())
    assert requests.to_crawl(scrapy.Request("https://www.site.test/")).auth == ("me", "word")
    assert requests.to_crawl(scrapy.Request("https://other.test/")).auth is None


def test_cookies_of_the_session_replace_a_cookie_field():
    assert translator().to_crawl(scrapy.Request(URL, headers={"Cookie": "a=1"})).headers.pairs == ()
    alone = translator().to_crawl(scrapy.Request(URL, meta={"dont_merge_cookies": True}))
    assert alone.headers.pairs == (("Cookie", ""),)


def test_without_a_job_the_request_itself_comes_back():
    requests = translator(durable=False)
    request = scrapy.Request(URL, lambda response: None, meta={"list": []})
    made = requests.to_crawl(request)
    assert requests.to_scrapy(made) is request
    requests.forget([made])
    with pytest.raises(KeyError):
        requests.to_scrapy(made)


def test_a_job_names_values_that_it_cannot_store():
    requests = translator()
    with pytest.raises(TypeError, match=r"meta\['x'\] is a object, which has no form in JSON: a job keeps"):
        requests.to_crawl(scrapy.Request(URL, meta={"x": object()}))
    with pytest.raises(TypeError, match="the callback .*<lambda> is not a method of the spider"):
        requests.to_crawl(scrapy.Request(URL, lambda response: None))


def test_a_redirected_request_has_the_new_url():
    requests = translator(durable=False)
    made = requests.to_crawl(scrapy.Request(URL, method="POST", body=b"x", meta={"list": []}))
    again = requests.to_scrapy(made.replace(url=f"{URL}new", method="GET", body=b""))
    assert (again.url, again.method, again.body, again.meta["list"]) == (f"{URL}new", "GET", b"", [])


@pytest.mark.parametrize("value", ["ä", "日本", b"\xff\xe4", "a\tb"])
def test_a_header_value_that_is_not_ascii_is_sent_as_scrapy_sends_it(value):
    request = scrapy.Request(URL, headers={"X-A": value})
    requests = translator()
    made = crawler.Request.from_json(requests.to_crawl(request).to_json()).replace(method="POST")
    assert made.headers.encode() == [(b"X-A", request.headers["X-A"])]
    assert requests.to_scrapy(made).headers == request.headers


def test_a_field_of_a_request_replaces_that_of_all_requests():
    handlers = Handlers(SimpleNamespace(settings=Settings()))
    requests = RequestTranslator(Spider(), Settings(), bool, {"Host": "all.test", "X-Default": "1"}, handlers)
    made = requests.to_crawl(scrapy.Request(URL, headers={"host": "own.test", "X-A": ["1", "2"]}))
    assert made.headers.pairs == (("X-Default", "1"), ("Host", "own.test"), ("X-A", "1"), ("X-A", "2"))
    assert requests.to_crawl(scrapy.Request(URL)).headers.pairs == (("Host", "all.test"), ("X-Default", "1"))


def test_repeated_fields_are_all_sent_without_the_cookies_of_the_session():
    request = scrapy.Request(URL, headers={"X-A": ["1", "2"]}, meta={"dont_merge_cookies": True})
    assert translator().to_crawl(request).headers.pairs == (("X-A", "1"), ("X-A", "2"), ("Cookie", ""))


@pytest.mark.parametrize("is_durable", [False, True])
async def test_requests_that_copy_the_meta_of_a_response_stay_on_the_lane_of_their_host(
    is_durable, tmp_path, autojump_clock
):
    class Copies(scrapy.Spider):
        name = "copies"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield {"slot": response.meta["download_slot"]}
            if response.meta["depth"] < 2:
                for url in (f"{response.url}a", "https://other.test/"):
                    yield scrapy.Request(url, meta=response.meta)

    ran = await run_scrapy(Copies, dict.fromkeys(("/", "/a", "/aa"), "a"), job=tmp_path / "job" if is_durable else None)
    assert {lane: found["requests"] for lane, found in ran.report.lanes.items()} == {SITE: 3, "https://other.test": 2}
    assert {item["slot"] for item in ran.items} == {"site.test", "other.test"}


@pytest.mark.parametrize("is_durable", [False, True])
async def test_a_slot_of_a_response_stays_in_meta_under_another_key(autojump_clock, tmp_path, *, is_durable):
    class Remembers(scrapy.Spider):
        name = "remembers"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield scrapy.Request(f"{SITE}/a", self.second, meta={"from": response.meta["download_slot"]})

        def second(self, response):
            yield {"from": response.meta["from"]}

    ran = await run_scrapy(Remembers, dict.fromkeys(("/", "/a"), "a"), job=tmp_path / "job" if is_durable else None)
    assert ran.items == [{"from": "site.test"}]
