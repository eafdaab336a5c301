"""A crawl that is repeated reports each page once, however often it is killed."""

from __future__ import annotations

import json
import random
from pathlib import Path

from integration.kills.harness import durable


def test_a_round_that_is_killed_reports_each_page_once(tmp_path: Path) -> None:
    (tmp_path / "crawler.toml").write_text(
        '[plugins.recrawl]\nchanges = "changes.jsonl"\nchanged_only = true\nmax_interval = 0\n'
    )
    with durable(tmp_path, seed=4, hosts=3, pages=40, settings={"workers": 16, "delay": 0.01}) as crawl:
        crawl.run_with_kills(2, random.Random(4))
        pages = sorted(crawl.plan.pages(crawl.web))
        crawl.finish()  # a round in which nothing has changed
    for name in ("changes.jsonl", "items.jsonl"):
        lines = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert sorted(line["url"] for line in lines) == pages
        assert {line["change"] for line in lines} == {"new"}
