"""A killed crawl has each item once in its Delta table."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from deltalake import DeltaTable
from integration.kills.harness import durable


def test_a_killed_crawl_has_each_item_once(tmp_path: Path) -> None:
    with durable(tmp_path, seed=6, hosts=3, pages=40, settings={"workers": 8, "delay": 0.01}) as crawl:
        crawl.run_with_kills(3, random.Random(6), "-o", "items.delta?rows=5&seconds=0.2")
        pages = set(crawl.plan.pages(crawl.web))
    table = DeltaTable(tmp_path / "items.delta").to_pyarrow_table()
    assert Counter(table["url"].to_pylist()) == dict.fromkeys(pages, 1)
    assert len(set(table["_key"].to_pylist())) == len(pages)
