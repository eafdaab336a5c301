"""The hooks that see pages and their results: `parse`, `refine`, `persist`, `measure` and `failed`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from support.trees import LINKS, Follow
from trio.testing import MockClock

from crawler import (
    CrawlFailed,
    Drop,
    Failure,
    Pause,
    Plugin,
    Produced,
    Request,
    Response,
    Row,
    Settings,
    Spider,
    Stop,
    Usage,
    crawl,
)
from crawler.testing import FakeSite, Page, collect


async def test_plugins_parse_every_page_in_addition_to_the_callback(autojump_clock: MockClock) -> None:
    class Titles(Plugin):
        def parse(self, response: Response) -> Produced:
            yield {"by": self.name}

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Titles()])
    assert len(found.items) == 6


async def test_a_request_may_opt_out_of_a_plugin(autojump_clock: MockClock) -> None:
    class Titles(Plugin):
        def parse(self, response: Response) -> Produced:
            yield {"by": self.name}

    class Out(Follow):
        def start(self) -> Produced:
            yield Request("https://site.test/a", plugins={"titles": False})

    assert (await collect(Out(), FakeSite(LINKS), plugins=[Titles()])).items == [{"url": "https://site.test/a"}]


async def test_a_parse_hook_that_raises_fails_the_whole_page(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        def parse(self, response: Response) -> Produced:
            raise ValueError("x")

    found = await collect(Follow(), FakeSite({"/": "x"}), plugins=[Broken()])
    assert (found.items, found.report.failed) == ([], 1)


async def test_refine_changes_and_drops_items_in_order(autojump_clock: MockClock) -> None:
    class Mark(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            await trio.sleep(1)
            return item | {"marked": True}

    class Only(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            return None if item["marked"] and item["url"].endswith("/a") else Drop("not a")

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Mark(), Only()])
    assert found.items == [{"url": "https://site.test/a", "marked": True}]
    assert found.report.dropped == {"not a": 2}


async def test_the_field_of_an_item_that_cannot_be_serialized_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Prices(Follow):
        def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "price": response.css("b")[0], "title": response.css("b")[0]}

    found = await collect(Prices(), FakeSite({"/": "<b>9.50</b>"}))
    assert (found.items, found.report.failed) == ([], 1)
    words = "an item cannot be written as JSON: its field 'price': Encoding objects of type Selector is unsupported"
    assert words in caplog.text


@pytest.mark.parametrize("answer", [5, "text", [], Request("https://site.test/other")])
async def test_a_refine_that_does_not_return_an_item_is_reported(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    class Wrong(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            return answer

    found = await collect(Follow(), FakeSite({"/": "x"}), plugins=[Wrong()])
    assert (found.items, found.report.failed) == ([], 1)
    words = f"returned {type(answer).__name__}, not an item or Drop"
    assert f"wrong.refine failed for https://site.test/: {words}" in caplog.messages


async def test_persist_sees_only_committed_items(autojump_clock: MockClock) -> None:
    class Half(Follow):
        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}
            if response.url.endswith("/a"):
                raise ValueError("too late")
            yield from response.follow_all()

    rows: list[Row] = []

    class Keep(Plugin):
        async def persist(self, batch: Sequence[Row]) -> None:
            rows.extend(batch)

    await crawl(Half(), plugins=[Keep()], transport=FakeSite(LINKS).transport)
    assert sorted(row.item["url"] for row in rows) == ["https://site.test/", "https://site.test/b"]
    assert {row.page for row in rows} == {"https://site.test/", "https://site.test/b"}


async def test_measure_sees_every_attempt_and_may_pause_a_lane(autojump_clock: MockClock) -> None:
    seen: list[tuple[str, int]] = []

    class Meter(Plugin):
        def measure(self, usage: Usage) -> Pause | None:
            seen.append((usage.event, usage.requests))
            return Pause(50) if len(seen) == 1 else None

    site = FakeSite({"/": [Page(status=503), "<a href='/a'>x</a>"], "/a": "x"})
    await collect(Follow(), site, plugins=[Meter()])
    assert seen == [("refused", 1), ("answer", 2), ("recovered", 2), ("answer", 3)]
    assert site.log[1].at - site.log[0].at >= 50


async def test_measure_may_stop_the_crawl_with_exit_code_3(autojump_clock: MockClock) -> None:
    class Budget(Plugin):
        def measure(self, usage: Usage) -> Stop | None:
            return Stop("budget spent") if usage.requests >= 2 else None

    report = (await collect(Follow(), FakeSite(LINKS), plugins=[Budget()], settings=Settings(workers=1))).report
    assert report.finished == "budget spent"
    assert report.exit_code() == 3


async def test_a_measure_that_raises_ends_the_crawl(autojump_clock: MockClock) -> None:
    class Broken(Plugin):
        def measure(self, usage: Usage) -> None:
            raise ValueError("x")

    with pytest.raises(CrawlFailed, match=r"broken.measure failed: ValueError: x"):
        await collect(Follow(), FakeSite(LINKS), plugins=[Broken()])


async def test_failed_may_yield_items_and_its_exceptions_are_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Lost(Plugin):
        async def failed(self, failure: Failure) -> Any:
            return [{"lost": failure.request.url, "reason": failure.reason}]

    class Broken(Plugin):
        async def failed(self, failure: Failure) -> None:
            raise ValueError("x")

    found = await collect(Follow(), FakeSite({"/": Page(status=500)}), plugins=[Lost(), Broken()])
    assert found.items == [{"lost": "https://site.test/", "reason": "status_500"}]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "broken.failed failed" in caplog.text


async def test_each_refine_hook_sees_all_items_of_a_page_before_the_next_hook_does(autojump_clock):
    seen = []

    class First(Plugin):
        async def refine(self, item, response):
            seen.append(("first", item["n"]))
            return Drop("two") if item["n"] == 2 else item | {"n": item["n"] * 10}

    class Second(Plugin):
        async def refine(self, item, response):
            seen.append(("second", item["n"]))

    class Three(Spider):
        start_urls = ["https://site.test/"]
        settings = Settings(obey_robots=False)

        def parse(self, response):
            yield from ({"n": n} for n in (1, 2, 3))

    found = await collect(Three(), FakeSite({"/": "x"}), plugins=[First(), Second()])
    assert seen == [("first", 1), ("first", 2), ("first", 3), ("second", 10), ("second", 30)]
    assert found.items == [{"n": 10}, {"n": 30}]
    assert found.report.dropped == {"two": 1}
