"""Patterns of modules that Scrapy imports are compiled at their first use."""

from __future__ import annotations

import copy
import importlib
import pickle
import re
import subprocess
import sys

import pytest
from crawler_plugins.scrapy import late_patterns
from crawler_plugins.scrapy.late_patterns import compile_late

SOURCE = """
import re
WORD = re.compile("(a+)b", re.IGNORECASE)
match = re.compile("x(.)").match
"""


@pytest.fixture
def compiled(monkeypatch):
    """The patterns that have been compiled late."""
    seen = []
    monkeypatch.setattr(
        late_patterns, "COMPILE", lambda *arguments: seen.append(arguments[0]) or re.compile(*arguments)
    )
    return seen


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module whose patterns wait."""
    (tmp_path / "has_patterns.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(late_patterns, "MODULES", frozenset({"has_patterns"}))
    with compile_late():
        found = importlib.import_module("has_patterns")
    yield found
    del sys.modules["has_patterns"]


def test_a_pattern_and_a_method_of_one_are_compiled_when_they_are_used(compiled, module):
    assert compiled == []
    assert module.WORD.fullmatch("AAB")[1] == "AA"
    assert compiled == ["(a+)b"]
    assert (module.match("xy")[1], module.match("xz")[1], module.match("y")) == ("y", "z", None)
    assert (module.WORD.sub("-", "ab aab"), module.WORD.fullmatch("c")) == ("- -", None)
    assert compiled == ["(a+)b", "x(.)", "(a+)b"]


def test_a_late_pattern_is_a_pattern(module):
    word = module.WORD
    assert isinstance(word, re.Pattern)
    assert (word.pattern, word.groups, bool(word.flags & re.IGNORECASE)) == ("(a+)b", 1, True)
    assert re.sub(word, "-", "ab") == "-"
    assert re.compile(word).findall("ab aab") == ["a", "aa"]
    for other in (copy.copy(word), copy.deepcopy(word), pickle.loads(pickle.dumps(word))):
        assert other.split("1ab2") == ["1", "a", "2"]


def test_patterns_of_other_modules_are_compiled_at_once():
    with compile_late():
        assert type(re.compile("a")) is re.Pattern
        with pytest.raises(re.error):
            re.compile("(")


def test_nothing_waits_afterwards():
    before = re.compile
    with pytest.raises(ZeroDivisionError), compile_late():
        assert re.compile is not before
        _ = 1 / 0
    assert re.compile is before


CODE = """
import importlib
import re
import sys
import crawler_plugins.scrapy
from crawler_plugins.scrapy.late_patterns import MODULES, _LatePattern

def late(name):
    return [one for one in vars(importlib.import_module(name)).values() if type(one) is _LatePattern]

print(sorted(MODULES - sys.modules.keys()), len(late("w3lib.html")) > 5, type(re.compile("a")) is re.Pattern)
from parsel import css2xpath
from w3lib.html import get_base_url, remove_tags
print(css2xpath("a#b.c[d='e']:not(.f) > g::text"))
print(remove_tags("<p>a<b>c</b></p>"), get_base_url('<base href="/d/">', "http://e.test"))
"""


def test_the_modules_of_scrapy_work_as_without():
    lines = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout.splitlines()
    plain = CODE.replace("import crawler_plugins.scrapy\n", "").partition("from parsel")
    theirs = subprocess.run([sys.executable, "-c", plain[1] + plain[2]], check=True, capture_output=True, text=True)
    assert lines[0] == "[] True True"
    assert lines[1:] == theirs.stdout.splitlines()
    assert lines[2] == "ac http://e.test/d/"
