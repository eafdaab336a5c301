"""Settings from text, as on the command line."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta
from support.cases import each

from crawler.errors import ConfigError
from crawler.limits.pace import Pace
from crawler.settings import Settings
from crawler.settings.texts import is_utf8, plain, requirement


def test_text_is_converted_to_the_type_of_the_setting():
    texts = {
        "workers": "8", "delay": "0.5", "obey_robots": "false", "max_depth": "none", "max_pages": "10",
        "user_agent": "mine/1", "durability": "power", "max_seconds": "None",
        "pacing": '{"*.example.com": {"rate": ["10/s", "100/min"], "burst": 2}}',
    }  # fmt: skip
    assert Settings.from_strings(texts).given == {
        "workers": 8, "delay": 0.5, "obey_robots": False, "max_depth": None, "max_pages": 10, "user_agent": "mine/1",
        "durability": "power", "max_seconds": None,
        "pacing": {"*.example.com": Pace(rate=("10/s", "100/min"), burst=2)},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("/docs/*", ("/docs/*",)),
        ("re:[0-9]{1,3}", ("re:[0-9]{1,3}",)),
        ('["/docs/*", "re:,"]', ("/docs/*", "re:,")),
        ("[]", ()),
    ],
)
def test_a_list_of_strings_is_one_string_or_json(text, values):
    assert Settings.from_strings({"include": text}).include == values
    assert Settings(include=text).include == (text,)
    assert Settings(include=list(values)).include == values


@pytest.mark.parametrize("text", ["[/docs", "[1]", ""])
def test_an_invalid_list_of_strings_is_rejected(text):
    with pytest.raises(ConfigError, match="^setting include: "):
        Settings.from_strings({"include": text})


@each("name", ["traps", "private_network"])  # a boolean, and an optional boolean
@each(("text", "value"), [("yes", True), ("On", True), ("no", False), ("off", False), ("0", False)])
def test_a_boolean_may_be_written_in_common_words(name, text, value):
    assert getattr(Settings.from_strings({name: text}), name) is value


@pytest.mark.parametrize("text", ["none", "null", "7", "true"])
def test_the_text_of_a_string_setting_is_unchanged(text):
    assert Settings.from_strings({"user_agent": text}).user_agent == text


@each(
    ("name", "text", "words"),
    [
        ("workers", "many", "must be a whole number, not 'many'"),
        ("workers", "", "must be a whole number, not ''"),
        ("workers", "0", "must be a whole number, at least 1, not '0'"),
        ("workers", "none", "must be a whole number, not 'none'"),
        ("workers", "1.5", "must be a whole number, not '1.5'"),
        ("delay", "nan", "must be a number of seconds, at least 0, not 'nan'"),
        ("obey_robots", "maybe", "must be true or false, not 'maybe'"),
        ("durability", "forever", "must be process or power, not 'forever'"),
        ("pacing", "quick", "JSON is malformed"),
        ("pacing", '{"a":', "JSON ends too early"),
        ("pacing", "[1]", "must be a mapping of globs to Pace, not [1]"),
    ],
)
def test_invalid_text_is_rejected_by_name(name, text, words):
    with pytest.raises(ConfigError) as caught:
        Settings.from_strings({name: text})
    assert str(caught.value).startswith(f"setting {name}: {words}")


@pytest.mark.parametrize(
    ("name", "text", "example"),
    [
        ("headers", "DNT", '{"Accept-Language": "de"}'),
        ("pacing", "60/min", '{"*.example.com": {"rate": "60/min"}}'),
        ("proxies", "[x", '["http://127.0.0.1:3128"]'),
        ("include", "[/docs", '["one", "two"]'),
    ],
)
def test_a_message_about_malformed_json_shows_what_to_write(name, text, example):
    with pytest.raises(ConfigError) as caught:
        Settings.from_strings({name: text})
    assert str(caught.value).endswith(f" (write JSON, such as {example})")
    assert getattr(Settings.from_strings({name: example}), name)


def test_is_utf8_detects_undecodable_bytes():
    assert is_utf8("ü")
    assert not is_utf8(b"\xfc".decode("utf-8", "surrogateescape"))


def test_messages_of_msgspec_lose_their_backticks_and_capital():
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert("x", int)
    assert plain(caught.value) == "expected int"
    assert plain(ValueError("JSON is malformed")) == "JSON is malformed"


@pytest.mark.parametrize(
    ("value", "kind", "unit", "message"),
    [
        ("abc", float | None, "seconds", "must be a number of seconds or none, not V"),
        (0, Annotated[int, Meta(ge=1)], "", "must be a whole number, at least 1, not V"),
        (9e9, Annotated[float, Meta(le=86_400)], "seconds", "must be a number of seconds, at most 86400, not V"),
        (0.0, Annotated[float, Meta(gt=0)], "", "must be a number, more than 0, not V"),
        ([5], list[str], "", "must contain only text, not V"),
        ([""], list[Annotated[str, Meta(min_length=1)]], "", "must contain only text of at least 1 character, not V"),
        (5, list[str] | bool, "", "must be true, false or a list, not V"),
    ],
)
def test_a_value_of_a_wrong_type_is_described_in_plain_english(value, kind, unit, message):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, kind)
    assert requirement(caught.value, "V", unit) == message


def test_malformed_json_is_described_as_msgspec_does():
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode("[")
    assert requirement(caught.value, "'['") == "JSON ends too early, got '['"
