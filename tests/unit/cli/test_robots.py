"""``crawler robots``: what a robots.txt allows, and why."""

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
REFUSING = "http://127.0.0.1:9/"
"""No server listens there."""


def shown(command, site, path, *more):
    """Return the lines after the first, by their labels."""
    code, out, err = command("robots", f"{site.url}{path}", *more)
    assert (code, err) == (0, "")
    first, *lines = out.splitlines()
    assert first.startswith(f"{site.url}robots.txt returned ")
    return {line[2:12].strip(): line[12:] for line in lines}


def test_robots_shows_whether_a_url_may_be_fetched_and_by_which_rule(command):
    with local_site({"/robots.txt": FILE}) as site:
        assert shown(command, site, "private/x") == {
            "agent": "trio-crawler",
            "group": "User-agent: trio-crawler",
            "URL": f"{site.url}private/x must not be fetched",
            "rule": "Disallow: /private/",
            "delay": "2 s between two requests, at most 2 in flight",
            "sitemap": f"{site.url}map.xml",
        }
        opened = shown(command, site, "private/open")
        assert opened["URL"] == f"{site.url}private/open may be fetched"
        assert opened["rule"] == "Allow: /private/open$"
        assert shown(command, site, "shop")["rule"] == "none matches, so it is allowed"
        assert [asked.path for asked in site.log] == ["/robots.txt"] * 3


def test_the_rules_are_those_for_the_user_agent_of_the_settings(command):
    with local_site({"/robots.txt": FILE}) as site:
        other = shown(command, site, "", "-s", "user_agent=Other/2.0")
        assert (other["agent"], other["group"], other["rule"]) == ("Other", "User-agent: Other", "Disallow: /")
        third = shown(command, site, "shop/1", "-s", "user_agent=third")
        assert (third["group"], third["rule"]) == ("User-agent: * (there is none for third)", "Disallow: /shop")
        assert "delay" not in third


def test_a_delay_of_zero_is_none(command):
    with local_site({"/robots.txt": "User-agent: *\nCrawl-delay: 0\n"}) as site:
        assert "delay" not in shown(command, site, "")


def test_json_is_for_other_programs(command):
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


def test_the_robots_txt_of_several_urls_of_a_site_is_fetched_once(command):
    with local_site({"/robots.txt": FILE}) as site, local_site({}) as other:
        asked = [f"{site.url}private/x", f"{other.url}", f"{site.url}private/open", f"{site.url}private/x"]
        code, out, err = command("robots", *asked)
        assert (code, err) == (0, "")
        shown = [line for line in out.splitlines() if line[2:5] != "age" and line[2:5] != "gro"]
        assert shown == [
            f"{site.url}robots.txt returned 200 OK",
            f"  URL       {site.url}private/x must not be fetched",
            "  rule      Disallow: /private/",
            f"  URL       {site.url}private/open may be fetched",
            "  rule      Allow: /private/open$",
            "  delay     2 s between two requests, at most 2 in flight",
            f"  sitemap   {site.url}map.xml",
            f"{other.url}robots.txt returned 404 Not Found",
            f"  URL       {other.url} may be fetched",
            "  rule      the site has no robots.txt, so everything is allowed",
        ]
        code, out, err = command("robots", *asked, "--json")
        assert (code, err) == (0, "")
        found = [json.loads(line) for line in out.splitlines()]
        assert {line["url"]: line["allowed"] for line in found} == dict(
            zip(asked[:3], [False, True, True], strict=True)
        )
        assert len(found) == 3
        assert [len(each.log) for each in (site, other)] == [2, 2]


@pytest.mark.parametrize(
    ("answer", "may", "rule"),
    [
        (Answer("gone", 404), "may be fetched", "the site has no robots.txt, so everything is allowed"),
        (Answer("round", 302, {"Location": "/robots.txt"}), "may be fetched", "the site has no robots.txt"),
        (Answer("", 200), "may be fetched", "no group applies, so everything is allowed"),
        (
            Answer("broken", 500),
            "must not be fetched",
            "robots.txt is unavailable, so nothing is allowed until it is back",
        ),
    ],
)
def test_a_missing_or_unavailable_file_is_explained(command, answer, may, rule):
    with local_site({"/robots.txt": answer}) as site:
        lines = shown(command, site, "page", "-s", "attempts=1")
        assert lines["URL"].endswith(may)
        assert lines["rule"].startswith(rule)


def test_redirects_are_followed_and_a_server_without_a_response_is_an_error(command):
    with local_site({"/robots.txt": Answer("", 301, {"Location": "/r.txt"}), "/r.txt": FILE}) as site:
        assert shown(command, site, "private/")["rule"] == "Disallow: /private/"
    code, out, err = command("robots", REFUSING, "-s", "attempts=1")
    assert (code, out, err) == (1, "", f"crawler: {REFUSING}robots.txt: connection refused by 127.0.0.1:9\n")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_sites_after_one_without_a_response_are_asked_too(command, options):
    with local_site({"/robots.txt": FILE}) as site:
        asked = [REFUSING, f"{site.url}private/x", "http://127.0.0.1:7/", "-s", "attempts=1"]
        code, out, err = command("robots", *asked, *options)
        assert (code, err.splitlines()) == (
            1,
            [
                f"crawler: {REFUSING}robots.txt: connection refused by 127.0.0.1:9",
                "crawler: http://127.0.0.1:7/robots.txt: connection refused by 127.0.0.1:7",
            ],
        )
        assert [asked.path for asked in site.log] == ["/robots.txt"]
        if options:
            assert json.loads(out)["url"] == f"{site.url}private/x"
        else:
            assert f"  URL       {site.url}private/x must not be fetched" in out.splitlines()
