"""What a `Login` accepts, and what its errors say."""

from __future__ import annotations

from typing import Any

import pytest

from crawler import Login, Request, Response

URL = "https://site.test/login"


async def steps(session: str) -> None:
    """A login of several steps."""


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((7,), {}, "takes a URL, a Request or a method of the spider, not 7"),
        ((URL,), {}, "takes the values of the form, or json="),
        ((URL, {"user": "ada"}), {"json": {}}, "takes the values of the form, or json="),
        ((URL, ["user"]), {}, "a mapping of names to values, not list"),
        ((Request(URL), {"user": "ada"}), {}, "a Request or method has its own"),
        ((Request(URL, method="POST", json={"password": "env:CLUB"}),), {}, "env:NAME is not read in a Request"),
        ((Request(URL, method="POST", data={"password": "env:CLUB"}),), {}, "env:NAME is not read in a Request"),
        ((steps,), {}, "needs url="),
        (("site.test/login", {"user": "ada"}), {}, "not a URL"),
        ((URL, {"user": "ada"}), {"expired": 4.5}, "expired of a Login is a function, a status or several"),
        ((URL, {"user": "ada"}), {"check": 42}, "not an HTTP status: 42"),
        ((URL, {"user": "ada"}), {"proxy": "ftp://x"}, "proxy is"),
        ((URL, {"user": "ada"}), {"headers": {"Authorization": "x"}}, "headers of a Login is a function"),
        ((URL, {"user": "ada"}), {"session": 7}, "session must be str"),
    ],
)
def test_an_argument_that_is_wrong_is_an_error_that_says_why(arguments: Any, options: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        Login(*arguments, **options)


def test_the_login_page_is_that_of_the_url_of_the_request_or_the_one_that_is_given() -> None:
    assert Login(URL, {"user": "ada"}).url == URL
    assert Login(Request(URL)).url == URL
    assert Login(steps, url="HTTPS://site.test/login#form").url == URL


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (401, {401}),
        ([401, 403], {401, 403}),
        (".login", {200}),
        (lambda response: response.status > 400, {401, 403}),
    ],
)
def test_a_condition_is_a_status_several_a_selector_or_a_function(condition: Any, holds: set[int]) -> None:
    login = Login(URL, {"user": "ada"}, expired=condition)
    bodies = {200: "<p class=login>", 401: "", 403: ""}
    responses = [Response(URL, status, {"Content-Type": "text/html"}, body) for status, body in bodies.items()]
    assert {response.status for response in responses if login.expired(response)} == holds


def test_a_selector_finds_nothing_in_what_is_not_html() -> None:
    login = Login(URL, {"user": "ada"}, check="p")
    assert login.check is not None
    assert not login.check(Response(URL, 200, {"Content-Type": "application/json"}, '{"p": "<p>x</p>"}'))


def test_its_text_has_no_password() -> None:
    assert repr(Login(URL, {"password": "secret"}, session="ada")) == f"Login({URL!r}, session='ada')"
