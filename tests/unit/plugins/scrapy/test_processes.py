"""A file that starts Scrapy itself when it is imported is refused."""

from __future__ import annotations

import logging

import pytest
from crawler_plugins.scrapy import ScrapySpider, processes
from crawler_plugins.scrapy.project import Project
from crawler_plugins.scrapy.reactor import TrioReactor
from scrapy import crawler
from scrapy.utils import log

from crawler import ConfigError

METHODS = [(getattr(crawler, name), method) for name, method in processes.METHODS if hasattr(crawler, name)]


@pytest.fixture(autouse=True)
def uninstalled():
    yield
    TrioReactor.uninstall()


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_scrapy_does_not_start_where_the_crawl_has_the_reactor(kind, method):
    ScrapySpider.prepare()
    with pytest.raises(ConfigError, match="it starts a crawl of Scrapy when it is imported: put that below if"):
        getattr(kind, method)(None)


def test_the_reactor_does_not_run_either():
    ScrapySpider.prepare()
    from twisted.internet import reactor  # noqa: PLC0415 - as such files import it

    with pytest.raises(ConfigError, match="it starts a crawl of Scrapy"):
        reactor.run()


def test_a_script_does_not_configure_the_log_of_the_crawl(monkeypatch):
    monkeypatch.setattr(log, "configure_logging", log.configure_logging.__wrapped__)
    handlers = list(logging.root.handlers)
    ScrapySpider.prepare()
    log.configure_logging()
    assert logging.root.handlers == handlers


def test_a_script_configures_its_log_without_that_reactor(monkeypatch):
    configured = []
    monkeypatch.setattr(log, "configure_logging", configured.append)
    processes.install()
    TrioReactor.uninstall()
    log.configure_logging("settings")
    assert configured == ["settings"]


def test_scrapy_starts_as_before_without_that_reactor(monkeypatch):
    made = []

    class Process:
        def __init__(self, *args):
            made.append(args)

    monkeypatch.setattr(crawler, "CrawlerProcess", Process)
    processes.install()
    processes.install()
    TrioReactor.uninstall()
    Process(1)
    assert made == [(1,)]


def test_such_a_module_of_a_project_keeps_the_others_in(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "scrapy.cfg").write_text("[settings]\ndefault = starting.settings\n")
    spiders = tmp_path / "starting" / "spiders"
    spiders.mkdir(parents=True)
    for package in (spiders.parent, spiders):
        (package / "__init__.py").touch()
    (spiders.parent / "settings.py").write_text("SPIDER_MODULES = ['starting.spiders']\n")
    (spiders / "fine.py").write_text("import scrapy\nclass Fine(scrapy.Spider):\n    name = 'fine'\n")
    (spiders / "starts.py").write_text("from scrapy.crawler import CrawlerProcess\nCrawlerProcess().start()\n")
    project = Project(tmp_path)
    assert project.spiders == ["fine"]
    [why] = project.failed_modules.values()
    assert why.startswith("ConfigError: it starts a crawl of Scrapy when it is imported")
