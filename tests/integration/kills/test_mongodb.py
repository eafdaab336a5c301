"""A killed crawl stores each document once; the server speaks the protocol of MongoDB."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from integration.kills.harness import durable
from support.mongo_server import mongo_server


def test_a_killed_crawl_stores_each_document_once(tmp_path: Path) -> None:
    with (
        mongo_server() as server,
        durable(tmp_path, seed=5, hosts=3, pages=40, settings={"workers": 8, "delay": 0.01}) as crawl,
    ):
        crawl.run_with_kills(3, random.Random(5), "-o", server.url)
        pages = set(crawl.plan.pages(crawl.web))
        found = Counter(document["url"] for document in server.documents())
        assert found == dict.fromkeys(pages, 1)
        assert [cursor["stored"] for cursor in server.documents("crawler_cursor")] == [len(pages)]
