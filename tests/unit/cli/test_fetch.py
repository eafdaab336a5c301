"""``crawler fetch`` and ``crawler links``."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest
from support.localsite import Answer, local_site


def test_fetch_prints_the_body_and_nothing_else(command, site):
    code, out, err = command("fetch", f"{site.url}catalogue.html")
    assert (code, err) == (0, "")
    assert out == site.answer("/books/1").body


def test_fetch_can_show_the_status_line_and_the_fields_instead(command, site):
    code, out, err = command("fetch", f"{site.url}books/2", "--headers")
    assert (code, err) == (0, "")
    status, *fields = out.splitlines()
    assert status == "HTTP 200 OK"
    assert "Content-Type: text/html; charset=utf-8" in fields


def test_a_page_of_any_status_is_printed_and_an_error_status_is_exit_code_4(command, site):
    code, out, err = command("fetch", f"{site.url}lost")
    assert (code, out) == (4, site.answer("/lost").body)
    assert err == f"crawler: {site.url}lost returned 404 Not Found\n"
    for options in (["--json"], ["--head"], ["--headers"], ["--as", "text"]):
        assert command("fetch", f"{site.url}lost", *options)[0] == 4
    assert command("links", f"{site.url}lost")[0] == 4


def test_a_request_without_a_response_is_one_line_and_exit_code_1(command, site):
    for obey in ("true", "false"):
        code, out, err = command("fetch", "http://127.0.0.1:9/", "-s", "attempts=1", "-s", f"obey_robots={obey}")
        assert (code, out, err) == (1, "", "crawler: connection refused by 127.0.0.1:9\n")
    nowhere = command("fetch", "http://127.0.0.1:0/", "-s", "attempts=1")
    assert nowhere == (1, "", "crawler: connection refused by 127.0.0.1:0\n")
    seen = len(site.statuses("/private/orders"))
    code, out, err = command("fetch", f"{site.url}private/orders")
    assert (code, out) == (1, "")
    assert err.startswith(f"crawler: {site.url}private/orders was not requested: its robots.txt forbids it")
    assert err.count("\n") == 1
    assert len(site.statuses("/private/orders")) == seen
    assert command("fetch", f"{site.url}private/orders", "-s", "obey_robots=false")[0] == 0


def test_a_failed_redirect_is_an_error(command):
    def to(target):
        return Answer("moved", 302, headers={"Location": target})

    with local_site({"/round": to("/round"), "/out": to("mailto:a@b.test"), "/kept": Answer("moved", 302)}) as site:
        assert command("fetch", f"{site.url}round") == (1, "", "crawler: more than 10 redirects, in a loop\n")
        code, out, err = command("fetch", f"{site.url}out")
        assert (code, out, err) == (1, "", "crawler: redirected to a target that is not a web URL: 'mailto:a@b.test'\n")
        code, out, err = command("fetch", f"{site.url}kept")
        assert (code, out, err) == (0, "moved", f"crawler: {site.url}kept returned 302 Found\n")


def test_a_refused_network_is_named_with_the_address(command, site):
    code, out, err = command("fetch", site.url, "-s", "private_network=false")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("crawler: not sent: 127.0.0.1, on the loopback network")


def test_ctrl_c_stops_at_once(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start("fetch", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        connection.close()
    assert (process.returncode, out, err) == (130, "", "crawler: interrupted\n")


def test_links_are_absolute_one_per_line_or_json(command, site):
    code, out, err = command("links", f"{site.url}books/1")
    assert (code, err) == (0, "")
    links = out.splitlines()
    assert links[0] == f"{site.url}book/pride-and-prejudice"
    assert links[-2:] == [f"{site.url}books/2", site.url]
    assert len(links) == len(set(links)) == 7
    code, out, _ = command("links", f"{site.url}books/1", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [link["url"] for link in found] == links
    assert found[-2] == {"url": links[-2], "tag": "a", "text": "Next page", "rel": []}


def test_a_page_without_links_says_so(command, site):
    code, out, err = command("links", f"{site.url}robots.txt")
    assert (code, out) == (0, "")
    assert err == f"crawler: {site.url}robots.txt is not HTML (text/plain)\n"


def test_a_reader_that_closes_the_pipe_causes_no_traceback(site):
    pipe = subprocess.Popen(
        [sys.executable, "-m", "crawler", "fetch", site.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    pipe.stdout.close()
    assert pipe.stderr.read() == b""
    pipe.stderr.close()
    assert pipe.wait(20) == 1


def test_a_long_wait_is_explained(command):
    busy = Answer("slower", 429, headers={"Retry-After": "3"})
    with local_site({"/": [busy, "hello"]}) as site:
        code, out, err = command("fetch", site.url)
        assert (code, out) == (0, "hello")
        assert err == f"crawler: {site.url} returned 429 Too Many Requests: retrying in 3 s\n"


def test_the_content_can_be_printed_in_other_forms(command, site):
    page = f"{site.url}books/1"
    code, out, err = command("fetch", page, "--as", "markdown")
    assert (code, err) == (0, "")
    assert f"]({site.url}book/pride-and-prejudice)" in out
    assert "<" not in out.replace("<http", "")
    assert "](" not in command("fetch", page, "--as", "text")[1]
    assert command("fetch", page, "--as", "links")[1].splitlines()[0] == f"{site.url}book/pride-and-prejudice"
    code, out, _ = command("fetch", page, "--as", "article")
    article = json.loads(out)
    assert (article["title"], article["authors"], article["date"]) == ("Books, page 1 of 4", [], None)
    assert article["markdown"] in command("fetch", page, "--as", "markdown")[1]


def test_one_form_at_a_time(command, site):
    assert command("fetch", site.url, "--as", "text", "--headers")[0] == 2
    code, _, err = command("fetch", site.url, "--as", "pdf")
    assert (code, err.count("\n")) == (2, 1)


def test_a_page_is_rendered_only_if_there_is_a_browser(command, site, tmp_path):
    page, nowhere = f"{site.url}books/2", {"CRAWLER_BROWSER": "no-browser"}
    refusal = (2, "", "crawler: browser: CRAWLER_BROWSER: no such program: no-browser\n")
    for words in (("fetch", page, "--browser"), ("links", page, "--browser"), ("shell", page, "--browser", "-c", "1"),
                  ("fetch", page, "--screenshot", "page.png")):  # fmt: skip
        assert command(*words, env=nowhere) == refusal
    assert command("fetch", page, env=nowhere)[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--browser", "--head"], "--head has no body to render: leave out --browser"),
        (["--screenshot", "page.jpg"], "--screenshot takes a file that ends in .png or .pdf, not page.jpg"),
        (["-P", "browser.wait=p"], "-P browser.wait: no plugin named 'browser' is enabled"),
    ],
)
def test_options_of_the_browser_that_contradict_each_other_are_refused(command, site, words, message):
    assert command("fetch", f"{site.url}books/2", *words) == (2, "", f"crawler: {message}\n")
