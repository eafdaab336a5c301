"""Settings under the names of other programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.cases import each

from crawler import ConfigError, Settings
from crawler.settings.other_names import OTHERS, SCRAPY, other_name
from crawler.settings.settings import NAMES

TABLE = Path(__file__).parents[3] / "docs" / "howto" / "from-scrapy.md"


@each(("name", "here"), [*SCRAPY.items(), *OTHERS.items()])
def test_a_setting_of_another_program_names_ours(name, here):
    with pytest.raises(ConfigError) as caught:
        Settings(**{name: 1})
    hint = f"(did you mean {here}?)" if here in NAMES else f"(here: {here})"
    assert str(caught.value) == f"no such setting: {name} {hint}"


def test_other_names_are_found_whatever_their_case_and_the_rest_is_not():
    assert other_name("download_delay") == "delay"
    assert other_name("MAX-RETRIES") == "attempts"
    assert other_name("nothing") == ""
    assert not OTHERS.keys() & set(NAMES)


def test_the_settings_that_the_manual_compares_are_known():
    text = TABLE.read_text(encoding="utf-8").partition("| `CONCURRENT_REQUESTS`")[2]
    rows = [line.split("|")[1:3] for line in ("| `CONCURRENT_REQUESTS`" + text).splitlines() if line.count("|") == 3]
    named = {
        name
        for names, here in rows
        if not here.strip().startswith("–")
        for name in re.findall(r"`([A-Z][A-Z_]+)`", names)
    }
    assert named - SCRAPY.keys() - NOT_SETTINGS == set()


NOT_SETTINGS = {"LOG_FILE", "LOG_FORMAT", "COOKIES_DEBUG"}
"""Options of Scrapy whose place here is the shell."""
