"""``crawler new``: the new spider runs as it is."""

from __future__ import annotations

import ast
import json
from typing import get_args

import pytest
from support.localsite import local_site

from crawler.cli import main
from crawler.cli.new import TAKEN
from crawler.cli.templates import Template


def test_the_new_spider_runs(command, tmp_path, site):
    code, out, err = command("new", "quiet_shelf", site.url)
    assert (code, out) == (0, "")
    assert err == "wrote quiet_shelf.py; run it with: crawler run quiet_shelf.py -o quiet_shelf.jsonl\n"
    source = (tmp_path / "quiet_shelf.py").read_text()
    assert "class QuietShelf(Spider):" in source
    code, out, err = command("run", "quiet_shelf.py", "-o", "-", "-s", "delay=0", "-s", "max_pages=4", "--quiet")
    assert (code, err) == (0, "")
    items = [json.loads(line) for line in out.splitlines()]
    assert len(items) >= 4
    assert items[0] == {"url": site.url, "title": "The Quiet Shelf", "headings": ["The Quiet Shelf"]}
    assert all(item["url"].startswith(site.url) for item in items)


def test_the_new_spider_by_rules_runs(command, tmp_path, site):
    assert command("new", "shelf", site.url, "--template", "crawl")[0] == 0
    assert "class Shelf(CrawlSpider):" in (tmp_path / "shelf.py").read_text()
    code, out, err = command("run", "shelf.py", "-o", "-", "-s", "delay=0", "-s", "max_pages=5", "--quiet")
    assert (code, err) == (0, "")
    items = [json.loads(line) for line in out.splitlines()]
    assert len(items) >= 4
    assert all(item["url"].startswith(site.url) and item["title"] for item in items)


@pytest.mark.parametrize(("template", "kind"), [("feed", "FeedSpider"), ("api", "ApiSpider")])
def test_the_new_spider_of_records_runs(command, tmp_path, template, kind):
    with local_site({"/list": '[{"id": 1}, {"id": 2}]'}) as served:
        assert command("new", "shelf", f"{served.url}list", "--template", template)[0] == 0
        assert f"class Shelf({kind}):" in (tmp_path / "shelf.py").read_text()
        code, out, err = command("run", "shelf.py", "-o", "-", "--quiet")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("template", get_args(Template))
@pytest.mark.parametrize("name", sorted(TAKEN))
def test_no_class_hides_a_name_that_the_template_imports(tmp_path, monkeypatch, template, name):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name, "--template", template]) == 0
    [made] = [node.name for node in ast.parse((tmp_path / f"{name}.py").read_text()).body if hasattr(node, "bases")]
    assert made == f"{name}Spider"


@pytest.mark.parametrize(
    ("name", "kind"), [("shop", "Shop"), ("shop.py", "Shop"), ("spider", "SpiderSpider"), ("Über2", "Über2")]
)
def test_the_class_is_named_after_the_file(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name, "https://www.shop.example/start?x=1"]) == 0
    [path] = tmp_path.iterdir()
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.name for node in module.body if isinstance(node, ast.ClassDef)] == [kind]
    assert 'allowed_domains = ["www.shop.example"]' in path.read_text(encoding="utf-8")
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120


def test_a_backslash_in_the_url_is_not_an_escape_sequence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "shop", "https://shop.example/?path=\\N"]) == 0
    assert 'start_urls = ["https://shop.example/?path=%5CN"]' in (tmp_path / "shop.py").read_text()
