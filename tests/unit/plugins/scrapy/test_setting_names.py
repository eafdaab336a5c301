"""Every setting of Scrapy has a place."""

from __future__ import annotations

from crawler_plugins.scrapy.setting_names import IGNORED, READ, TAKEN
from scrapy.settings import default_settings

from crawler import Settings
from crawler.settings.settings import NAMES


def test_every_setting_of_scrapy_is_listed_once():
    known = [*TAKEN, *READ, *IGNORED]
    assert len(known) == len(set(known))
    assert {name for name in dir(default_settings) if name.isupper()} - set(known) == set()


def test_settings_that_are_taken_over_exist():
    places = {place for place in TAKEN.values() if place.islower() and " " not in place and "-" not in place}
    assert places - set(NAMES) == set()
    assert Settings().cookies
