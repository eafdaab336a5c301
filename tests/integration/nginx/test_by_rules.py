"""Crawls of real sites by rules find the pages of the files, as crawls that follow every link do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from integration.nginx.documents import FOLDERS, expected, folder
from integration.nginx.nginx import serve

SPIDER = """
from crawler import CrawlSpider, Rule

class Site(CrawlSpider):
    rules = [{rules}]

    def __init__(self, front: str) -> None:
        super().__init__()
        self.start_urls = [front]
        self.allowed_domains = [front.split("/")[2]]

    def parse_page(self, response):
        yield {{"url": response.url}}

    parse_start = parse_page
"""
RULES = {
    "by address": 'Rule(r"/[a-m][^/]*$", "parse_page", follow=True), Rule(callback="parse_page", follow=True)',
    "by regions": 'Rule(restrict_css="nav, ul, p", tags="a", callback="parse_page", follow=True),'
    'Rule(restrict_xpath="//body", tags="a", callback="parse_page", follow=True),'
    'Rule(callback="parse_page", follow=True)',
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("package", FOLDERS)
def test_a_crawl_by_rules_finds_exactly_the_reachable_pages(package: str, rules: str, tmp_path: Path) -> None:
    (tmp_path / "site_by_rules.py").write_text(SPIDER.format(rules=RULES[rules]))
    with serve({"site": folder(package)}) as urls:
        front = urls["site"]
        words = ["run", "site_by_rules.py", "-a", f"front={front}", "-o", "out.jsonl", "-s", "per_host=32"]
        command = [sys.executable, "-m", "crawler", *words]
        done = subprocess.run(command, check=False, cwd=tmp_path, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    items = [json.loads(line)["url"] for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(url.removeprefix(front) for url in items) == sorted(expected(package))
