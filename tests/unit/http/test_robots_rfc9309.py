"""RFC 9309, clause by clause: each test names its section."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.http.robots import MAX_CRAWL_DELAY, MAX_ROBOTS_SIZE, Robots

AGENT = "ExampleBot/2.0 (+https://example.com/bot)"
SITE = "https://site.test"


def robots(text: str | bytes, agent: str = AGENT, url: str = f"{SITE}/robots.txt") -> Robots:
    return Robots.parse(text.encode() if isinstance(text, str) else text, agent, url)


def allowed(text: str | bytes, path: str, agent: str = AGENT) -> bool:
    return robots(text, agent).allows(SITE + path)


def forbids(rules: str | bytes, path: str) -> bool:
    rules = rules.encode() if isinstance(rules, str) else rules
    return not allowed(b"User-agent: *\n" + rules, path)


# ---- 2.2.1 the user-agent line ---------------------------------------------------------------------------------------


def test_2_2_1_matching_groups_are_combined_into_one() -> None:
    """The example of the section: two groups of one agent, and one of another between them."""
    text = (
        "User-Agent: ExampleBot\nDisallow: /foo\nDisallow: /bar\n\n"
        "User-Agent: BazBot\nDisallow: /baz\n\n"
        "User-Agent: examplebot\nDisallow: /qux\n"
    )
    assert [allowed(text, path) for path in ("/foo", "/bar", "/qux", "/baz")] == [False, False, False, True]


def test_2_2_1_groups_for_all_are_combined_too() -> None:
    text = "User-agent: *\nDisallow: /a\n\nUser-agent: x\nDisallow: /b\n\nUser-agent: *\nDisallow: /c"
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, True, False]


def test_2_2_1_without_our_group_that_of_all_counts_and_only_then() -> None:
    text = "User-agent: *\nDisallow: /all\n\nUser-agent: examplebot\nDisallow: /ours"
    assert [allowed(text, path) for path in ("/all", "/ours")] == [True, False]
    assert [allowed(text, path, "Other/1") for path in ("/all", "/ours")] == [False, True]


def test_2_2_1_without_any_group_of_ours_no_rules_apply() -> None:
    assert allowed("User-agent: x\nDisallow: /\nUser-agent: y\nDisallow: /", "/a")


def test_2_2_1_our_name_among_others_and_among_all_counts_once() -> None:
    text = "User-agent: x\nUser-agent: ExampleBot\nUser-agent: *\nUser-agent: EXAMPLEBOT\nDisallow: /a\nAllow: /a/b"
    assert [allowed(text, path) for path in ("/a", "/a/b", "/c")] == [False, True, True]
    assert not allowed(text, "/a", "z/1")


@pytest.mark.parametrize("name", ["Example", "ExampleBot2", "ExampleBot-News", "Bot", "xExampleBot", "", "-", "**"])
def test_2_2_1_the_token_is_matched_whole(name: str) -> None:
    assert allowed(f"User-agent: {name}\nDisallow: /", "/a")


@pytest.mark.parametrize(
    "name",
    ["examplebot", "EXAMPLEBOT", "ExampleBot/9", "ExampleBot other words", "ExampleBot #x", "a, examplebot/1, b"],
)
def test_2_2_1_the_token_is_matched_without_regard_to_case(name: str) -> None:
    assert not allowed(f"User-agent: {name}\nDisallow: /", "/a")


def test_2_2_1_a_star_followed_by_words_is_a_star() -> None:
    assert not allowed("User-agent: * (all of you)\nDisallow: /", "/a")


# ---- 2.2.2 allow and disallow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/foo/bar/baz", "/foo/bar/%62%61%7A"),
    ],
)
def test_2_2_2_the_table_of_encodings(rule: str, path: str) -> None:
    assert forbids(f"Disallow: {rule}", path)
    assert forbids(f"Disallow: /*{rule[1:]}", path)


@each(
    ("rule", "path", "result"),
    [
        ("/a%7Eb", "/a~b", True),
        ("/a~b", "/a%7eb", True),
        ("/a%3cd.html", "/a%3Cd.html", True),
        ("/a%2fb.html", "/a%2Fb.html", True),
        ("/a%2fb.html", "/a/b.html", False),
        ("/a/b.html", "/a%2fb.html", False),
        ("/a?b=%26c", "/a?b=%26c", True),
        ("/a?b=%26c", "/a?b=&c", False),
        ("/a?b=1+2", "/a?b=1%2B2", False),
        ("/wiki/Talk:x", "/wiki/Talk%3Ax", True),
        ("/wiki/Talk%3Ax", "/wiki/Talk:x", True),
        ("/f(x)", "/f%28x%29", True),
        ("/it's", "/it%27s", True),
        ("/a?q='x'", "/a?q=%27x%27", True),
        ("/a|b", "/a%7Cb", True),
        ("/a b", "/a%20b", True),
        ("/100%", "/100%", True),
        ("/100%", "/100%25", True),
        ("/%zz", "/%zz", True),
        ("/%25zz", "/%25zz", True),
        ("/%2525", "/%25", False),
        ("/%C3", "/%C3%A9", True),
        ("/a\x00b", "/a%00b", True),
        ("/?", "/?", True),
        ("/?", "/", False),
        ("/a?x=/y?z", "/a?x=%2Fy%3Fz", True),
        ("/*url=http://", "/go?url=http://x", True),
        ("/*url=http%3A%2F%2F", "/go?url=http://x", True),
        ("/*url=http://", "/go?url=http%3a%2f%2fx", True),
        ("/*a%2Fb", "/x/a/b", False),
        ("//a", "//a", True),
        ("//a", "/a", False),
    ],
)
def test_2_2_2_both_sides_are_compared_in_one_spelling(rule: str, path: str, result: bool) -> None:
    assert forbids(f"Disallow: {rule}", path) is result


def test_2_2_2_a_rule_in_another_encoding_is_compared_octet_by_octet() -> None:
    assert forbids("Disallow: /caf\xe9".encode("latin-1"), "/caf%E9")
    assert not forbids("Disallow: /caf\xe9".encode("latin-1"), "/caf%C3%A9")


@each(
    ("rules", "path", "result"),
    [
        ("Allow: /p\nDisallow: /", "/page", False),
        ("Allow: /folder\nDisallow: /folder", "/folder/page", False),
        ("Disallow: /folder\nAllow: /folder", "/folder/page", False),
        ("Allow: /page\nDisallow: /*.htm", "/page.htm", True),
        ("Allow: /page\nDisallow: /*.ph", "/page.php5", False),
        ("Allow: /$\nDisallow: /", "/", False),
        ("Allow: /$\nDisallow: /", "/page.htm", True),
        ("Disallow: /a/b\nAllow: /a\nDisallow: /a/b/c/d\nAllow: /a/b/c", "/a/b/c/x", False),
        ("Disallow: /a/b\nAllow: /a\nDisallow: /a/b/c/d\nAllow: /a/b/c", "/a/b/c/d", True),
        ("Disallow: /a/b\nAllow: /a\nDisallow: /a/b/c/d\nAllow: /a/b/c", "/a/b/x", True),
        ("Disallow: /a/b\nAllow: /a\nDisallow: /a/b/c/d\nAllow: /a/b/c", "/a/x", False),
        ("Disallow: /ツ\nAllow: /%e3%83%84", "/%E3%83%84", False),
        ("Disallow: /aaaa\nAllow: /a***", "/aaaa", False),
        ("Disallow: /aaaa\nAllow: /a**", "/aaaa", True),
        ("Disallow: /a*$\nAllow: /a*", "/ab", True),
        ("Disallow:\nAllow:", "/a", False),
        ("Disallow:\nDisallow: /a", "/a", True),
        ("Disallow: /a\nDisallow: /a", "/a", True),
    ],
)
def test_2_2_2_the_match_with_the_most_octets_is_used_and_allow_among_equals(rules, path, result) -> None:
    assert forbids(rules, path) is result
    assert forbids("\n".join(reversed(rules.split("\n"))), path) is result


@pytest.mark.parametrize(("path", "result"), [("/Fish", False), ("/fish", True), ("/a/fish", False), ("/fis", False)])
def test_2_2_2_a_match_starts_with_the_first_octet_and_is_case_sensitive(path: str, result: bool) -> None:
    assert forbids("Disallow: /fish", path) is result


def test_2_2_2_robots_txt_is_implicitly_allowed() -> None:
    assert not forbids("Disallow: /\nDisallow: /robots.txt\nDisallow: /*robots", "/robots.txt")


def test_2_2_2_rules_outside_of_any_group_are_ignored() -> None:
    assert allowed("Disallow: /a\nAllow: /b\n\nUser-agent: *\nDisallow: /c", "/a")


def test_2_2_2_a_group_without_rules_allows_everything() -> None:
    assert allowed("User-agent: *\nDisallow: /\n\nUser-agent: ExampleBot\n", "/a")


# ---- 2.2.3 special characters ----------------------------------------------------------------------------------------


@each(
    ("pattern", "path", "result"),
    [
        ("/this/path/exactly$", "/this/path/exactly", True),
        ("/this/path/exactly$", "/this/path/exactly/not", False),
        ("/this/*/exactly", "/this/path/exactly", True),
        ("/this/*/exactly", "/this//exactly", True),
        ("/this/*/exactly", "/this/exactly", False),
        ("/this/*/exactly", "/this/very/long/path/exactly/and/more", True),
        ("*.gif$", "/a/b.gif", True),
        ("*.gif$", "/a/b.gif?x", False),
        ("/*?", "/a", False),
        ("/*?", "/a?b", True),
        ("/a*b*c$", "/a-b-c", True),
        ("/a*b*c$", "/a-b-c-c", True),
        ("/a*b*c$", "/a-b-c-d", False),
        ("/a*ab$", "/ab", False),
        ("/a*ab$", "/aab", True),
        ("/aa*aa$", "/aaa", False),
        ("/aa*aa$", "/aaaa", True),
        ("/a$b", "/a$b", True),
        ("/a$b", "/a", False),
        ("/a$$", "/a$", True),
        ("/a$$", "/a", False),
        ("$", "/", False),
        ("*", "/a", True),
        ("*$", "/a", True),
        ("/a*$", "/abc", True),
        ("a*", "/a", False),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", True),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-b.html", False),
        ("/path/foo-%24", "/path/foo-$", True),
        ("/path/foo-%24", "/path/foo-", False),
        ("/x#y", "/x", True),
        ("/x%23y", "/x%23y", True),
    ],
)
def test_2_2_3_special_characters(pattern: str, path: str, result: bool) -> None:
    assert forbids(f"Disallow: {pattern}", path) is result


# ---- 2.2.4 other records ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["Sitemap: https://site.test/a.xml", "Crawl-delay: 3", "Request-rate: 1/9", "x: y", ""]
)
def test_2_2_4_other_records_do_not_interfere_with_groups(line: str) -> None:
    """Between two agents, they leave both in one group; between two rules, they leave both in it."""
    text = f"{line}\nUser-agent: x\n{line}\nUser-agent: ExampleBot\n{line}\nDisallow: /a\n{line}\nDisallow: /b"
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, False, True]
    assert [allowed(text, path, "x/1") for path in ("/a", "/b", "/c")] == [False, False, True]


def test_2_2_4_sitemaps_hold_for_all_user_agents() -> None:
    text = (
        "Sitemap: https://site.test/1.xml\nUser-agent: x\nDisallow: /\nSITEMAP : /2.xml?a=b\nUser-agent: *\n"
        "site-map: //cdn.test/3.xml # there\nSitemap: https://site.test/1.xml\nSitemap:\nSitemap: mailto:me\n"
        "Sitemap: http://[\nSitemap: ftp://site.test/4\nSitemap: ü.xml"
    )
    assert robots(text).sitemaps == (
        "https://site.test/1.xml",
        "https://site.test/2.xml?a=b",
        "https://cdn.test/3.xml",
        "https://site.test/%C3%BC.xml",
    )
    assert robots(text, url="").sitemaps == ("https://site.test/1.xml",)


@each(
    ("rules", "delay"),
    [
        ("Crawl-delay: 0.5", 0.5),
        ("Crawl-delay: .5", 0.5),
        ("Crawl-delay: 5.", 5.0),
        ("Crawl-delay: 5 s", 5.0),
        ("Crawl-delay: 1e3", None),
        ("Crawl-delay: -3", None),
        ("Crawl-delay: \u0663", None),
        ("Crawl-delay: 5 minutes", None),
        ("Crawl-delay: 99999999999", MAX_CRAWL_DELAY),
        (f"Crawl-delay: {'9' * 400}", MAX_CRAWL_DELAY),
        ("Request-rate: 1/10s", 10.0),
        ("Request-rate: 30/1m", 2.0),
        ("Request-rate: 2 / 1 H", 1800.0),
        ("Request-rate: 1/2.5", 2.5),
        ("Request-rate: 1/10s 0600-0845", 10.0),
        ("Request-rate: 1/1000d", MAX_CRAWL_DELAY),
        ("Request-rate: 1/5y", None),
        ("Request-rate: 0/5", None),
        (f"Request-rate: {'9' * 400}/{'9' * 400}", None),
        ("Crawl-delay: 1\nCrawl-delay: 4\nCrawl-delay: 2", 4.0),
        ("Crawl-delay: 1\n\nUser-agent: *\nCrawl-delay: 3", 3.0),
        ("Crawl-delay: 9\nUser-agent: x\nCrawl-delay: 30", 9.0),
        ("Disallow: /a\nCrawl-delay: 9\nDisallow: /b\nUser-agent: x\nCrawl-delay: 30", 9.0),
        ("User-agent: x\nCrawl-delay: 7\nDisallow: /", 7.0),
    ],
)
def test_2_2_4_a_delay_belongs_to_the_agents_before_it(rules: str, delay: float | None) -> None:
    assert robots(f"User-agent: *\n{rules}").delay == delay


# ---- 2.3 the file, 2.3.1 what an answer means, 2.5 limits ------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_2_3_a_file_in_utf_16_that_says_so_is_read(encoding: str) -> None:
    assert not allowed("\ufeffUser-agent: *\r\nDisallow: /ä".encode(encoding), "/%C3%A4")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb", b"\xef", b""])
def test_2_3_a_byte_order_mark_is_skipped(mark: bytes) -> None:
    assert not allowed(mark + b"User-agent: *\nDisallow: /a", "/a")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\r"])
def test_2_3_lines_end_in_cr_lf_or_both(end: str) -> None:
    text = end.join(["User-agent: x", "User-agent: *", "Disallow: /a", "", "Disallow: /b", ""])
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, False, True]


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_2_3_lines_end_in_nothing_else(end: str) -> None:
    assert not forbids(f"Disallow: /a{end}Disallow: /b", "/b")


def test_2_3_1_1_a_page_of_html_has_no_rules() -> None:
    html = (
        "<!doctype html><html><body>\n<p>Disallow: /</p>\nDisallow: /\n<pre>User-agent: *</pre>\nDisallow: /\n</html>"
    )
    assert robots(html).rules is None


@pytest.mark.parametrize(("status", "meaning"), [(200, "read"), (404, "all"), (403, "all"), (429, None), (500, None)])
def test_2_3_1_the_meaning_of_a_status(status: int, meaning: str | None) -> None:
    rules = Robots.from_response(status, b"User-agent: *\nDisallow: /a", AGENT)
    assert (rules is None) is (meaning is None)
    if rules is not None:
        assert rules.allows(f"{SITE}/a") is (meaning == "all")


def test_2_3_1_5_the_readable_lines_are_used() -> None:
    assert forbids(b"\x00\xff\xfe binary \x80\nDisallow /a\n\x00Disallow: /c\nDisallow: /b\x00\n", "/a")
    assert forbids(b"\x00\xff\nDisallow: /b", "/b")


def test_2_5_at_least_500_kib_are_read_and_a_line_that_is_cut_off_is_not() -> None:
    lines = b"User-agent: *\n" + b"".join(b"Disallow: /section/%06d\n" % number for number in range(40_000))
    read = lines[:MAX_ROBOTS_SIZE].count(b"\n") - 2
    assert len(lines) > MAX_ROBOTS_SIZE >= 500 * 1024
    rules = robots(lines)
    assert not rules.allows(f"{SITE}/section/{read:06}")
    assert rules.allows(f"{SITE}/section/{read + 1:06}")


# ---- for any file ----------------------------------------------------------------------------------------------------

OCTETS = st.text(st.characters(max_codepoint=255), max_size=30)


@given(st.binary(max_size=300), OCTETS)
def test_no_file_and_no_url_raise(body: bytes, path: str) -> None:
    rules = robots(b"User-agent: *\nDisallow: /" + body)
    assert isinstance(rules.allows(f"{SITE}/{path}"), bool)
    assert isinstance(rules.allows(path), bool)
    assert isinstance(rules.sitemaps, tuple)
