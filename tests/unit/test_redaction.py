"""What counts as a secret, and how it is hidden."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.redaction import (
    describe,
    hide_secrets_of,
    hide_userinfo,
    is_secret,
    redact,
    redact_field,
    redact_values,
    unsendable,
)


@each(
    "name",
    [
        "token", "tokens", "key", "secret", "password", "passwd", "pwd", "auth", "cookie", "cookies", "session",
        "credential", "credentials", "api_key", "access_key", "bearer", "apikey", "apiKey", "APIKey", "X-Api-Key",
        "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Auth-Token", "accessToken", "access_token",
        "client_secret", "user[password]", "PHPSESSID", "JSESSIONID", "sessionid", "X-Amz-Signature", "sig", "OAuth",
        "X-CSRF-Token", "refresh_token", "token2", "AWS_SECRET_ACCESS_KEY", "_pwd",
        "X-Pin", "pin", "X-Access-Code", "accessCode", "passcode", "pin_code",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@each(
    "name",
    ["", "url", "author", "keyword", "monkey", "tokenizer", "secretary", "compass", "bypass", "user", "page",
     "category", "Accept-Language", "Content-Type", "authority", "cookieconsent", "signal", "inside", "zipcode",
     "country_code", "ping", "spin", "client_id", "Referer", "/secret/", "https://token.test/session"],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert not is_secret(name)


@each(
    ("text", "shown"),
    [
        ("https://ada:pw@h.example/a", "https://***@h.example/a"),
        ("https://tok@h.example", "https://***@h.example"),
        ("no folder: redis:/ada:pw@h.example/1", "no folder: redis:/***@h.example/1"),
        ("https://medium.example/@ada/post", "https://medium.example/@ada/post"),
        ("https://h.example/a?q=1&api_key=abc&b=2", "https://h.example/a?q=1&api_key=***&b=2"),
        ("https://h.example/a?user%5Bpassword%5D=abc", "https://h.example/a?user%5Bpassword%5D=***"),
        ("https://h.example/a#access_token=abc&x=1", "https://h.example/a#access_token=***&x=1"),
        ("https://h.example/a;jsessionid=abc", "https://h.example/a;jsessionid=***"),
        ("not a URL: 'x?token=abc'", "not a URL: 'x?token=***'"),
        ("failed (see https://h.example/?sig=abc).", "failed (see https://h.example/?sig=***)."),
        ("user=ada&password=abc", "user=ada&password=***"),
        ("{'Authorization': 'Bearer abc', 'Accept': '*/*'}", "{'Authorization': '***', 'Accept': '*/*'}"),
        ("Cookie: a=1; b=2", "Cookie: ***"),
        ("{'x-api-key': 'it\\'s', 'keyword': 'b'}", "{'x-api-key': '***', 'keyword': 'b'}"),
        ('{"api_key":"abc","a":"b"}', '{"api_key":"***","a":"b"}'),
        ("token='a b', other='c'", "token='***', other='c'"),
        ('token="a b"', 'token="***"'),
        ("keyword=shoes author=ada", "keyword=shoes author=ada"),
        ("https://h.example/a?code=abc&state=xyz", "https://h.example/a?code=***&state=xyz"),
        ("https://h.example/a?state=x#Code=abc", "https://h.example/a?state=x#Code=***"),
        ("https://h.example/auth/callback?x=1&code=abc", "https://h.example/auth/callback?x=1&code=***"),
        ("GET 'https://h.example/signin-oauth2?code=abc'.", "GET 'https://h.example/signin-oauth2?code=***'."),
        ("(https://h.example/oauth/authorize?code=4/0Ab).", "(https://h.example/oauth/authorize?code=***)."),
        ("grant_type=authorization_code&code=abc", "grant_type=authorization_code&code=***"),
        ("/token?code=abc /shop?code=de", "/token?code=*** /shop?code=de"),
        ("https://h.example/shops?code=de&page=2", "https://h.example/shops?code=de&page=2"),
        ("https://h.example/token?zipcode=1&code_of=2", "https://h.example/token?zipcode=1&code_of=2"),
        ("https://h.example/tokens?code=de&estate=x", "https://h.example/tokens?code=de&estate=x"),
        ("code=de, /a?state=x", "code=de, /a?state=x"),
        ("nothing to hide", "nothing to hide"),
        ("?token=", "?token="),
        ("write session=… (not a cookie jar), ?sid=…ab", "write session=… (not a cookie jar), ?sid=***"),
    ],
)
def test_texts_are_shown_without_secrets(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ada:p/w@h:80", "http://***@h:80"),
        ("ada:pw@h:80", "***@h:80"),
        ("http://ada:p@w@h", "http://***@h"),
        ("mailto:ada@h.example", "mailto:ada@h.example"),
        ("http://h:port/?key=abc", "http://h:port/?key=***"),
    ],
)
def test_an_invalid_url_shows_nothing_that_may_be_a_password(url: str, shown: str) -> None:
    assert hide_userinfo(url) == shown


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("sql://ada:s3cr3t@h/db", "no user ada with s3cr3t at h", "no user ada with *** at h"),
        ("sql://ada:s3cr3t%zz@[::1/db", 'invalid token: "s3cr3t%zz"', 'invalid token: "***"'),
        ("sql://ada:s3cr3t/x@h/db", "no port 's3cr3t'", "no port '***'"),
        ("sql://ada:s3c%40r3t@h/db", "s3c@r3t is wrong", "*** is wrong"),
        ("sql://h/db?password=s3cr3t&user=ada", "ada s3cr3t", "ada ***"),
        ("sql://ada:x@h/db", "an example of h", "an example of h"),
        ("https://h/callback?code=s3cr3t", "s3cr3t used twice", "*** used twice"),
        ("https://h/shop?code=shoes", "no shoes", "no shoes"),
        ("/home/ada@h/db", "no /home/ada@h/db", "no /home/ada@h/db"),
    ],
)
def test_a_library_repeats_no_secret_of_a_url(url: str, text: str, shown: str) -> None:
    assert hide_secrets_of(url, text) == shown


def test_values_are_hidden_by_their_names_at_any_depth() -> None:
    value = {"headers": {"X-Api-Key": "abc", "Accept": "*/*"}, "urls": ["http://u:p@h/"], "token": "", "n": 1}
    assert redact_values(value) == {
        "headers": {"X-Api-Key": "***", "Accept": "*/*"}, "urls": ["http://***@h/"], "token": "", "n": 1,
    }  # fmt: skip
    assert redact_values(["a", {"b": 1}], "cookies") == "***"
    fields = {"X-Api-Key": "abc", "Accept": "a", "token": "", "Location": "/?sid=abc"}
    assert [redact_field(name, value) for name, value in fields.items()] == ["***", "a", "", "/?sid=***"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("abc", ""),
        ("a\tb", ""),
        ("a\nb", "a line break that cannot be sent at position 2"),
        ("\r", "a line break that cannot be sent at position 1"),
        ("ab\0", "a NUL that cannot be sent at position 3"),
        ("\x7f", "a control character that cannot be sent at position 1"),
    ],
)
def test_characters_that_no_secret_contains(value: str, why: str) -> None:
    assert unsendable(value) == why


def test_a_value_of_a_wrong_type_is_described_without_its_content() -> None:
    assert [describe(value) for value in (5, 0, None, [], ["abc"], {"a"}, True)] == [
        "5", "0", "None", "[]", "list", "set", "True",
    ]  # fmt: skip


@given(st.from_regex(r"[!-~]{1,40}", fullmatch=True).filter(lambda s: not set(s) & set("&#\"'<>),.:;]}")))
def test_no_part_of_a_secret_parameter_is_shown(value: str) -> None:
    marked = f"zq{value}qz"
    assert "zq" not in redact(f"https://h.example/?a=1&token={marked}&b=2")


@pytest.mark.parametrize("piece", ["=", "a=", "&token=", "//a", "@", "'", "cookie:", "a", "'a': '", "\\", "a='"])
def test_long_texts_take_linear_time(piece: str) -> None:
    started = time.process_time()
    redact(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 1.0
