"""``crawler new``: the spider that it writes runs as it is."""

from __future__ import annotations

import ast
import json

import pytest

from crawler.cli import main


def test_the_new_spider_runs(command, tmp_path, site):
    code, out, err = command("new", "quiet_shelf", site.url)
    assert (code, out) == (0, "")
    assert err == "wrote quiet_shelf.py; run it: crawler run quiet_shelf.py -o quiet_shelf.jsonl\n"
    source = (tmp_path / "quiet_shelf.py").read_text()
    assert "class QuietShelf(Spider):" in source
    code, out, err = command("run", "quiet_shelf.py", "-o", "-", "-s", "delay=0", "-s", "max_pages=4", "--quiet")
    assert (code, err) == (0, "")
    items = [json.loads(line) for line in out.splitlines()]
    assert len(items) >= 4
    assert items[0] == {"url": site.url, "title": "The Quiet Shelf", "headings": ["The Quiet Shelf"]}
    assert all(item["url"].startswith(site.url) for item in items)


@pytest.mark.parametrize(
    ("name", "kind"), [("shop", "Shop"), ("shop.py", "Shop"), ("spider", "SpiderSpider"), ("Über2", "Über2")]
)
def test_the_class_is_called_like_the_file(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name, "https://www.shop.example/start?x=1"]) == 0
    [path] = tmp_path.iterdir()
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.name for node in module.body if isinstance(node, ast.ClassDef)] == [kind]
    assert 'allowed_domains = ["www.shop.example"]' in path.read_text(encoding="utf-8")
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120
