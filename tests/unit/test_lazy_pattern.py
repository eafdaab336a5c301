from __future__ import annotations

import re

import pytest

from crawler.lazy_pattern import lazy_pattern


def test_a_pattern_is_compiled_when_it_is_first_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    real = re.compile

    def note(text: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(text)
        return real(text, flags)

    monkeypatch.setattr(re, "compile", note)
    digits = lazy_pattern("[0-9]+")
    assert compiled == []
    assert digits.fullmatch("12") is not None
    assert digits.fullmatch("x") is None
    assert compiled == ["[0-9]+"]


def test_a_lazy_pattern_behaves_as_a_compiled_one() -> None:
    words = lazy_pattern("(?P<first>[a-z])[a-z]*", re.IGNORECASE)
    assert [found["first"] for found in words.finditer("One two")] == ["O", "t"]
    assert words.sub("-", "One two") == "- -"
    assert words.pattern == "(?P<first>[a-z])[a-z]*"
    assert words.groupindex == {"first": 1}


def test_a_mistake_is_raised_at_its_first_use() -> None:
    wrong = lazy_pattern("(")
    with pytest.raises(re.error, match="unterminated"):
        wrong.match("")
