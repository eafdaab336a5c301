"""`Project`: a Scrapy project and its spiders."""

from __future__ import annotations

import sys

import pytest
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.project import Project, settings_near
from crawler_plugins.scrapy.reactor import TrioReactor

from crawler import ConfigError

SPIDER = """
import scrapy
class Books(scrapy.Spider):
    name = "books"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "scrapy.cfg").write_text("[settings]\ndefault = shop.settings\n")
    spiders = tmp_path / "shop" / "spiders"
    spiders.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (spiders / "__init__.py").touch()
    (tmp_path / "shop" / "settings.py").write_text('BOT_NAME = "shop"\nSPIDER_MODULES = ["shop.spiders"]\n')
    (spiders / "books.py").write_text(SPIDER)
    before = set(sys.modules)
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "")
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "shop":
            del sys.modules[name]
    TrioReactor.uninstall()


def test_a_project_has_settings_and_spiders(project):
    found = Project(project)
    assert found.settings["BOT_NAME"] == "shop"
    assert found.spiders == ["books"]
    assert found.spider_class("books").name == "books"


def test_a_project_is_found_from_inside_and_by_its_file(project):
    assert Project(project / "shop" / "spiders").folder == project
    assert Project(project / "scrapy.cfg").folder == project
    assert settings_near(project / "shop" / "spiders" / "books.py")["BOT_NAME"] == "shop"


def test_a_file_outside_of_projects_has_the_defaults_of_scrapy(tmp_path):
    assert settings_near(tmp_path / "spider.py")["BOT_NAME"] == "scrapybot"


def test_a_missing_spider_is_named_with_those_that_exist(project):
    with pytest.raises(ConfigError, match=r"has no spider 'book'; it has: books"):
        Project(project).spider_class("book")


def test_a_module_that_cannot_be_imported_does_not_keep_the_others_out(project):
    (project / "shop" / "spiders" / "broken.py").write_text("import no_such_module\n")
    later = (project / "shop" / "spiders" / "books.py").read_text().replace('"books"', '"later"')
    (project / "shop" / "spiders" / "later.py").write_text(later)
    found = Project(project)
    assert found.spiders == ["books", "later"]
    [why] = found.failed_modules.values()
    assert why == f"ModuleNotFoundError: No module named 'no_such_module' ({project}/shop/spiders/broken.py:1)"
    with pytest.raises(ConfigError, match=r"cannot be imported: ModuleNotFoundError: .*broken.py:1"):
        found.spider_class("broken")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda root: (root / "scrapy.cfg").unlink(), "is not a Scrapy project: it has no scrapy.cfg"),
        (lambda root: (root / "scrapy.cfg").write_text("no section"), "scrapy.cfg: File contains no section headers"),
        (lambda root: (root / "scrapy.cfg").write_text("[deploy]\n"), "names no settings: add a section"),
        (lambda root: (root / "shop" / "settings.py").write_text("1 /"), "shop.settings of .* cannot be imported"),
        (
            lambda root: (root / "shop" / "settings.py").write_text("raise SystemExit(1)"),
            "cannot be imported: SystemEx",
        ),
        (lambda root: (root / "shop" / "settings.py").write_text("SPIDER_MODULES = 7"), "setting SPIDER_MODULES of "),
    ],
)
def test_a_broken_project_is_one_line(project, write, message):
    write(project)
    with pytest.raises(ConfigError, match=message) as caught:
        _ = Project(project).spiders
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        Project(tmp_path / "none")


def test_a_module_that_cannot_be_imported_is_warned_of(project, caplog):
    (project / "shop" / "spiders" / "broken.py").write_text("import no_such_module\n")
    ScrapySpider(project, "books")
    [record] = [record for record in caplog.records if "broken" in record.getMessage()]
    assert record.levelname == "WARNING"
    assert "shop.spiders.broken cannot be imported, and its spiders are not there: " in record.getMessage()
    assert "No module named 'no_such_module'" in record.getMessage()
