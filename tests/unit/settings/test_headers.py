"""The setting `headers`: valid header fields, and the order of merged layers."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError
from crawler.settings import Settings


def test_headers_are_merged_by_name_and_keep_their_place():
    base = Settings(headers={"Accept-Language": "de", "DNT": "1"})
    over = Settings(headers={"X-A": None, "accept-language": "en"})
    assert list((base | over).headers.items()) == [("accept-language", "en"), ("DNT", "1"), ("X-A", "")]
    assert (base | Settings()).headers == base.headers


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"A B": "c"}, "not a header name: 'A B'"),
        ({5: "c"}, "not a header name: 5"),
        ({"A": "b\r\nC: d"}, "not a value for A: a line break that cannot be sent at position 2"),
        ({"A": "\0"}, "not a value for A: a NUL that cannot be sent at position 1"),
        ({"A": 5}, "not a value for A: expected text, not int"),
        ({"X": "1", "x": "2"}, "x is given twice"),
        ({"user-AGENT": "x"}, "user-AGENT cannot be a default: use the setting user_agent"),
        ({"Authorization": "Bearer x"}, "Authorization cannot be a default: every site would get it; use Spider.auth"),
        ({"Cookie": "a=b"}, "Cookie cannot be a default: every site would get it"),
        ({"Host": "a"}, "Host cannot be a default"),
        ([("A", "b")], "expected a mapping of names to values, got list"),
    ],
)
def test_invalid_headers_are_rejected_by_name(value, words):
    with pytest.raises(ConfigError) as caught:
        Settings(headers=value)
    assert str(caught.value).startswith(f"setting headers: {words}")


def test_headers_from_text():
    assert Settings.from_strings({"headers": '{"DNT": "1", "Accept": null}'}).headers == {"DNT": "1", "Accept": ""}
    for text in ("DNT: 1", '"a"'):
        with pytest.raises(ConfigError, match="^setting headers: "):
            Settings.from_strings({"headers": text})
