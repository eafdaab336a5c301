"""Names of Scrapy and other programs are found, and each message about one says what to write here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.cases import each

from crawler import ConfigError, Settings
from crawler.other_names import OTHER_NAMES, here, other_name
from crawler.settings.settings import NAMES

TABLE = Path(__file__).parents[2] / "docs" / "howto" / "from-scrapy.md"


SETTINGS = OTHER_NAMES["setting"]


@each(("name", "meant"), [*SETTINGS.items()])
def test_a_setting_of_another_program_names_ours(name, meant):
    with pytest.raises(ConfigError) as caught:
        Settings(**{name: 1})
    hint = f"(did you mean {meant}?)" if meant in NAMES else f"(here: {meant})"
    assert str(caught.value) == f"no such setting: {name} {hint}"


def test_other_names_are_found_whatever_their_case_and_the_rest_is_not():
    assert other_name("setting", "download_delay") == "delay"
    assert other_name("setting", "MAX-RETRIES") == "attempts"
    assert other_name("setting", "nothing") == ""
    assert here("setting", "MAX-RETRIES") == " (here: attempts)"
    assert here("setting", "nothing") == ""
    assert not SETTINGS.keys() & set(NAMES)


def test_the_settings_that_the_manual_compares_are_known():
    text = TABLE.read_text(encoding="utf-8").partition("| `CONCURRENT_REQUESTS`")[2]
    rows = [line.split("|")[1:3] for line in ("| `CONCURRENT_REQUESTS`" + text).splitlines() if line.count("|") == 3]
    named = {
        name
        for names, here in rows
        if not here.strip().startswith("–")
        for name in re.findall(r"`([A-Z][A-Z_]+)`", names)
    }
    assert named - SETTINGS.keys() - NOT_SETTINGS == set()


NOT_SETTINGS = {"LOG_FILE", "LOG_FORMAT", "COOKIES_DEBUG"}
"""Options of Scrapy whose place here is the shell."""
