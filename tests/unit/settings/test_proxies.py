"""The setting `proxies`: valid proxy URLs, and messages without passwords."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler.errors import ConfigError
from crawler.settings import Settings


def test_proxies_are_merged_by_glob_and_take_precedence():
    base = Settings(proxies={"a.test": "http://p:1", "*": ["http://p:2", "http://p:3"]})
    merged = base | Settings(proxies={"*.test": "direct", "*": "http://p:4"})
    assert list(merged.proxies.items()) == [
        ("*.test", ("direct",)), ("*", ("http://p:4",)), ("a.test", ("http://p:1",)),
    ]  # fmt: skip
    assert (base | Settings(proxies="direct")).proxies["*"] == ("direct",)


@each(
    ("value", "words"),
    [
        ("p.test:3128", "not the URL of an http, https, socks5 or socks5h proxy: 'p.test:3128'"),
        ("ftp://p.test", "not the URL of an http, https, socks5 or socks5h proxy: 'ftp://p.test'"),
        ("http://", "not the URL of an"),
        ("http://p.test:0x", "not the URL of an"),
        (
            "http://me:secret@p.test:99999",
            "not the URL of an http, https, socks5 or socks5h proxy: 'http://***@p.test:99999'",
        ),
        ("http://p.test/path", "not the URL of an"),
        ("http://p.test\r\nX", "not the URL of an"),
        (["http://p.test", 5], "must be a URL, a list of them, or direct, not 5"),
        ({"*.test": []}, "*.test: must be a URL, a list of them, or direct, not []"),
        ({"*.test": None}, "*.test: must be a URL, a list of them, or direct, not None"),
        ({"*.test": "nowhere"}, "*.test: not the URL of an"),
        ({"https://a.test": "direct"}, "a glob must name hosts, not URLs: 'https://a.test'"),
        ({5: "direct"}, "a glob of hosts must be text, not 5"),
    ],
)
def test_invalid_proxies_are_rejected_without_showing_a_password(value, words):
    with pytest.raises(ConfigError) as caught:
        Settings(proxies=value)
    assert str(caught.value).startswith(f"setting proxies: {words}")
    assert "secret" not in str(caught.value)


def test_neither_settings_nor_their_errors_show_a_password():
    assert "secret" not in repr(Settings(proxies="http://me:secret@p.test"))
    for name, text in [("proxies", '["http://me:secret@p.test"'), ("headers", '{"X-Key": "secret"')]:
        with pytest.raises(ConfigError, match=f"^setting {name}: JSON ends too early ") as caught:
            Settings.from_strings({name: text})
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"not set$") as caught:
        Settings(proxies={"http://me:secret@p.test"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "proxies"),
    [
        ("http://p.test:1", {"*": ("http://p.test:1",)}),
        ("direct", {"*": ("direct",)}),
        ("", {}),
        ('["http://p.test:1", "socks5://[::1]"]', {"*": ("http://p.test:1", "socks5://[::1]")}),
        ('{"*.test": "direct", "*": ["http://p.test:1", "http://p.test:1"]}',
         {"*.test": ("direct",), "*": ("http://p.test:1",)}),
    ],
)  # fmt: skip
def test_proxies_from_text(text, proxies):
    assert Settings.from_strings({"proxies": text}).proxies == proxies
    again = Settings.from_strings({"proxies": text})
    assert Settings(**again.given) == again
