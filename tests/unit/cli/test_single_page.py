"""One page, fetched as in a crawl."""

from __future__ import annotations

import logging

import pytest
from support.localsite import Answer, local_site

from crawler.cli.configuration import Configuration
from crawler.cli.single_page import SinglePage, fetch_page, get, status_line
from crawler.errors import BadRedirect, ConfigError, ConnectFailed, Refused
from crawler.messages import Request
from crawler.settings import Settings

pytestmark = pytest.mark.usefixtures("in_process")

PAGES = {
    "/": "front",
    "/moved": Answer("", 301, {"Location": "/"}),
    "/circle": Answer("", 302, {"Location": "/circle"}),
    "/secret": "nothing to see",
    "/robots.txt": "User-agent: *\nDisallow: /secret\n",
}


@pytest.fixture(scope="module")
def served():
    with local_site(PAGES) as site:
        yield site


def fetch(url, **options):
    return fetch_page(SinglePage(Request(url)), Configuration.load(environment={}), **options)


def test_redirects_are_followed_and_any_status_is_a_response(served, capfd):
    assert get(f"{served.url}moved", (), "warning").text == "front"
    assert capfd.readouterr().err == ""
    assert get(f"{served.url}none", (), "warning").status == 404
    assert capfd.readouterr().err == f"crawler: {served.url}none returned 404 Not Found\n"


def test_the_status_can_be_left_to_the_caller(served, capfd):
    assert fetch(f"{served.url}none", show_status=False).status == 404
    assert capfd.readouterr().err == ""


def test_a_request_that_robots_txt_disallows_says_how_to_fetch_it_anyway(served):
    with pytest.raises(Refused, match=r"secret .*robots\.txt.* \(-s obey_robots=false fetches it anyway\)$"):
        fetch(f"{served.url}secret")
    assert fetch(f"{served.url}secret", overrides=Settings(obey_robots=False)).text == "nothing to see"
    assert get(f"{served.url}secret", ("obey_robots=false",), "warning").text == "nothing to see"


def test_without_a_response_the_error_is_raised(served):
    with pytest.raises(BadRedirect):
        fetch(f"{served.url}circle")
    with pytest.raises(ConnectFailed):
        fetch("http://127.0.0.1:9/", overrides=Settings(attempts=1, obey_robots=False))
    with pytest.raises(ConfigError, match="did you mean https://site.test"):
        get("site.test", (), "warning")


def test_a_request_that_was_filtered_names_the_reason(served, tmp_path):
    plugin = tmp_path / "only.py"
    plugin.write_text("from crawler import Drop, Plugin\nclass Only(Plugin):\n    def admit(self, request):\n"
                      "        return Drop('not today')\n")  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        configuration = Configuration.load(plugins=["only:Only"], environment={})
        with pytest.raises(Refused, match=f"{served.url} was not fetched: not today"):
            fetch_page(SinglePage(Request(served.url)), configuration)


def test_a_followed_request_starts_without_depth_and_redirects(served):
    response = fetch(f"{served.url}moved")
    followed = SinglePage(response.follow("/none")).request
    assert (followed.depth, followed.redirects, followed.callback) == (0, (), None)


def test_the_engine_is_quiet_at_the_default_level_only(served):
    get(served.url, (), "warning")
    assert logging.getLogger("crawler.engine").level == logging.ERROR
    logging.getLogger("crawler.engine").setLevel(logging.NOTSET)
    get(served.url, (), "info")
    assert logging.getLogger("crawler.engine").level == logging.NOTSET


@pytest.mark.parametrize(("status", "line"), [(200, "200 OK"), (404, "404 Not Found"), (299, "299"), (999, "999")])
def test_a_status_line_has_the_phrase_of_a_known_status(status, line):
    assert status_line(status) == line
