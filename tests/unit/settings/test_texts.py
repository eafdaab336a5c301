"""Settings that are given as text."""

from __future__ import annotations

import msgspec
import pytest

from crawler.errors import ConfigError
from crawler.limits.pace import Pace
from crawler.settings import Settings
from crawler.settings.texts import is_utf8, plain


def test_text_becomes_values_by_the_type_of_the_setting():
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
def test_a_list_of_texts_is_one_of_them_or_json(text, values):
    assert Settings.from_strings({"include": text}).include == values
    assert Settings(include=text).include == (text,)
    assert Settings(include=list(values)).include == values


@pytest.mark.parametrize("text", ["[/docs", "[1]", ""])
def test_a_wrong_list_of_texts_is_refused(text):
    with pytest.raises(ConfigError, match="^setting include: "):
        Settings.from_strings({"include": text})


@pytest.mark.parametrize("name", ["traps", "private_network"])  # a truth value, and one that may be neither
@pytest.mark.parametrize(("text", "value"), [("yes", True), ("On", True), ("no", False), ("off", False), ("0", False)])
def test_a_truth_value_may_be_written_as_people_write_it(name, text, value):
    assert getattr(Settings.from_strings({name: text}), name) is value


@pytest.mark.parametrize("text", ["none", "null", "7", "true"])
def test_text_stays_text_where_text_is_wanted(text):
    assert Settings.from_strings({"user_agent": text}).user_agent == text


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("workers", "many", "expected int, got 'many'"),
        ("workers", "", "expected int, got ''"),
        ("workers", "0", "expected int >= 1, got '0'"),
        ("workers", "none", "expected int, got 'none'"),
        ("workers", "1.5", "expected int, got '1.5'"),
        ("delay", "nan", "expected float >= 0.0, got 'nan'"),
        ("obey_robots", "maybe", "expected bool, got 'maybe'"),
        ("durability", "forever", "expected process or power, got 'forever'"),
        ("pacing", "quick", "JSON is malformed"),
        ("pacing", '{"a":', "JSON ends too early"),
        ("pacing", "[1]", "a mapping of globs to Pace, not [1]"),
    ],
)
def test_text_that_is_no_value_is_refused_by_name(name, text, words):
    with pytest.raises(ConfigError) as caught:
        Settings.from_strings({name: text})
    assert str(caught.value).startswith(f"setting {name}: {words}")


def test_bytes_that_are_not_utf8_are_told_apart():
    assert is_utf8("ü")
    assert not is_utf8(b"\xfc".decode("utf-8", "surrogateescape"))


def test_the_message_of_msgspec_loses_its_backticks_and_its_capital():
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert("x", int)
    assert plain(caught.value) == "expected int"
    assert plain(ValueError("JSON is malformed")) == "JSON is malformed"
