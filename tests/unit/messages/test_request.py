"""`Request`: the result of each argument, its errors, its identity and its copies. JSON: `test_request_json`."""

from __future__ import annotations

import copy
import datetime
import math
import pickle
import sys
from functools import partial
from typing import Any

import attrs
import httpx
import pytest
from support.cases import each
from support.shop_requests import FULL, SHOP, URL, Point, kept

from crawler import Headers, Request
from crawler.messages.request import is_start_page
from crawler.other_names import OTHER_NAMES

# ---- arguments -------------------------------------------------------------------------------------------------------


def test_a_request_is_a_url_and_defaults():
    request = Request("HTTPS://Site.test:443/a/../b#top")
    assert request.url == "https://site.test/b"
    assert (request.method, request.body, request.headers, request.callback) == ("GET", b"", {}, None)
    assert (request.priority, request.dont_filter, request.lane, request.session) == (0, False, None, "")
    assert (request.depth, request.redirects) == (0, ())
    assert repr(request) == "<Request GET https://site.test/b>"


@pytest.mark.parametrize(
    ("params", "url"),
    [
        ({"a": 1, "b": "x y"}, "https://site.test/?a=1&b=x+y"),
        ([("a", "1"), ("a", "2")], "https://site.test/?a=1&a=2"),
        ({"a": ["1", 2], "b": ()}, "https://site.test/?a=1&a=2"),
        ({"ü": "ß&="}, "https://site.test/?%C3%BC=%C3%9F%26%3D"),
        ({"raw": b"\xff"}, "https://site.test/?raw=%FF"),
        (
            {"yes": True, "no": False, "empty": None, "half": 0.5},
            "https://site.test/?yes=true&no=false&empty=&half=0.5",
        ),
        ({}, "https://site.test/"),
    ],
)
def test_params_become_the_query(params, url):
    assert Request(URL, params=params).url == url


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://site.test/?q=1", "https://site.test/?q=1&a=1"),
        ("https://site.test/?", "https://site.test/?a=1"),
        ("https://site.test/?q=1&", "https://site.test/?q=1&a=1"),
        ("https://site.test/p#f", "https://site.test/p?a=1"),
    ],
)
def test_params_are_appended_to_an_existing_query(before, after):
    assert Request(before, params={"a": 1}).url == after


def test_a_method_is_written_in_capitals():
    assert Request(URL, method="post").method == "POST"
    assert Request(URL, method="M-SEARCH").method == "M-SEARCH"


