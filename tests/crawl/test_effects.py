"""Effects of callbacks: items, requests, counts and states, all or none; and the forms of callbacks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import attrs
import msgspec
import pytest
import trio
from pydantic import BaseModel
from support.trees import FrontPage
from trio.testing import MockClock

from crawler import (
    Produced,
    Request,
    Response,
)
from crawler.testing import FakeSite, Page, collect

# Effects


async def test_a_page_that_raises_has_no_effect_except_its_failure(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Half(FrontPage):
        def parse(self, response: Response) -> Produced:
            self.state["seen"] = True
            self.crawl.count("pages of half")
            self.crawl.add(Request("https://site.test/added"))
            yield {"url": response.url}
            yield response.follow("/next")
            raise ZeroDivisionError("half way")

    spider = Half()
    site = FakeSite({"/": "x", "/next": "x", "/added": "x"})
    found = await collect(spider, site)
    assert found.items == []
    assert dict(spider.state) == {}
    assert found.report.counters == {}
    assert [visit.url for visit in site.log] == ["https://site.test/"]
    assert (found.report.pages, found.report.failed, found.report.failures) == (0, 1, {"callback_error": 1})
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "half.parse failed for https://site.test/" in record.message
    assert record.exc_info is not None


async def test_states_and_counts_add_up_over_pages(autojump_clock: MockClock) -> None:
    class Count(FrontPage):
        start_urls = [f"https://site.test/{n}" for n in range(50)]

        def parse(self, response: Response) -> Produced:
            self.state["n"] = self.state.get("n", 0) + 1
            self.state.setdefault("list", []).append(response.url[-1])
            self.crawl.count("n", 2)

    spider = Count()
    found = await collect(spider, FakeSite({f"/{n}": Page("x", delay=n / 10) for n in range(50)}))
    assert spider.state["n"] == len(spider.state["list"]) == 50
    assert found.report.counters == {"n": 100}


@attrs.frozen
class Attrs:
    a: int


class Struct(msgspec.Struct):
    a: int


class Model(BaseModel):
    a: int


async def test_items_may_be_of_any_kind_and_survive_serialization(autojump_clock: MockClock) -> None:
    kinds = [{"a": 1}, Attrs(1), Struct(1), Model(a=1)]

    class Kinds(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield from kinds

    assert (await collect(Kinds(), FakeSite({"/": "x"}))).items == kinds


@pytest.mark.parametrize("item", ["text", 7, {"a": object()}, {1, 2}, Request], ids=lambda item: type(item).__name__)
async def test_a_value_that_is_not_an_item_fails_the_page(autojump_clock: MockClock, item: Any) -> None:
    class Odd(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield item

    report = (await collect(Odd(), FakeSite({"/": "x"}))).report
    assert (report.pages, report.failed) == (0, 1)


async def test_a_lone_surrogate_in_an_item_is_replaced(autojump_clock: MockClock) -> None:
    rows: list[bytes] = []

    class Odd(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield {"text": "a\ud800b"}

        async def persist(self, batch: Any) -> None:
            rows.extend(row.data for row in batch)

    await collect(Odd(), FakeSite({"/": "x"}))
    assert rows == ['{"text":"a�b"}'.encode()]


async def test_a_callback_may_be_any_kind_of_function(autojump_clock: MockClock) -> None:
    class Forms(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            for name in ("generator", "listing", "nothing", "one", "coroutine", "async_generator"):
                yield Request(f"https://site.test/{name}", getattr(self, name))

        def generator(self, response: Response) -> Produced:
            yield {"form": "generator"}

        def listing(self, response: Response) -> Produced:
            return [{"form": "list"}]

        def nothing(self, response: Response) -> Produced:
            return None

        def one(self, response: Response) -> Any:
            return {"form": "one"}

        async def coroutine(self, response: Response) -> Any:
            await trio.sleep(1)
            return [{"form": "coroutine"}]

        async def async_generator(self, response: Response) -> AsyncIterator[Any]:
            await trio.sleep(1)
            yield {"form": "async generator"}

    names = ("generator", "listing", "nothing", "one", "coroutine", "async_generator")
    found = await collect(Forms(), FakeSite({f"/{name}": "x" for name in names}))
    assert {item["form"] for item in found.items} == {"generator", "list", "one", "coroutine", "async generator"}
    assert found.report.pages == 6


async def test_a_cancel_scope_inside_an_async_callback_does_not_reach_the_engine(autojump_clock: MockClock) -> None:
    class Scoped(FrontPage):
        start_urls = [f"https://site.test/{n}" for n in range(3)]

        async def parse(self, response: Response) -> AsyncIterator[Any]:  # type: ignore[override]
            with trio.move_on_after(0.1):
                yield {"url": response.url}
                await trio.sleep(10)

    found = await collect(Scoped(), FakeSite({f"/{n}": "x" for n in range(3)}))
    assert len(found.items) == 3


async def test_keyword_arguments_of_a_callback_are_converted_to_their_annotations(autojump_clock: MockClock) -> None:
    class Kwargs(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield Request("https://site.test/b", self.detail, cb_kwargs={"point": Attrs(3)})

        def detail(self, response: Response, point: Attrs) -> Produced:
            yield {"a": point.a, "kind": type(point).__name__}

    found = await collect(Kwargs(), FakeSite({"/": "x", "/b": "x"}))
    assert found.items == [{"a": 3, "kind": "Attrs"}]


async def test_a_request_that_names_no_callback_of_the_spider_fails_its_page(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Typo(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield Request("https://site.test/b", "detale")

        def detail(self, response: Response) -> Produced: ...

    report = (await collect(Typo(), FakeSite({"/": "x", "/b": "x"}))).report
    assert report.failed == 1
    assert "no method 'detale' (did you mean detail?)" in caplog.text


async def test_failures_of_one_place_are_a_line_with_a_traceback_and_a_count(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FrontPage):
        start_urls = [f"https://site.test/{n}" for n in range(5)]

        def parse(self, response: Response) -> Produced:
            raise KeyError("price")

    await collect(Broken(), FakeSite({f"/{n}": "x" for n in range(5)}))
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in errors] == [True, False]
    assert errors[1].getMessage() == "broken.parse failed 4 more times like this: KeyError: 'price'"
