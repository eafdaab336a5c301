"""`Rule`: which URLs and links it accepts, and arguments that are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError, Response, Rule

URL = "https://site.test/list"
PAGE = """<nav><a href=/page/2>next <b>page</b></a></nav><a href=/book/1>One</a><a href=/book/1#top>One again</a>
<a href=/book/2 rel=nofollow>Two</a><a href=https://cdn.other.test/book/3>Three</a><img src=/book/4>"""


def accepted(rule: Rule, taken: frozenset[str] = frozenset()) -> list[str]:
    response = Response(URL, headers={"Content-Type": "text/html"}, body=PAGE)
    return [link.url.removeprefix("https://") for link in rule.links(response, taken)]


@each(
    ("rule", "expected"),
    [
        (Rule(), ["site.test/page/2", "site.test/book/1", "site.test/book/2", "cdn.other.test/book/3"]),
        (Rule(r"/book/\d$"), ["site.test/book/1", "site.test/book/2", "cdn.other.test/book/3"]),
        (Rule([re.compile("/PAGE/", re.IGNORECASE), "3$"]), ["site.test/page/2", "cdn.other.test/book/3"]),
        (Rule("/book/", deny="[23]$"), ["site.test/book/1"]),
        (Rule(allow_domains="other.test"), ["cdn.other.test/book/3"]),
        (Rule("/book/", deny_domains=["other.test"]), ["site.test/book/1", "site.test/book/2"]),
        (Rule(restrict_css="nav"), ["site.test/page/2"]),
        (Rule(restrict_xpath="//nav", restrict_css="a[rel]"), ["site.test/page/2", "site.test/book/2"]),
        (Rule(text="^next page$"), ["site.test/page/2"]),
        (Rule("/book/[12]", skip_nofollow=True), ["site.test/book/1"]),
        (Rule(tags="img", attributes="src"), ["site.test/book/4"]),
        (Rule("nothing"), []),
    ],
)
def test_links_that_meet_all_criteria(rule, expected):
    assert accepted(rule) == expected


def test_a_link_that_an_earlier_rule_has_taken_is_left_out():
    assert accepted(Rule("/book/[12]"), frozenset({"https://site.test/book/1"})) == ["site.test/book/2"]


@pytest.mark.parametrize(
    ("rule", "by_url"),
    [
        (Rule("x", deny="y", allow_domains="a.test"), True),
        (Rule(process_request="add"), True),
        (Rule(text="x"), False),
        (Rule(restrict_css="a"), False),
        (Rule(skip_nofollow=True), False),
        (Rule(tags=("a", "area", "link")), False),
        (Rule(process_links="pick"), False),
    ],
)
def test_which_rules_depend_on_the_url_alone(rule, by_url):
    assert rule.by_url is by_url


def test_a_rule_without_callback_follows_by_default():
    assert (Rule().follow, Rule(callback="parse_item").follow) == (True, False)
    assert (Rule(follow=False).follow, Rule(callback="parse_item", follow=True).follow) == (False, True)


@each(
    ("arguments", "message"),
    [
        ({"allow": 5}, "Rule: allow must be a regular expression or several, not 5"),
        ({"deny": b"x"}, "Rule: deny must be a regular expression or several, not b'x'"),
        ({"allow": "["}, "Rule: allow: unterminated character set"),
        ({"text": "("}, "Rule: text: missing ), unterminated subpattern"),
        ({"restrict_css": "a["}, "Rule: restrict_css: CSS selector 'a[': "),
        ({"restrict_xpath": "//["}, "Rule: restrict_xpath: XPath expression '//[': "),
        ({"restrict_css": ["a", ""]}, "Rule: restrict_css must be a string or several, not ['a', '']"),
        ({"allow_domains": "a b"}, "Rule: allow_domains: not a domain: 'a b'"),
        ({"tags": "a b"}, "Rule: tags: not a tag name: 'a b'"),
        ({"follow": 1}, "Rule: follow must be true or false, not 1"),
        ({"callback": 5}, "Rule: callback must be a method or its name, not 5"),
        ({"options": [1]}, "Rule: options must be a mapping of names to values, not [1]"),
        ({"cb_kwargs": {1: 2}}, "Rule: cb_kwargs must be a mapping of names to values, not {1: 2}"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ConfigError) as caught:
        Rule(**arguments)
    assert str(caught.value).startswith(message)


WORDS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=2)


@given(WORDS, WORDS, st.text("abc", max_size=4))
def test_a_url_is_accepted_if_one_pattern_of_allow_and_none_of_deny_is_found(allow, deny, path):
    rule = Rule([f"/x.*{word}" for word in allow], deny=[f"/x.*{word}" for word in deny])
    expected = (not allow or any(word in path for word in allow)) and not any(word in path for word in deny)
    assert rule.matches(f"https://site.test/x{path}") is expected
