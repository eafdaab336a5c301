"""`scripts`: texts of the user are data in them. What they do is shown by tests/integration/browser."""

from __future__ import annotations

import json
import re

import pytest
from crawler_plugins.browser import scripts

HOSTILE = """a"); alert('x'); ("\\ \u2028"""


@pytest.mark.parametrize("make", [scripts.appears, scripts.focus, scripts.place_of])
def test_a_selector_is_one_string_of_the_script(make: object) -> None:
    script = make(HOSTILE)  # type: ignore[operator]
    [text] = re.findall(r"querySelector\((\".*?[^\\]\")\)", script)
    assert json.loads(text) == HOSTILE


def test_an_expression_is_repeated_until_it_is_true() -> None:
    assert "(window.ready)" in scripts.becomes_true("window.ready")


def test_a_snapshot_gets_its_limit_and_its_mark() -> None:
    assert scripts.snapshot(100, "mark").endswith('(100, "mark")')
