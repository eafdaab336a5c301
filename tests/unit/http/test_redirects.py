"""Redirects: the next request by RFC 9110 section 15.4, without what must not follow it to another origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import BadRedirect, BadStatus, Request, Response
from crawler.http.redirects import redirect_request, refresh_request, refresh_targets

URL = "https://site.test/a/b?c"


def follow(
    request: Request | str = URL, status: int = 302, location: str | None = "/new", most: int = 10
) -> Request | None:
    request = Request(request) if isinstance(request, str) else request
    headers = {} if location is None else {"Location": location}
    return redirect_request(Response(request.url, status, headers, b"moved", request=request), max_redirects=most)


# ---- the method ------------------------------------------------------------------------------------------------------


@each(
    ("status", "method", "becomes"),
    [
        (301, "GET", "GET"), (301, "HEAD", "HEAD"), (301, "POST", "GET"), (301, "PUT", "PUT"), (301, "PATCH", "PATCH"),
        (302, "GET", "GET"), (302, "HEAD", "HEAD"), (302, "POST", "GET"), (302, "PUT", "PUT"), (302, "PATCH", "PATCH"),
        (303, "GET", "GET"), (303, "HEAD", "HEAD"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "DELETE", "GET"),
        (307, "GET", "GET"), (307, "HEAD", "HEAD"), (307, "POST", "POST"), (307, "PUT", "PUT"),
        (308, "GET", "GET"), (308, "HEAD", "HEAD"), (308, "POST", "POST"), (308, "DELETE", "DELETE"),
    ],
)  # fmt: skip
def test_the_method_after_a_redirect(status, method, becomes):
    request = Request(URL, method=method, body=b"x", headers={"X": "y"})
    target = follow(request, status)
    assert target.method == becomes
    same = becomes == method and not (status == 303 and method != "HEAD")
    assert target.body == (b"x" if same else b"")


@each("status", [200, 201, 300, 304, 305, 306, 309, 400, 404, 500])
def test_other_statuses_do_not_redirect(status):
    assert follow(status=status) is None


@each("status", [301, 302, 303, 307, 308])
@each("location", [None, ""])
def test_without_a_location_there_is_nothing_to_follow(status, location):
    assert follow(status=status, location=location) is None


def test_fields_that_describe_the_body_are_dropped_with_it():
    request = Request(
        URL,
        method="POST",
        json={},
        headers=[("X", "1"), ("CONTENT-Language", "de"), ("Content-Encoding", "gzip"), ("x", "2")],
    )
    assert follow(request, 303).headers.pairs == (("X", "1"), ("x", "2"))
    assert follow(request, 307).headers.pairs == request.headers.pairs
    assert follow(request, 307).body == b"{}"


# ---- the target ------------------------------------------------------------------------------------------------------


@each(
    ("location", "url"),
    [
        ("https://other.test", "https://other.test/"),
        ("//other.test/x", "https://other.test/x"),
        ("/x", "https://site.test/x"),
        ("x", "https://site.test/a/x"),
        ("?y", "https://site.test/a/b?y"),
        ("#top", URL),
        ("/x#top", "https://site.test/x"),
        (" /x ", "https://site.test/x"),
        ("http://site.test/", "http://site.test/"),
        ("/\u00c3\u00bc", "https://site.test/%C3%BC"),  # "/ü" in UTF-8, read as Latin-1 like every header field
        ("/\u00fc", "https://site.test/%C3%BC"),  # "/ü" in Latin-1
        ("/a b", "https://site.test/a%20b"),
    ],
)
def test_the_target_is_joined_as_browsers_do(location, url):
    assert follow(location=location).url == url


@each(
    "location",
    [
        "mailto:a@b.test",
        "javascript:x",
        "https://",
        "ftp://site.test/",
        "http://[",
        "data:,x",
        "file:///etc/passwd",
        "blob:x",
        "http://a b/",
        "http://site.test:99999/",
        "intent://x#Intent;end",
    ],
)
def test_a_target_that_is_not_a_web_url_is_a_bad_redirect(location):
    with pytest.raises(BadRedirect, match="^redirected to a target that is not a web URL: ") as caught:
        follow(status=301, location=location)
    assert isinstance(caught.value, BadStatus)
    assert caught.value.reason == "bad_redirect"
    assert caught.value.status == 301
    assert caught.value.request.url == URL
    assert not caught.value.retryable


@pytest.mark.parametrize("lines", [["/x", "/x"], ["/x", " /x "], ["", "/x"], ["/x", ""]])
def test_several_fields_that_say_the_same_are_one(lines):
    response = Response(URL, 302, [("Location", line) for line in lines], request=Request(URL))
    assert redirect_request(response, max_redirects=10).url == "https://site.test/x"


def test_several_fields_that_differ_are_a_bad_redirect():
    response = Response(URL, 302, [("Location", "/x"), ("location", "/y, z")], request=Request(URL))
    with pytest.raises(BadRedirect, match="^redirected to several places at once: '/x', '/y, z'$"):
        redirect_request(response, max_redirects=10)


def test_a_comma_belongs_to_the_target():
    assert follow(location="/a,b").url == "https://site.test/a,b"


# ---- the chain -------------------------------------------------------------------------------------------------------


def test_the_chain_is_kept_from_first_to_last():
    request = Request("https://site.test/0")
    for number in range(1, 4):
        request = follow(request, location=f"/{number}")
    assert request.url == "https://site.test/3"
    assert request.redirects == tuple(f"https://site.test/{number}" for number in range(3))


@pytest.mark.parametrize("most", [0, 1, 10])
def test_a_chain_has_an_end(most):
    request = Request(URL)
    for number in range(most):
        request = follow(request, location=f"/{number}", most=most)
    with pytest.raises(BadStatus, match=f"^more than {most} redirects$") as caught:
        follow(request, 307, location="/more", most=most)
    assert (caught.value.status, caught.value.retryable) == (307, False)
    assert caught.value.request is request
    assert caught.value.reason == "too_many_redirects"


def test_a_chain_that_goes_round_says_so():
    request = Request(URL)
    for number in range(4):
        request = follow(request, location="/b" if number % 2 == 0 else URL, most=4)
    with pytest.raises(BadRedirect, match="^more than 4 redirects, in a loop$") as caught:
        follow(request, location="/b", most=4)
    assert caught.value.reason == "redirect_loop"


def test_a_target_in_its_own_chain_is_fetched_again():
    """A page that sets a cookie and redirects to itself would be filtered as known."""
    assert follow(location=URL).dont_filter
    assert follow(location=URL + "#x").dont_filter
    assert follow(location="https://user@site.test/a/b?c").dont_filter
    there = follow(location="/login")
    assert not there.dont_filter
    assert follow(there, location=URL).dont_filter


def test_dont_filter_holds_after_a_redirect():
    assert follow(Request(URL, dont_filter=True)).dont_filter


# ---- fields and options that are kept --------------------------------------------------------------------------------

FULL = Request(
    URL, "parse_item", errback="failed", cookies={"c": "d"}, session="s", auth=("u", "p"), proxy="http://p.test",
    headers={"X": "y", "Authorization": "Bearer t", "Cookie": "a=b", "Host": "virtual.test"}, priority=3, lane="l",
    meta={"m": 1}, cb_kwargs={"k": 2}, quotas={"q": 1}, accept_status=[404], timeout=5, attempts=2, max_body=10,
    plugins={"x": False},
).replace(depth=4)  # fmt: skip
KEPT = [
    "callback", "errback", "session", "proxy", "meta", "cb_kwargs", "priority", "lane", "quotas", "accept_status",
    "timeout", "attempts", "max_body", "plugins", "depth",
]  # fmt: skip


@pytest.mark.parametrize("location", ["/new", "https://other.test/"])
@pytest.mark.parametrize("status", [301, 307])
def test_all_else_of_the_request_stays(location, status):
    target = follow(FULL, status, location)
    assert {name: getattr(target, name) for name in KEPT} == {name: getattr(FULL, name) for name in KEPT}


@pytest.mark.parametrize(("location", "expected"), [("/new", True), ("https://other.test/", False)])
def test_robots_txt_of_another_origin_is_obeyed(location, expected):
    assert follow(Request(URL, ignore_robots=True), location=location).ignore_robots is expected


def test_secrets_stay_on_their_origin():
    target = follow(FULL)
    assert (target.auth, target.cookies) == (("u", "p"), {"c": "d"})
    assert target.headers.pairs == FULL.headers.pairs


@each(
    "location",
    [
        "https://other.test/",
        "http://site.test/",
        "https://site.test:8443/",
        "https://www.site.test/",
        "https://site.test.evil.test/",
    ],
)
@each("status", [301, 303, 308])
def test_secrets_are_not_sent_to_another_origin(location, status):
    target = follow(FULL, status, location)
    assert (target.auth, target.cookies) == (None, {})
    assert target.headers.pairs == ()


@pytest.mark.parametrize("name", ["Authorization", "PROXY-AUTHORIZATION", "Cookie", "X-Api-Key", "Origin", "Host", "X"])
def test_fields_stay_on_their_origin_whatever_they_are_called(name):
    request = Request(URL, headers={name: "x", "Accept-Language": "de"})
    assert follow(request, location="/there").headers == request.headers
    for other in ("https://other.test/", "http://site.test/a/b?c", "https://site.test:444/"):
        assert follow(request, location=other).headers.pairs == (("Accept-Language", "de"),)


def test_fields_go_to_another_origin_if_they_are_named():
    request = Request(URL, headers={"X-Trace": "1", "X-Other": "2"})
    response = Response(URL, 302, [("Location", "https://other.test/")], request=request)
    target = redirect_request(response, max_redirects=3, portable={"x-trace"})
    assert target.headers.pairs == (("X-Trace", "1"),)
    refreshing = Response(URL, 200, [("Refresh", "0;url=https://other.test/")], request=request)
    target = refresh_request(refreshing, max_delay=1.0, max_redirects=3, portable={"x-other"})
    assert target.headers.pairs == (("X-Other", "2"),)


@pytest.mark.parametrize(
    ("start", "location", "kept"),
    [
        ("https://site.test/", "http://other.test/", False),
        ("https://site.test/", "http://site.test/", False),
        ("https://site.test/", "https://other.test/", False),
        ("https://site.test/", "https://site.test/to", True),
    ],
)
def test_a_referer_stays_on_its_origin(start, location, kept):
    request = Request(start, headers={"Referer": "https://site.test/from?token=abc"})
    assert ("referer" in follow(request, location=location).headers) is kept


def test_secrets_that_were_left_out_do_not_come_back():
    assert follow(follow(FULL, location="https://other.test/"), location=URL).auth is None


def test_a_password_in_a_location_is_not_used():
    target = follow(location="https://u:p@site.test/x")
    assert (target.url, target.auth) == ("https://site.test/x", None)


def test_the_request_itself_does_not_change():
    before = FULL.to_json()
    follow(FULL, 303, "https://other.test/")
    assert FULL.to_json() == before


@given(st.text(st.characters(max_codepoint=255)), st.sampled_from([301, 302, 303, 307, 308]))
def test_no_location_breaks_it(location, status):
    try:
        target = follow(FULL, status, location)
    except BadStatus:
        return
    if target is not None:
        assert Request.from_json(target.to_json()) == target
        assert Request(target.url).url == target.url


# ---- refreshes -------------------------------------------------------------------------------------------------------


def refresh(
    page: str = "",
    *fields: tuple[str, str],
    request: Request | str = URL,
    within: float = 5.0,
    most: int = 10,
    kind: str = "text/html",
) -> Request | None:
    request = Request(request) if isinstance(request, str) else request
    response = Response(request.url, 200, [("Content-Type", kind), *fields], page, request=request)
    return refresh_request(response, max_delay=within, max_redirects=most)


META = "<meta http-equiv=refresh content='{}'>"


@each(
    ("page", "fields", "url"),
    [
        (META.format("0;url=x"), [], "https://site.test/a/x"),
        (META.format("5;url=/x#top"), [], "https://site.test/x"),
        (META.format("6;url=/x"), [], None),
        ("<base href=/c/>" + META.format("0;url=x"), [], "https://site.test/c/x"),
        ("<base href=/c/>", [("Refresh", "0;url=x")], "https://site.test/a/x"),
        ("", [("refresh", "3; url=https://u:p@other.test/")], "https://other.test/"),
        ("", [("Refresh", "0;url=/\u00c3\u00bc")], "https://site.test/%C3%BC"),
        (META.format("0;url=/x"), [("Refresh", "0;url=/y")], "https://site.test/y"),
        (META.format("0;url=/x"), [("Refresh", "9;url=/y")], None),
        (META.format("0;url=/x"), [("Refresh", "soon")], "https://site.test/x"),
        (META.format("0;url=javascript:x()"), [], None),
        (META.format("0;url=file:///etc/passwd"), [], None),
        (META.format("0;url=http://["), [], None),
        (META.format("0"), [], None),
        (META.format("0;url=#here"), [], None),
        ("", [("Refresh", "")], None),
        ("", [], None),
    ],
)
def test_the_targets_of_a_refresh(page, fields, url):
    target = refresh(page, *fields)
    assert (None if target is None else target.url) == url


def test_a_page_that_is_not_html_is_not_looked_into_but_its_header_is():
    assert refresh(META.format("0;url=/x"), kind="text/plain") is None
    assert refresh("", ("Refresh", "0;url=/x"), kind="application/pdf").url == "https://site.test/x"


def test_a_refresh_is_a_redirect_by_get():
    request = Request(URL, method="POST", json={}, headers={"X": "y"}, auth=("u", "p"))
    target = refresh(META.format("0;url=/x"), request=request)
    assert (target.method, target.body, target.headers.pairs) == ("GET", b"", (("X", "y"),))
    assert (target.auth, target.redirects) == (("u", "p"), (URL,))
    assert refresh(META.format("0;url=//other.test/"), request=request).auth is None
    assert refresh("", ("Refresh", "0;url=/x"), request=Request(URL, method="HEAD")).method == "HEAD"


def test_a_page_that_refreshes_to_itself_is_fetched_once_more_only_if_it_set_a_cookie():
    assert refresh(META.format("0")) is None
    again = refresh(META.format("0"), ("Set-Cookie", "a=1"))
    assert (again.url, again.dont_filter) == (URL, True)
    assert refresh(META.format("0"), ("Set-Cookie", "a=1"), request=again) is None


def test_a_refresh_at_the_end_of_a_long_chain_is_not_followed():
    there = refresh(META.format("0;url=/x"))
    assert refresh(META.format(f"0;url={URL}"), request=there) is None
    assert refresh(META.format("0;url=/y"), request=there, most=1) is None
    assert refresh(META.format("0;url=/y"), request=there, most=2).redirects == (URL, "https://site.test/x")


@pytest.mark.parametrize(
    ("page", "fields", "targets"),
    [
        (META.format("3600;url=x"), [], ["x"]),
        (META.format("0;url=x") + META.format("0;url=y") + META.format("0;url=x"), [], ["x", "y"]),
        ("<noscript>" + META.format("0;url=x") + "</noscript>", [], ["x"]),
        (META.format("0;url=x"), [("Refresh", "9;url=y"), ("Refresh", "0;url=z")], ["y", "x"]),
        ("<base href=/c/>" + META.format("0;url=../a/x"), [("Refresh", "0;url=y")], ["y", "x"]),
        (META.format("0") + META.format("0;url=http://["), [("Refresh", "5")], []),
        (META.format("0;url=javascript:x()"), [("Refresh", "soon")], []),
        ("", [], []),
    ],
)
def test_every_page_that_a_page_refreshes_to_at_any_time(page, fields, targets):
    response = Response(URL, 200, [("Content-Type", "text/html"), *fields], page)
    assert refresh_targets(response) == [f"https://site.test/a/{name}" for name in targets]


def test_only_the_header_of_a_page_that_is_not_html_refreshes_it():
    fields = [("Content-Type", "text/plain"), ("Refresh", "0;url=/y")]
    assert refresh_targets(Response(URL, 200, fields, META.format("0;url=/x"))) == ["https://site.test/y"]
