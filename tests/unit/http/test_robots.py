"""robots.txt: RFC 9309 sentence by sentence, and malformed files."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.headers import product_token
from crawler.http.robots import ALLOW_ALL, DISALLOW_ALL, MAX_ROBOTS_SIZE, Robots, explain

AGENT = "trio-crawler/0.1 (+https://example.com/bot)"


def robots(text: str | bytes, agent: str = AGENT) -> Robots:
    return Robots.parse(text.encode() if isinstance(text, str) else text, agent)


def allowed(text: str | bytes, path: str, agent: str = AGENT) -> bool:
    return robots(text, agent).allows(f"https://site.test{path}")


# ---- 2.2.1 groups ----------------------------------------------------------------------------------------------------


@each(
    ("agent", "token"),
    [
        ("trio-crawler/0.1 (+https://example.com/bot)", "trio-crawler"),
        ("trio-crawler", "trio-crawler"),
        ("My_Bot 2.0", "My_Bot"),
        ("bot2/1", "bot2"),
        (" bot ", "bot"),
        ("", ""),
        ("Mozilla/5.0 (compatible; ExampleBot/0.1; https://www.example.com/bot.html)", "ExampleBot"),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; Compatible;my-bot; +https://x.test)", "my-bot"),
        ("Mozilla/5.0 (X11; Linux) Chrome/9 Safari/9 (compatible; bot_2 (x))", "bot_2"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla"),
        ("Mozilla/5.0 (compatible; )", "Mozilla"),
        ("MyBot/1 (compatible; Other/2)", "MyBot"),
    ],
)
def test_the_token_precedes_the_first_space_or_slash_or_follows_compatible(agent, token):
    assert product_token(agent) == token


@pytest.mark.parametrize(
    "name", ["trio-crawler", "Trio-Crawler", "TRIO-CRAWLER", "trio-crawler/2.0", "trio-crawler (x)"]
)
def test_a_group_is_found_by_its_token_without_regard_to_case(name):
    assert not allowed(f"User-agent: {name}\nDisallow: /", "/a")


@each("name", ["trio", "crawler", "trio-crawler2", "trio-crawlerbot", "t", "mybot", "", "ours", "others", "trio-*"])
def test_a_group_of_somebody_else_is_not_ours(name):
    """Neither a part of our token nor a longer one is our token."""
    assert allowed(f"User-agent: {name}\nDisallow: /", "/a")


def test_a_token_may_have_digits():
    text = "User-agent: bot\nDisallow: /bot\n\nUser-agent: bot2\nDisallow: /bot2"
    assert not allowed(text, "/bot2", "bot2/1.0")
    assert allowed(text, "/bot2", "bot/1.0") is False  # "/bot" is a prefix of "/bot2"
    assert allowed(text, "/bot", "bot2/1.0")


def test_a_token_may_be_short():
    for groups in (
        "User-agent: b\nAllow: /\n\nUser-agent: *\nDisallow: /",
        "User-agent: *\nDisallow: /\n\nUser-agent: b\nAllow: /",
    ):
        assert allowed(groups, "/a", "b/1.0")


def test_our_own_group_counts_and_not_that_of_all():
    text = "User-agent: *\nDisallow: /\n\nUser-agent: trio-crawler\nDisallow: /private"
    assert allowed(text, "/a")
    assert not allowed(text, "/private")
    assert not allowed(text, "/a", "other/1.0")


@pytest.mark.parametrize("order", [0, 1])
def test_the_order_of_groups_does_not_matter(order):
    groups = ["User-agent: *\nDisallow: /", "User-agent: trio-crawler\nAllow: /"]
    assert allowed("\n\n".join(groups if order else reversed(groups)), "/a")


def test_our_own_group_may_be_empty():
    assert allowed("User-agent: trio-crawler\nDisallow:\n\nUser-agent: *\nDisallow: /", "/a")


def test_groups_of_the_same_agent_are_one():
    agents = {"trio-crawler": "/a", "x": "/c", "Trio-Crawler/3": "/b"}
    text = "\n\n".join(f"User-agent: {agent}\nDisallow: {path}" for agent, path in agents.items())
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, False, True]


def test_a_group_may_be_for_several_agents():
    text = "User-agent: a\nUser-agent: trio-crawler\n\nUser-agent: b\nDisallow: /x"
    assert not allowed(text, "/x")


def test_a_rule_ends_the_list_of_agents():
    text = "User-agent: trio-crawler\nDisallow: /a\nUser-agent: b\nDisallow: /b"
    assert [allowed(text, path) for path in ("/a", "/b")] == [False, True]


def test_rules_before_any_group_are_ignored():
    assert allowed("Disallow: /\nUser-agent: x\nDisallow: /", "/a")


@each(
    "line",
    ["Sitemap: https://site.test/map.xml", "Host: site.test", "Clean-param: a /b", "nonsense", "# comment", "",
     "Noindex: /x", "Visit-time: 0600-0845", "Content-Signal: search=yes", ":", "Disallow /y z", "\t", "Crawl-delay"],
)  # fmt: skip
@each("place", ["before", "between", "inside"])
def test_a_line_of_another_kind_changes_nothing(line, place):
    """Section 2.2.4: crawlers may interpret other records, but those must not interfere with the groups."""
    parts = {"before": "", "between": "", "inside": ""} | {place: line + "\n"}
    text = (
        f"{parts['before']}User-agent: trio-crawler\n{parts['between']}Disallow: /a\n{parts['inside']}Disallow: /b\n"
        "User-agent: *\nDisallow: /c"
    )
    assert [allowed(text, path) for path in ("/a", "/b", "/c", "/y")] == [False, False, True, True]


# ---- 2.2.2 rules -----------------------------------------------------------------------------------------------------


@each(
    ("rules", "path", "result"),
    [
        ("Disallow: /", "/", False),
        ("Disallow: /", "/a", False),
        ("Disallow:", "/a", True),
        ("Allow: /", "/a", True),
        ("", "/a", True),
        ("Disallow: /fish", "/fish.html", False),
        ("Disallow: /fish", "/fishheads/yummy", False),
        ("Disallow: /fish", "/Fish.asp", True),
        ("Disallow: /fish", "/catfish", True),
        ("Disallow: /fish/", "/fish", True),
        ("Disallow: /fish/", "/fish/salmon", False),
        ("Disallow: fish", "/fish", True),
        ("Disallow: /a?b", "/a?b=c", False),
        ("Disallow: /a?b", "/a", True),
        # the most octets win
        ("Allow: /p\nDisallow: /", "/page", True),
        ("Disallow: /\nAllow: /p", "/page", True),
        ("Allow: /a\nDisallow: /a/b", "/a/b/c", False),
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Allow: /folder\nDisallow: /folder", "/folder/page", True),
        ("Disallow: /folder\nAllow: /folder", "/folder/page", True),
        ("Allow: /page\nDisallow: /*.htm", "/page.htm", False),
        ("Allow: /$\nDisallow: /", "/", True),
        ("Allow: /$\nDisallow: /", "/page.htm", False),
        ("Allow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/disallowed.gif", False),
        # 2.2.3 special characters
        ("Disallow: /*.php", "/a/b.php?c", False),
        ("Disallow: /*.php", "/", True),
        ("Disallow: /*.php$", "/a.php", False),
        ("Disallow: /*.php$", "/a.php?b", True),
        ("Disallow: /a*b*c", "/aXbXc", False),
        ("Disallow: /a*b*c", "/acb", True),
        ("Disallow: /a$", "/a", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: *", "/a", False),
        ("Disallow: /**/x", "/a/x", False),
        ("Disallow: /a # comment", "/a", False),
        ("Disallow: /a#b", "/a", False),
        ("Disallow: /%23", "/%23", False),
        # 2.2.2 octets outside of ASCII are compared percent-encoded
        ("Disallow: /foo/bar?baz=https://foo.bar", "/foo/bar?baz=https://foo.bar", False),
        ("Disallow: /foo/bar/ツ", "/foo/bar/%E3%83%84", False),
        ("Disallow: /foo/bar/%E3%83%84", "/foo/bar/%E3%83%84", False),
        ("Disallow: /foo/bar/%e3%83%84", "/foo/bar/%E3%83%84", False),
        ("Disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", False),
        ("Disallow: /a/~joe", "/a/%7Ejoe", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: /a%2Fb", "/a%2Fb", False),
    ],
)
def test_the_rule_with_the_most_octets_decides(rules, path, result):
    assert allowed(f"User-agent: *\n{rules}", path) is result


def test_robots_txt_itself_is_always_allowed():
    assert allowed("User-agent: *\nDisallow: /", "/robots.txt")


@pytest.mark.parametrize(
    "line",
    [
        "DISALLOW:/a",
        "disallow : /a",
        "Disallow /a",
        "disallow\t/a",
        "  Disallow:  /a  ",
        "\tDisallow:\t/a\t",
        "dissallow: /a",
        "Disalow: /a",
    ],
)
def test_a_line_may_be_written_in_many_ways(line):
    assert not allowed(f"user-AGENT: *\n{line}", "/a")
    assert allowed(f"user-AGENT: *\n{line}", "/b")


@pytest.mark.parametrize("name", ["User-agent", "useragent", "USER AGENT", "user-agent "])
def test_the_name_of_an_agent_may_be_announced_in_many_ways(name):
    assert not allowed(f"{name}: trio-crawler\nDisallow: /a", "/a")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_three_ways(end):
    text = end.join(["User-agent: *", "Disallow: /a", "", "Disallow: /b"])
    assert [allowed(text, path) for path in ("/a", "/b", "/c")] == [False, False, True]


def _match(pattern: str, path: str) -> bool:
    end = pattern.endswith("$")
    expression = ".*".join(map(re.escape, pattern.removesuffix("$").split("*")))
    return re.match(expression + ("$" if end else ""), path) is not None


PATTERNS = st.from_regex(r"/[ab/*]{0,5}[$]?", fullmatch=True)


@given(st.lists(st.tuples(st.booleans(), PATTERNS), max_size=6), st.from_regex(r"/[ab/]{0,6}", fullmatch=True))
def test_the_decisions_of_the_standard(rules, path):
    """The rule that matches with the longest pattern; if there is none, or allow is among the longest: allowed."""
    matching = [(len(pattern), allow) for allow, pattern in rules if _match(pattern, path)]
    text = "User-agent: *\n" + "\n".join(f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules)
    assert allowed(text, path) is (max(matching)[1] if matching else True)


# ---- 2.3 and 2.5: the file -------------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_not_part_of_the_first_line():
    assert not allowed(b"\xef\xbb\xbfUser-agent: *\nDisallow: /a", "/a")


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00", b"\x00" * 100, b"<html><body>404</body></html>", b"\x1f\x8b\x08\x00"]
)
def test_binary_lines_have_no_rules_and_do_not_hide_the_following_ones(junk):
    assert allowed(junk, "/a")
    assert not allowed(junk + b"\nUser-agent: *\nDisallow: /a", "/a")


def test_lines_after_the_limit_are_not_read_and_no_rule_is_truncated():
    """Section 2.5 requires at least 500 KiB. ``Disallow: /p`` would forbid more than ``Disallow: /private``."""
    head = b"User-agent: *\nDisallow: /first\n"
    fill = b"#" * (MAX_ROBOTS_SIZE - len(head) - len(b"\nDisallow: /p")) + b"\nDisallow: /private\nDisallow: /behind\n"
    rules = robots(head + fill)
    assert [rules.allows(f"https://site.test{path}") for path in ("/first", "/page", "/private", "/behind")] == [
        False, True, True, True
    ]  # fmt: skip
    assert not allowed(b"#" * (500 * 1024) + b"\nUser-agent: *\nDisallow: /late", "/late")


def test_an_endless_line_is_not_a_rule():
    assert allowed(b"User-agent: *" + b" " * MAX_ROBOTS_SIZE + b"\nDisallow: /", "/a")


@given(st.binary(max_size=200))
def test_no_file_breaks_it(body):
    rules = robots(body)
    assert isinstance(rules.allows("https://site.test/a?b=%FF"), bool)
    assert rules.delay is None or 0 <= rules.delay < float("inf")


LINES = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["User-agent", "Disallow", "Allow", "Crawl-delay", "Request-rate", "Sitemap", "x", ""]),
        st.sampled_from([":", ": ", " ", ""]),
        st.sampled_from(["*", "/", "trio-crawler", "1", "-1", "1/0", "nan", "0/0", "/%", "/*$", "$", "é", "1e400"]),
    ),
    max_size=10,
)


@given(LINES)
def test_no_lines_break_it(lines):
    rules = robots("\n".join(lines))
    assert isinstance(rules.allows("https://site.test/"), bool)
    assert rules.delay is None or 0 <= rules.delay < float("inf")


def test_a_pattern_full_of_stars_takes_no_time():
    """It is matched in one pass: a site cannot stop the crawler by its robots.txt."""
    text = "User-agent: *\n" + "\n".join(f"Disallow: /{'*a' * count}b$" for count in range(1, 200))
    assert allowed(text, "/" + "a" * 2000)


# ---- delays ----------------------------------------------------------------------------------------------------------


@each(
    ("rules", "delay"),
    [
        ("Crawl-delay: 5", 5.0),
        ("crawl-DELAY:0.5", 0.5),
        ("Crawl-delay: 0", 0.0),
        ("Crawl-delay: -1", None),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: nan", None),
        ("Crawl-delay: inf", None),
        ("Crawl-delay:", None),
        ("Disallow: /", None),
        ("Request-rate: 1/10", 10.0),
        ("Request-rate: 2/10s", 5.0),
        ("Request-rate: 30/1m", 2.0),
        ("Request-rate: 1/1h", 3600.0),
        ("Request-rate: 1/10 0600-0845", 10.0),
        ("Request-rate: 0/10", None),
        ("Request-rate: 1/0", None),
        ("Request-rate: 1", None),
        ("Crawl-delay: 3\nRequest-rate: 1/10", 10.0),
        ("Crawl-delay: 30\nRequest-rate: 1/10", 30.0),
    ],
)
def test_a_crawl_delay_is_read(rules, delay):
    assert robots(f"User-agent: *\n{rules}").delay == delay


def test_a_delay_is_that_of_our_group():
    text = "User-agent: *\nCrawl-delay: 9\n\nUser-agent: trio-crawler\nCrawl-delay: 2\n\nUser-agent: x\nCrawl-delay: 7"
    assert robots(text).delay == 2.0
    assert robots(text, "other/1").delay == 9.0
    assert robots("User-agent: x\nCrawl-delay: 7").delay is None


# ---- 2.3.1 access results --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_file_that_came_is_read(status):
    rules = Robots.from_response(status, b"User-agent: *\nDisallow: /a", AGENT)
    assert rules is not None
    assert not rules.allows("https://site.test/a")


@each("status", [301, 304, 400, 401, 403, 404, 410, 418, 451, 499])
def test_without_a_file_everything_is_allowed(status):
    assert Robots.from_response(status, b"User-agent: *\nDisallow: /", AGENT) is ALLOW_ALL


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
def test_while_the_server_cannot_say_nothing_is_known(status):
    assert Robots.from_response(status, b"", AGENT) is None


def test_the_two_extremes():
    assert ALLOW_ALL.allows("https://site.test/a")
    assert not DISALLOW_ALL.allows("https://site.test/a")
    assert ALLOW_ALL.delay is DISALLOW_ALL.delay is None


# ---- which line it was -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "agent", "group", "rule"),
    [
        ("/a/b", AGENT, "trio-crawler", "Disallow: /a"),
        ("/a/b.gif", AGENT, "trio-crawler", "Allow: /a/*.gif$"),
        ("/b", AGENT, "trio-crawler", None),
        ("/robots.txt", "third", "*", None),
        ("/b?x=/1", "third", "*", "Disallow: /*?x=%2F"),
    ],
)
def test_explain_names_the_line_that_decides(path, agent, group, rule):
    text = "User-agent: trio-crawler\nDisallow: /a\nAllow: /a/*.gif$\n\nUser-agent: *\nDisallow: /*?x=%2F\nAllow: /"
    told = explain(text.encode(), agent, f"https://site.test{path}")
    assert (told.agent, told.rule) == (group, rule)
    assert allowed(text, path, agent) is (rule is None or rule.startswith("Allow"))


def test_without_a_group_for_our_agent_no_line_decides():
    told = explain(b"User-agent: other\nDisallow: /", AGENT, "https://site.test/")
    assert (told.agent, told.rule) == ("", None)
