"""``crawler from-curl``: the request that sends what curl sends."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Request
from crawler.cli.from_curl import _code, parse_curl
from crawler.errors import ConfigError

URL = "https://shop.example/api"
FORM = "application/x-www-form-urlencoded"


def request(text):
    names = {}
    code = _code(parse_curl(text))
    exec(code.replace("Request(\n", "made = Request(\n").replace(f"Request('{URL}", f"made = Request('{URL}"), names)
    return names["made"]


@each(
    ("text", "expected"),
    [
        (f"curl {URL}", Request(URL)),
        (f"curl '{URL}?a=1&b=2' --compressed -sSL -k", Request(f"{URL}?a=1&b=2")),
        (f"curl -XDELETE {URL}", Request(URL, method="DELETE")),
        (f"curl -I {URL}", Request(URL, method="HEAD")),
        (f"curl {URL} -H 'X-Key: 1' -H 'Host: a' -H 'Content-Length: 3'", Request(URL, headers={"X-Key": "1"})),
        (f"curl {URL} -A me -e http://a.test/", Request(URL, headers={"User-Agent": "me", "Referer": "http://a.test/"})),
        (f"curl {URL} -b 'a=1; b=2'", Request(URL, cookies={"a": "1", "b": "2"})),
        (f"curl {URL} -H 'Cookie: a=1'", Request(URL, cookies={"a": "1"})),
        (f"curl -G -d a=1 -d b=2 {URL}", Request(f"{URL}?a=1&b=2")),
        (f"curl -G -d b=2 '{URL}?a=1'", Request(f"{URL}?a=1&b=2")),
        (f"curl {URL} --proxy proxy.test:1", Request(URL, proxy="http://proxy.test:1")),
        (f"curl --url={URL} -x http://proxy.test:1", Request(URL, proxy="http://proxy.test:1")),
        (
            f"curl {URL} -d a=1 --data-urlencode 'q=x y'",
            Request(URL, method="POST", body="a=1&q=x+y", headers={"Content-Type": FORM}),
        ),
        (
            f"curl {URL} --json '{{}}'",
            Request(
                URL, method="POST", body="{}",
                headers={"Content-Type": "application/json", "Accept": "application/json"},
            ),
        ),
        (
            f"curl {URL} -X PUT -H 'content-type: text/plain' --data-raw '@x'",
            Request(URL, method="PUT", body="@x", headers={"content-type": "text/plain"}),
        ),
        (f"curl {URL} -u me:pw", Request(URL, headers={"Authorization": "Basic bWU6cHc="})),
        (f"curl {URL} \\\n  -H $'X-Key: it\\'s'", Request(URL, headers={"X-Key": "it's"})),
        (f"curl -d '' {URL}", Request(URL, method="POST", headers={"Content-Type": FORM})),
        (f"curl -sXPUT {URL}", Request(URL, method="PUT")),
        (f"curl -sSLo page.html -vm5 {URL}", Request(URL)),
        (f"curl '{URL}#part' -G -d a=1", Request(f"{URL}?a=1")),
        (f"curl {URL} -H 'X-Key: 1' -H 'x-key: 2'", Request(URL, headers=[("X-Key", "1"), ("x-key", "2")])),
        (
            f"curl -d =1 --data-urlencode '=x y' --data-urlencode 'x y' {URL}",
            Request(URL, method="POST", body="=1&x+y&x+y", headers={"Content-Type": FORM}),
        ),
        (
            f"curl {URL} --json '{{}}' -H 'content-type: application/vnd.api+json'",
            Request(
                URL, method="POST", body="{}",
                headers={"content-type": "application/vnd.api+json", "Accept": "application/json"},
            ),
        ),
    ],
)  # fmt: skip
def test_a_command_becomes_the_same_request(text, expected):
    made = request(text)
    assert (made.url, made.method, made.body) == (expected.url, expected.method, expected.body)
    assert made.headers.pairs == expected.headers.pairs
    assert (made.cookies, made.proxy) == (expected.cookies, expected.proxy)


@each(
    ("text", "message"),
    [
        ("", "no URL"),
        ("curl", "no URL"),
        (f"curl '{URL}", "not a command line"),
        (f"curl {URL} -F a=b", "-F has no counterpart"),
        (f"curl {URL} -d @file", "reads a file"),
        (f"curl {URL} -b jar.txt", "file of cookies"),
        (f"curl {URL} -H", "needs a value"),
        ("curl ftp://a.test/", "ftp"),
        (f"curl {URL} http://other.test/", "two URLs"),
        (f"curl {URL} --data-urlencode name@file", "reads a file"),
    ],
)
def test_an_option_that_a_request_cannot_express_is_named(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_curl(text)
    assert message in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text):
    with suppress(ConfigError):
        parse_curl(text)


def test_the_command_prints_python_and_names_settings(command):
    code, out, err = command("from-curl", f"curl {URL} -k -m 5")
    assert (code, out) == (0, f"from crawler import Request\n\nRequest('{URL}')\n")
    assert err == "crawler: set in Settings: tls_verify=False, request_deadline\n"
    assert command("from-curl", "curl", URL, "-H", "X-Key: 1")[1].count("'X-Key': '1'") == 1
