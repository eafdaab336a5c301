"""`check_project`: a verdict for each spider of a project, before anything is created."""

from __future__ import annotations

import sys

import pytest
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.check import Checked
from crawler_plugins.scrapy.reactor import TrioReactor

SPIDERS = """
import scrapy

class Fine(scrapy.Spider):
    name = "fine"
    def __init__(self, **kw):
        raise RuntimeError("is not created")

class Needs(scrapy.Spider):
    name = "needs"
    def __init__(self, city, **kw):
        self.city = city

class Listed(scrapy.Spider):
    name = "listed"
    custom_settings = ["DOWNLOAD_DELAY"]

class Kept(scrapy.Spider):
    name = "kept"
    def start_requests(self):
        yield scrapy.Request("https://shop.test/", callback=lambda response: None)
        yield scrapy.Request("https://shop.test/", callback=lambda response: None)

class Queue(scrapy.Spider):
    name = "queue"
    custom_settings = {"SCHEDULER": "shop.Scheduler", "ITEM_PIPELINES": {"nowhere.Pipeline": 1}}

class Wrong(scrapy.Spider):
    name = "wrong"
    custom_settings = {"DOWNLOAD_DELAY": "long", "EXTENSIONS": {"scrapy.extensions.logstats.LogStats": "first"}}

class Fed(scrapy.Spider):
    name = "fed"
    custom_settings = {"FEEDS": {"out.what": {}}}

class Broken(scrapy.Spider):
    name = "broken"
    @classmethod
    def update_settings(cls, settings):
        raise ValueError("no settings")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "")
    (tmp_path / "scrapy.cfg").write_text("[settings]\ndefault = checkedshop.settings\n")
    (tmp_path / "checkedshop").mkdir()
    (tmp_path / "checkedshop" / "__init__.py").touch()
    (tmp_path / "checkedshop" / "settings.py").write_text('SPIDER_MODULES = ["checkedspiders"]\nDNS_TIMEOUT = 1\n')
    (tmp_path / "checkedspiders").mkdir()
    (tmp_path / "checkedspiders" / "__init__.py").touch()
    (tmp_path / "checkedspiders" / "all.py").write_text(SPIDERS)
    (tmp_path / "checkedspiders" / "old.py").write_text("import no_such_module\n")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("checked")]:
        del sys.modules[name]
    TrioReactor.uninstall()


def test_each_spider_module_and_setting_has_a_verdict(project):
    found = {one.name: one for one in ScrapySpider.check_project(project)}
    assert found["fine"] == Checked("fine", "runs")
    assert found["kept"].verdict == "not durable"
    assert found["kept"].reasons == ("callback is a lambda (all.py:21)", "callback is a lambda (all.py:22)")
    assert found["queue"].verdict == "cannot"
    assert [reason.partition(": ")[0] for reason in found["queue"].reasons] == [
        "SCHEDULER = shop.Scheduler",
        "ITEM_PIPELINES",
    ]
    assert found["wrong"].verdict == "cannot"
    assert [reason.partition(": ")[0] for reason in found["wrong"].reasons] == [
        "setting DOWNLOAD_DELAY",
        "setting EXTENSIONS",
    ]
    assert found["broken"] == Checked("broken", "cannot", ("its settings raise ValueError: no settings",))
    assert found["checkedspiders.old"].verdict == "cannot"
    assert found["checkedspiders.old"].reasons[0].startswith("cannot be imported: ModuleNotFoundError")
    assert found["DNS_TIMEOUT"] == Checked("DNS_TIMEOUT", "no effect", ("names are resolved by the system",))
    assert found["needs"] == Checked("needs", "runs", ("with -a city=VALUE",))
    assert found["listed"].reasons == ("custom_settings of Listed must be a dict, not list",)
    assert found["fed"] == Checked("fed", "cannot", ("FEEDS: out.what: no exporter for the format 'what'",))
    assert len(found) == 10
