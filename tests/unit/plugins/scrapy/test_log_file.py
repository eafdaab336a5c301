"""``LOG_FILE``: the log of a crawl in a file."""

from __future__ import annotations

import io
import logging

import pytest
import scrapy
from crawler_plugins.scrapy.log_file import log_to_file
from scrapy.settings import Settings
from support.scrapy_site import SITE, run_scrapy

from crawler import ConfigError


class Noted(scrapy.Spider):
    name = "noted"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        self.logger.debug("seen %s", response.url)
        yield {"n": 1}


async def test_the_log_of_a_crawl_is_in_the_file_with_the_level_and_format_of_the_project(tmp_path):
    place = tmp_path / "shop.log"
    settings = {"LOG_FILE": str(place), "LOG_FORMAT": "%(name)s|%(levelname)s|%(message)s"}
    await run_scrapy(Noted, {"/": "a"}, settings)
    lines = place.read_text().splitlines()
    assert "scrapy.core.engine|INFO|Spider opened" in lines
    assert f"noted|DEBUG|seen {SITE}/" in lines
    assert "scrapy.core.engine|INFO|Spider closed (finished)" in lines
    await run_scrapy(Noted, {"/": "a"}, settings | {"LOG_LEVEL": "INFO", "LOG_FILE_APPEND": False})
    assert "DEBUG" not in place.read_text()


async def test_the_file_grows_unless_the_project_says_otherwise(tmp_path):
    place = tmp_path / "shop.log"
    place.write_text("before\n")
    await run_scrapy(Noted, {"/": "a"}, {"LOG_FILE": str(place)})
    assert place.read_text().startswith("before\n")
    await run_scrapy(Noted, {"/": "a"}, {"LOG_FILE": str(place), "LOG_FILE_APPEND": False})
    assert "before" not in place.read_text()


def test_other_handlers_get_what_they_got_and_nothing_is_left_behind(tmp_path, monkeypatch):
    root, stream = logging.getLogger(), io.StringIO()
    other = logging.StreamHandler(stream)
    monkeypatch.setattr(root, "handlers", [other])
    monkeypatch.setattr(root, "level", logging.WARNING)
    with log_to_file(Settings({"LOG_FILE": str(tmp_path / "a.log"), "LOG_SHORT_NAMES": True})):
        logging.getLogger("scrapy.x").info("for the file")
        logging.getLogger("scrapy.x").warning("for both")
    assert stream.getvalue() == "for both\n"
    assert "[scrapy] INFO: for the file" in (tmp_path / "a.log").read_text()
    assert (root.handlers, root.level, other.level) == ([other], logging.WARNING, logging.NOTSET)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    given = {"LOG_FILE": str(tmp_path / "none" / "a.log")}
    with (
        pytest.raises(ConfigError, match=r"setting LOG_FILE: .*a\.log cannot be written"),
        log_to_file(Settings(given)),
    ):
        raise AssertionError


async def test_settings_that_change_what_a_network_sees_are_warned_of(caplog):
    await run_scrapy(Noted, {"/": "a"}, {"DNS_TIMEOUT": 9, "ROBOTSTXT_PARSER": "x.Parser", "CONCURRENT_ITEMS": 9})
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.partition(":")[0] for text in warned] == [
        "setting DNS_TIMEOUT has no effect",
        "setting ROBOTSTXT_PARSER has no effect",
    ]
