"""Each private name of Scrapy that the bridge uses is there, and does what it is used for.

``python -m integration.scrapy.versions`` runs these tests with other versions of Scrapy.
"""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest
import scrapy
from crawler_plugins.scrapy import private
from crawler_plugins.scrapy.reactor import TrioReactor
from scrapy import Request, Selector
from scrapy.crawler import Crawler
from scrapy.http import HtmlResponse
from scrapy.link import Link
from scrapy.linkextractors import LinkExtractor
from scrapy.settings import Settings

FOLDER = Path(private.__file__).parent
OTHERS = {"_get_running_loop", "_set_running_loop", "_run", "_asyncio_future_blocking", "_started"}
"""Private names of asyncio, which it documents for event loops, and one of Twisted."""


class Own(scrapy.Spider):
    name = "own"

    def _parse(self, response, **kwargs):
        return None


def test_a_spider_has_a_default_callback():
    plain = scrapy.Spider("plain")
    assert private.default_callback(plain) == plain._parse
    assert (private.has_default_parse(plain), private.has_default_parse(Own())) == (True, False)


def test_a_crawler_makes_its_parts():
    TrioReactor.install()
    try:
        made = Crawler(Own, Settings({"EXTENSIONS_BASE": {}, "TWISTED_REACTOR": None}))
        made.spider = Own.from_crawler(made)
        private.apply_settings(made)
        assert None not in (made.stats, made.extensions, made.logformatter)
    finally:
        TrioReactor.uninstall()


def test_a_response_knows_whether_it_has_a_tree():
    response = HtmlResponse("https://site.test/", body=b"<a href=x>a</a>", encoding="utf-8")
    assert not private.has_selector(response)
    found = response.css("a")
    assert private.has_selector(response)
    assert private.url_of_selector(found[0]) == "x"


def test_a_link_extractor_says_what_it_allows_and_changes():
    allows = private.allows_of(LinkExtractor(deny="x"))
    assert [allows(Link(f"https://site.test/{name}")) for name in "xy"] == [False, True]
    changing = LinkExtractor(process_value=str.upper)
    assert [private.changes_no_value(one.link_extractor) for one in (LinkExtractor(), changing)] == [True, False]


def test_selectors_have_the_fields_of_the_constructor():
    theirs = Selector(root="a", type="html", _expr="b")
    assert private.fields_of(private.selector_of("a", "b")) == private.fields_of(theirs)
    assert private.selector_of is private._filled_selector


def test_spiders_are_found_in_modules_one_by_one():
    class Loader(private.ModuleLoader):
        def load_modules(self):
            self.load_spiders(__import__("sys").modules[__name__])

    loader = Loader(Settings({"SPIDER_MODULES": []}))
    assert loader.load("own") is Own
    assert loader.places()["own"] == [(__name__, "Own")]


def test_requests_make_urls_safe_by_the_name_that_is_replaced(monkeypatch):
    monkeypatch.setattr("scrapy.http.request.safe_url_string", lambda url, encoding: f"{url}!{encoding}")
    assert Request("https://site.test/").url == "https://site.test/!utf-8"


@pytest.mark.parametrize("version", [(2, 10, 1), (2, 20, 0), (3, 0)])
def test_an_unknown_version_is_one_line(version, caplog):
    private.note_version(version)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    name = ".".join(map(str, version))
    assert record.getMessage() == (
        f"Scrapy {name} is not known here: 2.11 to 2.19 are tested; update this package, or install one of them"
    )


@pytest.mark.parametrize("version", [(2, 11, 2), (2, 19, 0), scrapy.version_info])
def test_a_known_version_is_not_mentioned(version, caplog):
    private.note_version(version)
    assert not caplog.records


def test_no_other_file_has_private_names_of_scrapy():
    trees = {path.name: ast.parse(path.read_text()) for path in FOLDER.glob("*.py") if path.name != "private.py"}
    nodes = [(file, node) for file, tree in trees.items() for node in ast.walk(tree)]
    own = {node.name for _, node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    own |= {node.attr for _, node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    read = {
        (file, node.attr) for file, node in nodes if isinstance(node, ast.Attribute) and node.attr.startswith("_")
    } | {(file, node.name) for file, node in nodes if isinstance(node, ast.alias) and node.name.startswith("_")}
    private_names = {(file, name) for file, name in read if not name.startswith("__") and name not in own | OTHERS}
    assert private_names == set()
