"""``crawler robots``: what a robots.txt says to us, and why."""

from __future__ import annotations

import json

import pytest
from support.localsite import Answer, local_site

FILE = """\
Sitemap: /map.xml
User-agent: other
Disallow: /

User-agent: trio-crawler
Crawl-delay: 2
Disallow: /private/
Allow: /private/open$

User-agent: *
Disallow: /shop
"""


def told(command, site, path, *more):
    """The lines behind the first, by their labels."""
    code, out, err = command("robots", f"{site.url}{path}", *more)
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first.startswith(f"{site.url}robots.txt answered ")
    return {line[2:12].strip(): line[12:] for line in lines}


def test_it_tells_whether_a_url_may_be_fetched_and_which_line_says_so(command):
    with local_site({"/robots.txt": FILE}) as site:
        assert told(command, site, "private/x") == {
            "we are": "trio-crawler",
            "group": "User-agent: trio-crawler",
            "URL": f"{site.url}private/x may not be fetched",
            "why": "Disallow: /private/",
            "delay": "2 s between two requests, 2 in flight at most",
            "sitemap": f"{site.url}map.xml",
        }
        opened = told(command, site, "private/open")
        assert opened["URL"] == f"{site.url}private/open may be fetched"
        assert opened["why"] == "Allow: /private/open$"
        assert told(command, site, "shop")["why"] == "no rule of the group matches"
        assert [asked.path for asked in site.log] == ["/robots.txt"] * 3


def test_it_is_read_for_the_user_agent_of_the_settings(command):
    with local_site({"/robots.txt": FILE}) as site:
        other = told(command, site, "", "-s", "user_agent=Other/2.0")
        assert (other["we are"], other["group"], other["why"]) == ("Other", "User-agent: Other", "Disallow: /")
        third = told(command, site, "shop/1", "-s", "user_agent=third")
        assert (third["group"], third["why"]) == ("User-agent: *, since none is for third", "Disallow: /shop")
        assert "delay" not in third


def test_programs_get_it_as_json(command):
    with local_site({"/robots.txt": FILE}) as site:
        code, out, err = command("robots", f"{site.url}private/x", "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == {
            "robots": f"{site.url}robots.txt",
            "status": 200,
            "agent": "trio-crawler",
            "group": "trio-crawler",
            "url": f"{site.url}private/x",
            "allowed": False,
            "rule": "Disallow: /private/",
            "delay": 2.0,
            "sitemaps": [f"{site.url}map.xml"],
        }


@pytest.mark.parametrize(
    ("answer", "may", "why"),
    [
        (Answer("gone", 404), "may be fetched", "there is no such file, so everything is allowed"),
        (Answer("round", 302, {"Location": "/robots.txt"}), "may be fetched", "there is no such file"),
        (Answer("", 200), "may be fetched", "a file without a group for us allows everything"),
        (Answer("broken", 500), "may not be fetched", "it cannot be had, so nothing is allowed until it can"),
    ],
)
def test_a_file_that_is_not_there_says_something_too(command, answer, may, why):
    with local_site({"/robots.txt": answer}) as site:
        lines = told(command, site, "page", "-s", "attempts=1")
        assert lines["URL"].endswith(may)
        assert lines["why"].startswith(why)


def test_a_redirect_is_followed_and_a_silent_server_told(command):
    with local_site({"/robots.txt": Answer("", 301, {"Location": "/r.txt"}), "/r.txt": FILE}) as site:
        assert told(command, site, "private/")["why"] == "Disallow: /private/"
    code, out, err = command("robots", "http://127.0.0.1:9/", "-s", "attempts=1")
    assert (code, out, err) == (1, "", "crawler: connection refused by 127.0.0.1:9\n")
