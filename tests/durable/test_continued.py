"""Jobs that are stopped and continued, in virtual time: what the next run finds, and what it must not do again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from support.trees import FREE
from trio.testing import MockClock

from crawler import Drop, Item, Plugin, Produced, Request, Response, Row, Spider, crawl
from crawler.testing import FakeSite

LONE = "half a \ud83d"
"""What is left of a text that a page has cut in the middle of a character."""


async def test_words_that_are_no_characters_are_counted_and_do_not_stop_a_job(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Words(Spider):
        start_urls = ["https://site.test/"]
        settings = FREE

        def parse(self, response: Response) -> Produced:
            self.crawl.count(LONE)
            yield {"n": 1}
            yield Request("https://site.test/next")
            self.crawl.stop(LONE)

    class Picky(Plugin):
        name = "picky"

        def admit(self, request: Request) -> Drop | None:
            return Drop(LONE) if request.depth else None

        async def refine(self, item: Item, response: Response) -> Drop:
            return Drop(LONE)

    for _ in range(2):
        report = await crawl(Words(), plugins=[Picky()], job=tmp_path / "job", transport=FakeSite({"/": "x"}).transport)
        told = json.loads(report.to_json())
        assert told["counters"] == told["filtered"] == told["dropped"] == {"half a \N{REPLACEMENT CHARACTER}": 1}
