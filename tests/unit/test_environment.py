"""References to environment variables."""

from __future__ import annotations

from typing import Any

import pytest

from crawler import ConfigError
from crawler.environment import is_reference, resolve, resolve_credentials, resolve_values


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("MISSING", raising=False)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("env:TOKEN", "abc"),
        ("TOKEN", "TOKEN"),
        ("", ""),
        ("see env:TOKEN", "see env:TOKEN"),
        (" env:TOKEN", " env:TOKEN"),
    ],
)
def test_a_reference_is_a_whole_text(value: str, resolved: str) -> None:
    assert resolve(value, "x") == resolved
    assert is_reference(value) is (value != resolved)


def test_credentials_may_follow_their_scheme() -> None:
    assert resolve_credentials("Bearer env:TOKEN", "x") == "Bearer abc"
    assert resolve_credentials("env:TOKEN", "x") == "abc"
    assert resolve_credentials("Bearer abc", "x") == "Bearer abc"


def test_texts_in_lists_and_mappings_are_resolved() -> None:
    value: dict[str, Any] = {"a": ["env:TOKEN", 1], "b": ("env:TOKEN",), "c": {"d": "env:TOKEN"}, "e": None}
    assert resolve_values(value, "x") == {"a": ["abc", 1], "b": ("abc",), "c": {"d": "abc"}, "e": None}
    assert value["a"] == ["env:TOKEN", 1]
    plain = {"a": ["b", ("c",)]}
    assert resolve_values(plain, "x") is plain


@pytest.mark.parametrize("name", ["MISSING", "EMPTY", "", "TOKEN "])
def test_a_variable_that_is_not_set_is_an_error_that_names_it(name: str) -> None:
    for function in (resolve, resolve_credentials, resolve_values):
        with pytest.raises(ConfigError) as caught:
            function(f"env:{name}", "setting proxies")
        assert str(caught.value) == f"setting proxies: the environment variable {name!r} is not set"
