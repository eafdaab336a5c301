"""Cookies clause by clause: examples and algorithms of RFC 6265, and changes by browsers since (6265bis)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cases import each

from crawler.http import cookies
from crawler.http.cookies import MAX_COOKIES_PER_SITE, CookieJar
from crawler.http.set_cookie import MAX_ATTRIBUTE_SIZE, MAX_COOKIE_SIZE, Cookie, parse_set_cookie

NOW = 1_800_000_000.0
HOST = "https://www.example.com/"
PLAIN = "http://www.example.com/"


def jar_of(*fields: str, url: str = HOST, now: float = NOW) -> CookieJar:
    jar = CookieJar()
    jar.store("", url, fields, now)
    return jar


# ---- 3.1 the examples ------------------------------------------------------------------------------------------------


def test_3_1_the_session_identifier_goes_back():
    assert jar_of("SID=31d4d96e407aad42").header("", HOST, NOW) == "SID=31d4d96e407aad42"


def test_3_1_path_and_domain_of_the_example():
    jar = jar_of("SID=31d4d96e407aad42; Path=/; Domain=example.com", url="https://example.com/deep/page")
    assert jar.header("", "https://sub.example.com/anywhere", NOW) == "SID=31d4d96e407aad42"


def test_3_1_two_cookies_go_back_in_one_field():
    jar = jar_of("SID=31d4d96e407aad42; Path=/; Secure; HttpOnly", "lang=en-US; Path=/; Domain=example.com")
    assert jar.header("", HOST, NOW) == "SID=31d4d96e407aad42; lang=en-US"
    assert jar.header("", PLAIN, NOW) == "lang=en-US"


def test_3_1_the_one_that_expires_in_2021_is_gone_then_and_an_old_date_removes_it():
    field = "lang=en-US; Expires=Wed, 09 Jun 2021 10:18:14 GMT"
    jar = jar_of("SID=31d4d96e407aad42", field, now=1_600_000_000.0)
    assert jar.header("", HOST, 1_623_233_893.9) == "SID=31d4d96e407aad42; lang=en-US"
    assert jar.header("", HOST, 1_623_233_894.0) == "SID=31d4d96e407aad42"
    jar.store("", HOST, ["lang=en-US", "lang=; Expires=Sun, 06 Nov 1994 08:49:37 GMT"], NOW)
    assert jar.header("", HOST, NOW) == "SID=31d4d96e407aad42"


# ---- 4.1.2 the attributes --------------------------------------------------------------------------------------------


def test_4_1_2_a_cookie_of_the_same_name_domain_and_path_is_replaced_across_schemes():
    jar = jar_of("a=1; Secure; Path=/")
    jar.store("", HOST, ["a=2; Path=/"], NOW)
    assert jar.header("", PLAIN, NOW) == "a=2"
    assert len(jar) == 1


def test_4_1_2_2_max_age_goes_before_expires():
    cookie = parse_set_cookie("a=1; Max-Age=60; Expires=Wed, 09 Jun 2021 10:18:14 GMT", HOST, NOW)
    assert cookie is not None
    assert cookie.expires == NOW + 60
    later_one = parse_set_cookie("a=1; Expires=Wed, 09 Jun 2038 10:18:14 GMT; Max-Age=60", HOST, NOW)
    assert later_one == cookie


def test_4_1_2_3_a_foreign_domain_is_refused_and_a_parent_is_taken():
    assert parse_set_cookie("a=1; Domain=example.com", "https://foo.example.com/") is not None
    assert parse_set_cookie("a=1; Domain=foo.example.com", "https://foo.example.com/") is not None
    assert parse_set_cookie("a=1; Domain=bar.example.com", "https://foo.example.com/") is None
    assert parse_set_cookie("a=1; Domain=baz.foo.example.com", "https://foo.example.com/") is None


@pytest.mark.parametrize("attribute", ["SameSite=Strict", "SameSite=None", "Partitioned"])
def test_attributes_about_frames_change_nothing(attribute):
    """Browsers require `Secure` for `SameSite=None`, which is about frames; a crawler has no frames."""
    assert parse_set_cookie(f"a=1; {attribute}", PLAIN, NOW) == parse_set_cookie("a=1", PLAIN, NOW)


@pytest.mark.parametrize("attribute", ["HttpOnly", "httponly=x"])
def test_4_1_2_6_a_cookie_that_scripts_do_not_see_is_sent_as_any_other(attribute):
    cookie = parse_set_cookie(f"a=1; {attribute}", PLAIN, NOW)
    assert cookie.http_only
    assert replace(cookie, http_only=False) == parse_set_cookie("a=1", PLAIN, NOW)


# ---- 5.2 parsing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("a=1;b=2", "a", "1"),
        ("a = 1 ;", "a", "1"),
        ("a==", "a", "="),
        ('a="1; b=2"', "a", '"1'),
        ("$Version=1; a=2", "$Version", "1"),
        ("a=1, b=2", "a", "1, b=2"),
        ("a b=c d", "a b", "c d"),
    ],
)
def test_5_2_the_pair_is_cut_at_the_first_semicolon_and_the_first_equals_sign(field, name, value):
    cookie = parse_set_cookie(field, HOST)
    assert cookie is not None
    assert (cookie.name, cookie.value) == (name, value)


@pytest.mark.parametrize("field", ["a", "=a", " = a", "a; b=1"])
def test_6265bis_a_cookie_without_a_name_is_kept_and_sent_as_its_value(field):
    """RFC 6265 ignores it; browsers do not."""
    jar = CookieJar()
    jar.store("", HOST, [field, "n=1"], NOW)
    assert jar.header("", HOST, NOW) == "a; n=1"
    jar.store("", HOST, ["b", "=; Max-Age=0"], NOW)
    assert jar.header("", HOST, NOW) == "b; n=1"
    jar.store("", HOST, ["x; Max-Age=0"], NOW)
    assert jar.header("", HOST, NOW) == "n=1"


@pytest.mark.parametrize("field", ["", "=", ";a=1", " = ;", "__Secure-a", "=__Host-a=1", "=__HOST-a"])
def test_6265bis_a_cookie_without_name_and_value_or_that_looks_like_a_prefixed_one_is_ignored(field):
    assert parse_set_cookie(field, HOST) is None


@each("code", [*range(9), *range(10, 32), 127])
@each("place", ["a{}b=c", "a=b{}c", "a=b; Path=/{}", "a=b; {}"])
def test_6265bis_a_control_character_makes_it_void(code, place):
    assert parse_set_cookie(place.format(chr(code)), HOST) is None


@pytest.mark.parametrize("place", ["a\tb=c", "a=b\tc", "a=b; Path=/\t"])
def test_6265bis_a_tab_is_not_a_forbidden_control_character(place):
    assert parse_set_cookie(place, HOST) is not None


def test_6265bis_name_and_value_may_have_4096_bytes_together():
    assert parse_set_cookie(f"{'n' * 96}={'v' * (MAX_COOKIE_SIZE - 96)}", HOST) is not None
    assert parse_set_cookie(f"{'n' * 97}={'v' * (MAX_COOKIE_SIZE - 96)}", HOST) is None


@pytest.mark.parametrize(
    ("attribute", "name"), [("Path=/{}", "path"), ("Max-Age=-{}", "expires"), ("Domain={}.example.com", "domain")]
)
def test_6265bis_an_attribute_of_more_than_1024_bytes_is_as_if_it_were_not_there(attribute, name):
    plain = parse_set_cookie("a=1", HOST, NOW)
    assert parse_set_cookie(f"a=1; {attribute.format('1' * MAX_ATTRIBUTE_SIZE)}", HOST, NOW) == plain


@pytest.mark.parametrize("text", ["9" * 400, "9" * 1024, "99999999999999999999999"])
def test_5_2_2_a_max_age_beyond_64_bits_is_a_very_long_time(text):
    jar = jar_of(f"a=1; Max-Age={text}")
    assert jar.header("", HOST, NOW + 1e12) == "a=1"
    [(session, cookie, there)] = jar.take_changes()
    assert there
    again = CookieJar()
    again.restore([(session, msgspec.json.encode(cookie))])
    assert again.header("", HOST, NOW + 1e12) == "a=1"


def test_5_2_2_a_max_age_of_nothing_or_less_ends_it_at_once():
    for text in ("0", "-1", "-0", "00", "-" + "9" * 400):
        assert jar_of("a=1", f"a=2; Max-Age={text}").header("", HOST, NOW) == "", text


def test_the_lifetime_of_a_cookie_is_not_capped_at_400_days():
    """6265bis caps the lifetime of cookies to protect people; a crawl ends sooner."""
    cookie = parse_set_cookie("a=1; Max-Age=315360000", HOST, NOW)
    assert cookie is not None
    assert cookie.expires == NOW + 315360000


# ---- 5.3 the storage model -------------------------------------------------------------------------------------------


@each(
    ("url", "domain", "taken"),
    [
        ("https://a.co.uk/", "co.uk", False),
        ("https://a.co.uk/", ".co.uk", False),
        ("https://a.b.kawasaki.jp/", "b.kawasaki.jp", False),  # *.kawasaki.jp
        ("https://x.city.kawasaki.jp/", "city.kawasaki.jp", True),  # !city.kawasaki.jp
        ("https://me.github.io/", "github.io", False),
        ("https://www.me.github.io/", "me.github.io", True),
        ("https://me.blogspot.com/", "blogspot.com", False),
        ("https://shop.example.unheard-of/", "unheard-of", False),
        ("https://shop.example.unheard-of/", "example.unheard-of", True),
        ("https://www.xn--bcher-kva.example/", "xn--bcher-kva.example", True),
        ("https://www.xn--bcher-kva.example/", "b\u00fccher.example", False),  # 6265bis: no character above ASCII
        ("http://127.0.0.1/", "127.0.0.1", True),
        ("http://127.0.0.1/", ".127.0.0.1", True),
        ("http://127.0.0.1/", "0.0.1", False),
        ("http://[2001:db8::1]/", "[2001:db8::1]", True),
        ("http://[2001:db8::1]/", "db8::1]", False),
    ],
)
def test_5_3_step_5_a_public_suffix_is_not_a_domain_of_a_cookie(url, domain, taken):
    assert (parse_set_cookie(f"a=1; Domain={domain}", url) is not None) is taken


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://[::1]/", "https://github.io/", "http://localhost/"])
def test_5_3_step_5_one_that_is_the_host_itself_stays_on_it(url):
    host = url.partition("//")[2].rstrip("/")
    cookie = parse_set_cookie(f"a=1; Domain={host}", url)
    assert cookie is not None
    assert (cookie.domain, cookie.host_only) == (host, True)


@pytest.mark.parametrize("host", ["www.example.com.", "com", "a.b.c.d.example", "xn--p1ai", "1.2.3.4", "[::]"])
def test_no_host_breaks_the_jar(host):
    url = f"https://{host}/"
    assert jar_of("a=1", url=url).header("", url, NOW) == "a=1"


def test_5_3_step_11_a_new_one_keeps_the_place_of_the_old_one_in_time():
    jar = jar_of("a=1", "b=2")
    jar.store("", HOST, ["a=3"], NOW + 1)
    assert jar.header("", HOST, NOW + 1) == "a=3; b=2"


def test_5_3_an_expired_cookie_leaves_the_jar_and_the_job():
    jar = jar_of("a=1; Max-Age=10", "b=2")
    jar.take_changes()
    assert jar.header("", HOST, NOW + 10) == "b=2"
    assert len(jar) == 1
    assert [(cookie.name, there) for _, cookie, there in jar.take_changes()] == [("a", False)]


def test_5_3_the_removal_of_a_missing_cookie_leaves_nothing():
    jar = jar_of("a=1; Max-Age=0")
    assert len(jar) == 0
    assert jar.take_changes() == []


def test_a_cookie_that_is_set_again_as_it_is_changes_nothing():
    jar = jar_of("a=1; Path=/")
    jar.take_changes()
    jar.store("", HOST, ["a=1; Path=/"], NOW)
    assert jar.take_changes() == []


# ---- 6265bis: Secure, and what names promise -------------------------------------------------------------------------


def test_6265bis_a_secure_cookie_comes_over_tls_only():
    assert parse_set_cookie("a=1; Secure", PLAIN) is None
    assert parse_set_cookie("a=1; Secure", HOST) is not None


@pytest.mark.parametrize(
    ("kept", "new", "taken"),
    [
        ("a=1; Secure; Path=/", "a=2; Path=/", False),
        ("a=1; Secure; Path=/", "a=2; Path=/deeper", False),
        ("a=1; Secure; Path=/deeper", "a=2; Path=/", True),
        ("a=1; Secure; Path=/", "a=2; Path=/; Domain=example.com", False),
        ("a=1; Secure; Path=/; Domain=example.com", "a=2; Path=/", False),
        ("a=1; Secure; Path=/", "b=2; Path=/", True),
        ("a=1; Path=/", "a=2; Path=/", True),
    ],
)
def test_6265bis_a_cookie_received_over_tls_is_not_replaced_without_tls(kept, new, taken):
    jar = jar_of(kept)
    jar.store("", PLAIN, [new], NOW)
    values = [cookie.value for _, cookie, there in jar.take_changes() if there]
    assert ("2" in values) is taken


def test_6265bis_nor_is_it_removed_in_the_clear():
    jar = jar_of("a=1; Secure; Path=/")
    jar.store("", PLAIN, ["a=; Path=/; Max-Age=0"], NOW)
    assert jar.header("", HOST, NOW) == "a=1"


@each(
    ("field", "taken"),
    [
        ("__Secure-a=1; Secure", True),
        ("__Secure-a=1; Secure; Domain=example.com; Path=/x", True),
        ("__Secure-a=1", False),
        ("__SECURE-a=1", False),
        ("__Host-a=1; Secure; Path=/", True),
        ("__Host-a=1; Path=/", False),
        ("__Host-a=1; Secure", False),
        ("__host-a=1; Secure", False),
        ("__Host-a=1; Secure; Path=/x", False),
        ("__Host-a=1; Secure; Path=/; Domain=www.example.com", False),
        ("__Host-a=1; Secure; Path=/; Domain=", True),
        ("__Hosta=1", True),
        ("_Secure-a=1", True),
    ],
)
def test_6265bis_a_prefix_is_a_promise(field, taken):
    assert (parse_set_cookie(field, HOST) is not None) is taken


# ---- 5.4 the Cookie field --------------------------------------------------------------------------------------------


def test_5_4_ports_and_queries_do_not_matter():
    assert jar_of("a=1").header("", "https://www.example.com:8443/?x", NOW) == "a=1"


def test_5_4_names_can_be_left_out():
    assert jar_of("a=1", "b=2").header("", HOST, NOW, without={"a"}) == "b=2"


ENDS = ["", "; Path=/", "; Path=/d", "; Max-Age=5", "; Max-Age=0", "; Secure", "; Domain=example.com"]


@given(st.lists(st.builds("{}={}{}".format, st.sampled_from("abc"), st.integers(0, 9), st.sampled_from(ENDS))))
def test_5_4_asking_for_the_field_changes_nothing(fields):
    jar = jar_of(*fields, url=HOST + "d/page")
    for url in (HOST + "d/page", PLAIN, "https://example.com/d"):
        for later in (0.0, 5.0):
            once = jar.header("", url, NOW + later)
            assert jar.header("", url, NOW + later) == once


@given(
    st.text(max_size=200), st.sampled_from([HOST, PLAIN, "http://127.0.0.1/", "http://[::1]/a/b", "http://localhost/"])
)
def test_no_text_breaks_the_parser(field, url):
    cookie = parse_set_cookie(field, url, NOW)
    assert cookie is None or isinstance(cookie, Cookie)


# ---- kept in a job ---------------------------------------------------------------------------------------------------


def kept_of(jar: CookieJar) -> dict[tuple[str, str, str, str], bytes]:
    """Return the rows of a job after the changes of a jar."""
    rows: dict[tuple[str, str, str, str], bytes] = {}
    for session, cookie, there in jar.take_changes():
        place = (session, cookie.domain, cookie.path, cookie.name)
        if there:
            rows[place] = msgspec.json.encode(cookie)
        else:
            del rows[place]
    return rows


def restored(rows: dict[tuple[str, str, str, str], bytes]) -> CookieJar:
    jar = CookieJar()
    jar.restore([(place[0], rows[place]) for place in sorted(rows)])  # by name, as a table has them
    return jar


def test_the_order_survives():
    jar = jar_of("z=1", "a=2", "m=3", "z=4")
    again = restored(kept_of(jar))
    assert again.header("", HOST, NOW) == jar.header("", HOST, NOW) == "z=4; a=2; m=3"
    again.store("", HOST, ["b=5"], NOW)
    assert again.header("", HOST, NOW) == "z=4; a=2; m=3; b=5"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "ada"]),
            st.sampled_from("abcd"),
            st.sampled_from(["", "; Max-Age=0", "; Max-Age=5", "; Path=/x", "; Domain=example.com; Secure"]),
        ),
        max_size=20,
    )
)
def test_a_restored_jar_equals_the_one_that_was_saved(settings_of_cookies):
    jar = CookieJar()
    for number, (session, name, attributes) in enumerate(settings_of_cookies):
        jar.store(session, HOST, [f"{name}={number}{attributes}"], NOW)
    again = restored(kept_of(jar))
    assert len(again) == len(jar)
    for session in ("", "ada"):
        for url in (HOST, HOST + "x", PLAIN):
            assert again.header(session, url, NOW + 1) == jar.header(session, url, NOW + 1)


def test_a_cookie_of_a_job_from_before_they_were_numbered_is_taken():
    jar = CookieJar()
    data = (
        b'{"name":"a","value":"1","domain":"www.example.com","host_only":true,"path":"/","secure":false,"expires":9e9}'
    )
    jar.restore([("", data)])
    assert jar.header("", HOST, NOW) == "a=1"


# ---- 6.1 limits ------------------------------------------------------------------------------------------------------


def test_6_1_fifty_of_a_site_fit():
    assert len(jar_of(*(f"n{n}=x" for n in range(50)))) == 50
    assert len(jar_of(*(f"n{n}=x" for n in range(MAX_COOKIES_PER_SITE + 50)))) == MAX_COOKIES_PER_SITE


def test_6_1_of_all_cookies_those_of_the_site_that_rested_longest_go(monkeypatch, caplog):
    monkeypatch.setattr(cookies, "MAX_COOKIES", 6)
    jar = CookieJar()
    for site in ("a", "b", "c"):
        jar.store("", f"https://{site}.test/", ["x=1", "y=2"], NOW)
    assert jar.header("", "https://a.test/", NOW) == "x=1; y=2"
    jar.take_changes()
    jar.store("", "https://d.test/", ["x=1"], NOW)
    assert len(jar) == 5
    assert jar.header("", "https://b.test/", NOW) == ""
    assert jar.header("", "https://a.test/", NOW) == "x=1; y=2"
    gone = [(cookie.domain, cookie.name) for _, cookie, there in jar.take_changes() if not there]
    assert gone == [("b.test", "x"), ("b.test", "y")]
    jar.store("", "https://d.test/", ["y=1", "z=1"], NOW)
    assert [record.message for record in caplog.records] == [
        "more than 6 cookies: those of the least recently requested sites are dropped"
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=40))
def test_the_jar_knows_how_many_there_are(steps):
    jar = CookieJar()
    there = {}
    for site, name, stays in steps:
        jar.store("", f"https://s{site}.test/", [f"n{name}=x{'' if stays else '; Max-Age=0'}"], NOW)
        there[site, name] = stays
    assert len(jar) == sum(there.values())
