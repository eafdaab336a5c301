"""Credentials go to the origins of the API only, may come from the environment, and are in no message."""

from __future__ import annotations

import pytest

from crawler import ConfigError, Request
from crawler.spiders.api_credentials import parse_credentials

API = frozenset({"https://api.test"})


def credentials(headers=None, token="", user=""):
    return parse_credentials(API, headers=headers or {}, token=token, user=user, where="Api: argument")


def test_credentials_are_added_to_requests_of_their_origins(monkeypatch):
    monkeypatch.setenv("API_KEY", "k")
    by_token = credentials({"X-Key": "env:API_KEY", "X-Plain": "p"}, token="t")
    request = by_token.with_credentials(Request("https://api.test/x", headers={"x-plain": "own"}))
    assert dict(request.headers.pairs) == {"x-plain": "own", "X-Key": "k", "Authorization": "Bearer t"}
    by_user = credentials(user="ann:a:b")
    assert by_user.with_credentials(Request("https://api.test/x")).auth == ("ann", "a:b")
    assert by_user.with_credentials(Request("https://api.test/x", auth=("b", "c"))).auth == ("b", "c")


@pytest.mark.parametrize("url", ["http://api.test/", "https://api.test:8443/", "https://other.test/"])
def test_requests_of_other_origins_stay_as_they_are(url):
    assert credentials(token="t").with_credentials(Request(url)) is None


def test_without_credentials_no_request_changes():
    assert credentials().with_credentials(Request("https://api.test/")) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user": "secret"}, "user: expected user:password, or env:NAME of a variable that holds it"),
        ({"token": "secret\n"}, "token: cannot be sent as Authorization"),
        ({"headers": {"X-Key": "secret\n"}}, "headers: cannot be sent as X-Key"),
        ({"headers": {"a b": "secret"}}, "headers: not a field name: 'a b'"),
        ({"token": "env:UNSET"}, "token: the environment variable 'UNSET' is not set"),
        ({"user": "a:secret", "token": "secret"}, "user: give a token or a user, not both"),
        ({"user": "a\n:secret"}, "auth: the user must have no colon, and neither part control characters"),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused_without_showing_them(arguments, message):
    with pytest.raises(ConfigError) as caught:
        credentials(**arguments)
    assert str(caught.value).startswith(f"Api: argument {message}")
    assert "secret" not in str(caught.value)


def test_their_representation_shows_nothing_secret():
    assert "secret" not in repr(credentials({"X-Key": "secret"}, token="secret"))
    assert "secret" not in repr(credentials(user="a:secret"))
