"""The manual has every name of the installed Scrapy: settings, signals, commands, keys of `meta`, methods."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import pytest
import scrapy
import scrapy.commands
from crawler_plugins.scrapy.setting_names import IGNORED, READ, TAKEN
from scrapy import signals
from scrapy.http import TextResponse
from scrapy.settings import default_settings

DOCS = Path(__file__).parents[2] / "docs"
TABLE = (DOCS / "howto" / "from-scrapy.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "scrapy.rst").read_text(encoding="utf-8")
META = (
    "allow_offsite",
    "autothrottle_dont_adjust_delay",
    "bindaddress",
    "cookiejar",
    "depth",
    "dont_cache",
    "dont_merge_cookies",
    "dont_obey_robotstxt",
    "dont_redirect",
    "dont_retry",
    "download_fail_on_dataloss",
    "download_latency",
    "download_maxsize",
    "download_slot",
    "download_timeout",
    "download_warnsize",
    "ftp_password",
    "ftp_user",
    "give_up_log_level",
    "handle_httpstatus_all",
    "handle_httpstatus_list",
    "http_auth_domain",
    "http_pass",
    "http_user",
    "http_pass",
    "http_user",
    "max_retry_times",
    "proxy",
    "redirect_reasons",
    "redirect_urls",
    "referrer_policy",
    "retry_times",
    "verbatim_url",
)
SIGNALS = [name for name in vars(signals) if not name.startswith("_") and name != "annotations"]
NOT_FOR_PROJECTS = {"attributes", "object_ref", "from_dict", "to_dict", "handles_request"}
"""Names of classes that Scrapy itself uses."""


def test_every_setting_has_a_meaning_here():
    settings = {name for name in vars(default_settings) if name.isupper()}
    assert len(settings) > 150
    assert settings - TAKEN.keys() - READ - IGNORED.keys() == set()


@pytest.mark.parametrize(("page", "quote"), [(TABLE, "`"), (REFERENCE, "``")])
def test_every_signal_and_key_of_meta_is_in_both_tables(page, quote):
    assert [name for name in [*SIGNALS, *META] if f"{quote}{name}{quote}" not in page] == []


def test_every_command_is_in_the_table():
    commands = [module.name for module in pkgutil.iter_modules(scrapy.commands.__path__)]
    assert len(commands) > 10
    assert [name for name in commands if f"scrapy {name}" not in TABLE] == []


@pytest.mark.parametrize("kind", [scrapy.Spider, scrapy.Request, TextResponse])
def test_every_method_is_in_the_table(kind):
    names = {name for name in dir(kind) if not name.startswith("_")} - NOT_FOR_PROJECTS
    assert [name for name in sorted(names) if name not in TABLE] == []