@pytest.mark.parametrize(
    ("given_", "body", "kind"),
    [
        ({"body": b"\x00\xff"}, b"\x00\xff", None),
        ({"body": "ü"}, b"\xc3\xbc", None),
        ({"json": {"a": [1, None, "ü"]}}, b'{"a":[1,null,"\xc3\xbc"]}', "application/json"),
        ({"json": []}, b"[]", "application/json"),
        ({"json": Point(1)}, b'{"x":1,"y":0.0}', "application/json"),
        ({"data": {"a": 1, "b": ["x y", "~*"]}}, b"a=1&b=x+y&b=%7E*", "application/x-www-form-urlencoded"),
        ({"data": [("a", "ü"), ("a", None)]}, b"a=%C3%BC&a=", "application/x-www-form-urlencoded"),
        ({"data": {}}, b"", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_is_given_in_one_of_three_forms(given_, body, kind):
    request = kept(Request(URL, method="POST", **given_))
    assert request.body == body
    assert request.headers.get("content-type") == kind


def test_a_content_type_that_was_given_stays():
    request = Request(URL, json={}, headers={"content-TYPE": "application/vnd.api+json"})
    assert request.headers.pairs == (("content-TYPE", "application/vnd.api+json"),)


def test_bytes_of_header_values_that_are_not_ascii_are_sent_as_they_are():
    fields = [("X-A", "日本".encode().decode("latin-1")), ("X-B", "\x80\xff")]
    request = Request(URL, headers=fields)
    assert request.headers.encode() == [(b"X-A", "日本".encode()), (b"X-B", b"\x80\xff")]
    assert Request.from_json(request.to_json()).replace(headers=[*request.headers.pairs]).headers == request.headers


def test_headers_keep_their_order_and_spelling():
    pairs = [("X-B", "1"), ("x-a", ""), ("X-B", "\t!~ ")]
    assert Request(URL, headers=pairs).headers.pairs == tuple(pairs)
    assert Request(URL, headers=Headers(pairs)).headers.pairs == tuple(pairs)
    assert Request(URL, headers={"X-B": "1"}).headers["x-b"] == "1"
    assert kept(Request(URL, headers={"Accept": None, "X": ""})).headers.pairs == (("Accept", ""), ("X", ""))


@each(
    ("url", "auth", "pair"),
    [
        ("https://site.test/", None, None),
        ("https://site.test/", ("user", "pass"), ("user", "pass")),
        ("https://site.test/", ["user", ""], ("user", "")),
        ("https://u%40:p%3A@site.test/", None, ("u@", "p:")),
        ("https://u:p@site.test/", ("user", "pass"), ("user", "pass")),
        ("https://site.test/", "Bearer a.b", "Bearer a.b"),
        ("https://u:p@site.test/", "Bearer a.b", "Bearer a.b"),
        ("https://u@site.test/", None, ("u", "")),
        ("https://a%3Ab:c@site.test/", None, None),
        ("https://a:b%0A@site.test/", None, None),
    ],
)
def test_auth_comes_from_the_argument_or_the_url_and_never_stays_in_it(url, auth, pair):
    request = kept(Request(url, auth=auth))
    assert (request.url, request.auth) == ("https://site.test/", pair)


def test_every_other_argument_is_kept_as_it_is():
    request = kept(
        Request(
            URL, "parse_item", errback="failed", cookies={"a": "b c", "c": ""}, session="ü", dont_filter=True,
            proxy="socks5h://p.test:1080", meta={"a": [1, 2.5, None, {"b": "c"}]}, priority=-5, lane="key:A",
            quotas={"key:A": 2, "b": 0.5}, accept_status=[404, 410], timeout=2.5, attempts=1, max_body=10,
            plugins={"browser": {"wait": "#app"}, "warc": False},
        ).replace(depth=3, redirects=("https://site.test/old",))
    )  # fmt: skip
    assert (request.callback, request.errback, request.cookies) == ("parse_item", "failed", {"a": "b c", "c": ""})
    assert (request.session, request.proxy) == ("ü", "socks5h://p.test:1080")
    assert request.meta == {"a": [1, 2.5, None, {"b": "c"}]}
    assert (request.priority, request.dont_filter, request.lane) == (-5, True, "key:A")
    assert (request.quotas, request.accept_status) == ({"key:A": 2, "b": 0.5}, (404, 410))
    assert (request.timeout, request.attempts, request.max_body) == (2.5, 1, 10)
    assert request.plugins == {"browser": {"wait": "#app"}, "warc": False}
    assert (request.depth, request.redirects) == (3, ("https://site.test/old",))


@pytest.mark.parametrize("name", ["lane", "proxy"])
def test_an_empty_callback_name_is_none(name):
    assert getattr(kept(Request(URL, **{name: ""})), name) is None


def test_accepted_statuses_may_come_from_anywhere():
    assert Request(URL, accept_status=range(500, 503)).accept_status == (500, 501, 502)
    assert Request(URL, accept_status=iter({404})).accept_status == (404,)


@each(("key", "meant"), [*OTHER_NAMES["meta"].items()])
def test_an_option_of_another_program_in_meta_is_refused_wherever_it_is_put_there(key, meant):
    own = Request(URL, meta={"shelf": 3})
    stored = Request.from_json(own.to_json())
    ways = [
        lambda: Request(URL, meta={"shelf": 3, key: 1}),
        lambda: own.replace(meta=own.meta | {key: 1}),
        lambda: Request(URL).meta.update({key: 1}),
        *(partial(request.meta.__setitem__, key, 1) for request in (own, stored, Request(URL))),
    ]
    for way in ways:
        with pytest.raises(ValueError, match="has no effect here") as caught:
            way()
        assert (
            str(caught.value) == f"meta[{key!r}] has no effect here: {meant} (a value of your own needs another name)"
        )
    assert own.meta == stored.meta == {"shelf": 3}


def test_names_that_data_may_have_are_values_of_meta():
    names = dict.fromkeys(("depth", "label", "lastmod", "timeout", "retries", "session", "download_latency"), 1)
    request = kept(Request(URL, meta=names))
    request.meta["Proxy"] = 2
    assert request.meta == names | {"Proxy": 2}


# ---- refusals --------------------------------------------------------------------------------------------------------

REFUSED = [
    ("url", 5, "url must be str, not int"),
    ("url", None, "url must be str, not NoneType"),
    ("url", b"https://site.test/", "url must be str, not bytes"),
    ("url", "/a", "not a URL: '/a'"),
    ("url", "ftp://site.test/", "not an http or https URL: 'ftp://site.test/'"),
    ("method", "", "method is not an HTTP method: ''"),
    ("method", "GET /", "method is not an HTTP method: 'GET /'"),
    ("method", "GÉT", "method is not an HTTP method: 'GÉT'"),
    ("method", None, "method must be str, not NoneType"),
    ("params", "a=b", "params must be a mapping or pairs, not str"),
    ("params", 5, "params must be a mapping or pairs, not int"),
    ("params", ["ab"], "params must be a mapping or pairs: str is not a pair"),
    ("params", [("a",)], "params must be a mapping or pairs: tuple is not a pair"),
    ("params", {"a": {"b": 1}}, "params['a'] must be text or a number, not dict"),
    ("params", {"a": [[1]]}, "params['a'] must be text or a number, not list"),
    ("params", {5: "a"}, "a name in params must be str, not int"),
    ("params", {"a": "\ud800"}, "params does not survive JSON"),
    ("headers", 5, "headers must be a mapping or pairs, not int"),
    ("headers", "A: b", "headers must be a mapping or pairs, not str"),
    ("headers", [("A",)], "headers must be a mapping or pairs: tuple is not a pair"),
    ("headers", {"A B": "c"}, "headers: not a field name: 'A B'"),
    ("headers", {"": "c"}, "headers: not a field name: ''"),
    ("headers", {"A:": "c"}, "headers: not a field name: 'A:'"),
    ("headers", {"Ä": "c"}, "headers: not a field name: 'Ä'"),
    ("headers", {5: "c"}, "headers: not a field name: 5"),
    ("headers", {"A": "b\r\nC: d"}, "headers: not a valid value for A: a line break that cannot be sent at position 2"),
    ("headers", {"A": "b\n"}, "headers: not a valid value for A: a line break that cannot be sent at position 2"),
    ("headers", {"A": "b\0"}, "headers: not a valid value for A: a NUL that cannot be sent at position 2"),
    ("headers", {"A": "日"}, "headers: not a valid value for A: a character that cannot be sent at position 1"),
    ("headers", {"A": 5}, "headers: not a valid value for A: must be text, not int"),
    ("headers", {"A": b""}, "headers: not a valid value for A: must be text, not bytes"),
    ("headers", Headers({"A": "\n"}), "headers: not a valid value for A: a line break that"),
    ("body", 5, "body must be bytes, not int"),
    ("body", {"a": 1}, "body must be bytes, not dict"),
    ("body", "\ud800", "body does not survive JSON"),
    ("json", object(), "json cannot be encoded"),
    ("json", {"a": "\ud800"}, "json cannot be encoded"),
    ("data", "a=b", "data must be a mapping or pairs, not str"),
    ("data", 5, "data must be a mapping or pairs, not int"),
    ("data", {"a": object()}, "data['a'] must be text or a number, not object"),
    ("data", {"a": "\ud800"}, "data does not survive JSON"),
    ("cookies", "a=b", "cookies must be Mapping, not str"),
    ("cookies", {"a": 1}, "cookies: not a valid value for a: must be text, not int"),
    ("cookies", {"a": "b; c"}, "cookies: not a valid value for a: a character that cannot be sent at position 2"),
    ("cookies", {"a": "b\r\nX: y"}, "cookies: not a valid value for a: a line break that cannot be sent at position 2"),
    ("cookies", {"a": "ü"}, "cookies: not a valid value for a"),
    ("cookies", {"a=b": "c"}, "cookies: not a cookie name: 'a=…'"),
    ("cookies", {"": "c"}, "cookies: not a cookie name: ''"),
    ("cookies", {1: "c"}, "cookies: not a cookie name: 1"),
    ("session", None, "session must be str, not NoneType"),
    ("session", "\ud800", "session does not survive JSON"),
    ("auth", "ab", "auth: a string must be a scheme and credentials, such as 'Bearer TOKEN'"),
    ("auth", "Bearer ", "auth: a string must be a scheme and credentials"),
    ("auth", "Bear:er x", "auth: a string must be a scheme and credentials"),
    ("auth", "Bearer x\r\nEvil: y", "auth: a string must be a scheme and credentials"),
    ("auth", ("a",), "auth must be a user and a password, or text such as 'Bearer TOKEN', not tuple"),
    ("auth", httpx.Auth(), "auth must be a user and a password, or text such as 'Bearer TOKEN', not Auth; put it"),
    ("auth", 5, "auth must be a user and a password, or text such as 'Bearer TOKEN', not int"),
    ("auth", ("a", None), "auth must be str, not NoneType"),
    ("auth", ("a:b", "c"), "auth: the user must have no colon"),
    ("auth", ("a", "\n"), "auth: the user must have no colon, and neither part control characters"),
    ("proxy", 5, "proxy must be str, not int"),
    ("proxy", "p.test:8080", "proxy is not the URL of an http, https, socks5 or socks5h proxy"),
    ("proxy", "ftp://p.test", "proxy is not the URL of an http, https, socks5 or socks5h proxy"),
    ("proxy", "http://", "proxy is not the URL of an http, https, socks5 or socks5h proxy: 'http://'"),
    ("proxy", "http://p.test:99999", "proxy is not the URL of an"),
    ("proxy", "http://me:secret@p.test/a", "proxy is not the URL of an http, https, socks5 or socks5h proxy: 'http://***@"),
    ("proxy", "http://p.test/\r\nX", "proxy is not the URL of an"),
    ("meta", [1], "meta must be Mapping, not list"),
    ("meta", {1: 2}, "a name in meta must be str, not int"),
    ("meta", {"a": {1: 2}}, "meta['a'] does not survive JSON: {1: 2} (dict)"),
    ("meta", {"a": (1,)}, "meta['a'] does not survive JSON: (1,) (tuple)"),
    ("meta", {"a": [(1,)]}, "meta['a'] does not survive JSON"),
    ("meta", {"a": {"b"}}, "meta['a'] does not survive JSON"),
    ("meta", {"a": math.nan}, "meta['a'] does not survive JSON: nan"),
    ("meta", {"a": [math.inf]}, "meta['a'] does not survive JSON"),
    ("meta", {"a": b"b"}, "meta['a'] does not survive JSON"),
    ("meta", {"a": datetime.date(2026, 1, 1)}, "meta['a'] does not survive JSON"),
    ("meta", {"a": Point(1)}, "meta['a'] does not survive JSON"),
    ("meta", {"a": object()}, "meta['a'] does not survive JSON"),
    ("meta", {"a": "\ud800"}, "meta['a'] does not survive JSON"),
    ("meta", {"\ud800": 1}, "a name in meta does not survive JSON"),
    ("cb_kwargs", [1], "cb_kwargs must be Mapping, not list"),
    ("cb_kwargs", {1: 2}, "a name in cb_kwargs must be str, not int"),
    ("cb_kwargs", {"a": object()}, "cb_kwargs['a'] does not survive JSON"),
    ("cb_kwargs", {"a": math.nan}, "cb_kwargs['a'] does not survive JSON"),
    ("priority", "1", "priority must be int, not str"),
    ("priority", 1.0, "priority must be int, not float"),
    ("priority", True, "priority must be int, not bool"),
    ("priority", 2**64, "priority must be smaller, not 18446744073709551616"),
    ("dont_filter", "no", "dont_filter must be bool, not str"),
    ("ignore_robots", "yes", "ignore_robots must be bool, not str"),
    ("ignore_robots", 1, "ignore_robots must be bool, not int"),
    ("lane", 5, "lane must be str, not int"),
    ("lane", "\ud800", "lane does not survive JSON"),
    ("quotas", ["a"], "quotas must be Mapping, not list"),
    ("quotas", {"a": "2"}, "quotas['a'] must be a number, not str"),
    ("quotas", {"a": True}, "quotas['a'] must be a number, not bool"),
    ("quotas", {"a": 0}, "quotas['a'] must be a number above 0, not 0"),
    ("quotas", {"a": math.inf}, "quotas['a'] must be a number above 0, not inf"),
    ("quotas", {5: 1}, "a name in quotas must be str, not int"),
    ("accept_status", 404, "accept_status must be an iterable of HTTP statuses, not int"),
    ("accept_status", ["404"], "a status in accept_status must be int, not str"),
    ("accept_status", "404", "a status in accept_status must be int, not str"),
    ("accept_status", [99], "accept_status: not an HTTP status: 99"),
    ("timeout", 0, "timeout must be a number above 0, not 0"),
    ("timeout", -1.0, "timeout must be a number above 0, not -1.0"),
    ("timeout", math.nan, "timeout must be a number above 0, not nan"),
    ("timeout", math.inf, "timeout must be a number above 0, not inf"),
    ("timeout", "5", "timeout must be a number, not str"),
    ("timeout", True, "timeout must be a number, not bool"),
    ("attempts", 0, "attempts must be at least 1, not 0"),
    ("attempts", 1.5, "attempts must be int, not float"),
    ("max_body", 0, "max_body must be at least 1, not 0"),
    ("max_body", "1", "max_body must be int, not str"),
    ("plugins", ["a"], "plugins must be Mapping, not list"),
    ("plugins", {"a": {"b": object()}}, "plugins['a'] does not survive JSON"),
    ("callback", 5, "callback must be a method of the spider or its name, not 5"),
    ("callback", "not a name", "callback is not the name of a method: 'not a name'"),
    ("callback", "", "callback is not the name of a method: ''"),
    ("callback", lambda response: None, "callback must be a method of the spider or its name"),
    ("callback", SHOP.static, "callback must be a method of the spider or its name"),
    ("callback", SHOP.none, "callback Shop.none cannot be called: too many positional arguments"),
    ("callback", SHOP.needs, ("callback Shop.needs cannot be called: missing a required argument: "
     "'category'; pass it in cb_kwargs, or write def needs(self, response)")),
    ("errback", 5, "errback must be a method of the spider or its name, not 5"),
    ("errback", "a.b", "errback is not the name of a method: 'a.b'"),
    ("errback", SHOP.none, "errback Shop.none cannot be called: too many positional arguments"),
]  # fmt: skip


@each(("name", "value", "words"), REFUSED)
def test_an_invalid_value_is_refused_with_the_name_of_its_argument(name, value, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        Request(**({"url": URL} | {name: value}))
    assert str(caught.value).startswith(words)


def test_every_argument_that_can_be_invalid_is_in_the_table():
    assert {name for name, *_ in REFUSED} == set(Request.__init__.__annotations__) - {"return"}


@pytest.mark.parametrize("two", [{"body": b"a", "json": {}}, {"body": "", "data": {}}, {"json": 1, "data": {}}])
def test_two_bodies_are_refused(two):
    with pytest.raises(TypeError, match="give only one of body, json and data"):
        Request(URL, **two)


def test_a_value_that_holds_itself_is_refused():
    loop: list[Any] = []
    loop.append(loop)
    for name in ("meta", "cb_kwargs", "plugins"):
        with pytest.raises(TypeError, match=r"\['a'\] does not survive JSON"):
            Request(URL, **{name: {"a": loop}})
    with pytest.raises(TypeError, match="json cannot be encoded"):
        Request(URL, json=loop)


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="colour"):
        Request(URL, colour="red")


# ---- identity --------------------------------------------------------------------------------------------------------


def test_the_key_of_a_plain_request_is_its_url():
    assert Request("https://SITE.test/a#b", headers={"A": "b"}, session="x", priority=3).key == "https://site.test/a"


@pytest.mark.parametrize(
    "other",
    [
        Request(URL, method="HEAD"),
        Request(URL, method="POST"),
        Request(URL, body=b"a"),
        Request(URL, method="POST", body=b"a"),
        Request(URL, method="POST", body=b"b"),
        Request(URL, method="PUT", body=b"a"),
        Request("https://site.test/?a=1"),
    ],
    ids=lambda request: request.key,
)
def test_another_method_body_or_url_is_another_request(other):
    others = [Request(URL), Request(URL, method="POST", body=b"c"), Request("https://other.test/")]
    assert other.key not in {request.key for request in others}


def test_a_key_of_one_request_is_never_that_of_another_url():
    """A URL contains no space, so the parts of a key cannot be confused."""
    assert Request(URL, method="POST").key == "POST https://site.test/ "
    assert Request("https://site.test/POST%20x").key == "https://site.test/POST%20x"


def test_requests_are_equal_if_every_field_is():
    assert Request(URL) == Request("https://site.test")
    assert hash(Request(URL)) == hash(Request(URL, priority=1))
    assert Request(URL) != Request(URL, priority=1)
    assert Request(URL) != Request(URL).replace(depth=1)
    assert Request(URL) != URL


def test_a_request_does_not_change():
    meta = {"a": 1}
    request = Request(URL, meta=meta)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.url = "https://other.test/"  # type: ignore[misc]
    meta["b"] = 2
    assert request.meta == {"a": 1}


def test_a_request_can_be_pickled_and_copied():
    for request in (Request(URL), FULL):
        for twin in (pickle.loads(pickle.dumps(request)), copy.copy(request), copy.deepcopy(request)):
            assert twin == request
            assert twin is not request


def test_an_attribute_that_a_request_does_not_have_is_an_error():
    with pytest.raises(AttributeError, match="'Request' object has no attribute 'callbak'"):
        Request(URL).callbak  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del Request(URL, priority=1).priority


def test_most_requests_are_small():
    """A page has a hundred links, and a crawl holds many."""
    plain = Request(URL)
    assert sys.getsizeof(plain) <= 88
    assert plain.to_json() == b'{"url":"%s"}' % URL.encode()


def test_replacing_nothing_changes_nothing():
    assert FULL.replace() == FULL
    assert FULL.replace() is not FULL
    assert FULL.replace().headers.pairs == FULL.headers.pairs


def test_no_field_has_its_default_in_the_full_request():
    plain = Request(URL)
    assert [name for name in Request.__annotations__ if getattr(FULL, name) == getattr(plain, name)] == []


@each(
    ("changes", "field", "value"),
    [
        ({"url": "https://site.test/z"}, "url", "https://site.test/z"),
        ({"params": {"c": 1}}, "url", "https://site.test/a?b&c=1"),
        ({"method": "put"}, "method", "PUT"),
        ({"body": b"x"}, "body", b"x"),
        ({"meta": {}}, "meta", {}),
        ({"meta": None}, "meta", {}),
        ({"callback": None}, "callback", None),
        ({"callback": SHOP.typed}, "cb_kwargs", {"when": "2026-01-01T00:00:00Z", "pair": [1, 2]}),
        ({"cb_kwargs": {"pair": (3, 4)}}, "cb_kwargs", {"pair": [3, 4]}),
        ({"lane": None}, "lane", None),
        ({"priority": 9}, "priority", 9),
        ({"depth": 0}, "depth", 0),
        ({"redirects": ()}, "redirects", ()),
    ],
)
def test_one_field_is_replaced_and_the_others_stay(changes, field, value):
    changed = FULL.replace(**changes)
    assert getattr(changed, field) == value
    others = set(Request.__annotations__) - {field, *changes}
    assert [name for name in others if getattr(changed, name) != getattr(FULL, name)] == []


def test_a_new_form_or_json_brings_its_own_content_type():
    changed = FULL.replace(data={"a": 1})
    assert (changed.body, changed.headers["content-type"]) == (b"a=1", "application/x-www-form-urlencoded")
    assert changed.headers["x-a"] == "1, 2"
    assert FULL.replace(json=[1]).headers.get_list("content-type") == ["application/json"]


def test_a_password_does_not_follow_to_another_origin():
    assert FULL.replace(url="https://other.test/").auth is None
    assert FULL.replace(url="http://site.test/").auth is None
    assert FULL.replace(url="https://other.test/", auth=("u", "p")).auth == ("u", "p")
    assert FULL.replace(url="https://x:y@other.test/").auth == ("x", "y")
    assert FULL.replace(url="https://site.test/other").auth == ("u", "p")


def test_a_wrong_replacement_is_refused_like_a_wrong_argument():
    with pytest.raises(TypeError, match="priority must be int"):
        FULL.replace(priority="high")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        FULL.replace(colour="red")
    with pytest.raises(ValueError, match="not a URL"):
        FULL.replace(url="/a")
    with pytest.raises(TypeError, match="missing a required argument: 'category'"):
        Request(URL).replace(callback=SHOP.needs)


def test_links_and_targets_of_redirects_are_not_start_pages():
    request = Request("http://a.test/")
    assert is_start_page(request)
    assert not is_start_page(request.replace(depth=1))
    assert not is_start_page(request.replace(redirects=("http://b.test/",)))
