"""A hint for each of the commonest mistakes in callbacks, in the message of a real crawl."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from support.cases import each

from crawler import Request, Response, Settings, Spider, crawl_items
from crawler.hints import MESSAGES, describe_error, hint_for
from crawler.html import Selector, SelectorList
from crawler.messages import Row
from crawler.other_names import OTHER_NAMES
from crawler.testing import FakeSite

PAGE = "<h2>Title</h2><a href='dml.html'>next</a>"


async def sleeps(self: Any, response: Any) -> None:
    await asyncio.sleep(1)


async def gathers(self: Any, response: Any) -> None:
    await asyncio.Future(loop=LOOP)


async def awaits(self: Any, response: Any) -> None:
    await self.crawl.add(response.follow("/next"))


def yields_all(self: Any, response: Any) -> Iterator[Any]:
    yield response.follow_all("a")


def yields_a_list(self: Any, response: Any) -> Iterator[Any]:
    yield [response.follow(link) for link in response.css("a")]


def yields_a_coroutine(self: Any, response: Any) -> Iterator[Any]:
    yield sleeps(self, response)


async def yields_an_async_generator(self: Any, response: Any) -> AsyncIterator[Any]:
    async def more() -> AsyncIterator[Any]:
        yield {"a": 1}

    yield more()


LOOP = asyncio.new_event_loop()
LOOP.close()

MISTAKES = {
    "a selector in an item": (
        lambda self, response: [{"a": response.css("h2")}],
        "its field 'a': Encoding objects of type Selector is unsupported (write .get() for the first match as text",
    ),
    "yield follow_all()": (yields_all, "not generator: <generator object"),
    "yield of a generator": (yields_all, "(write yield from …, or in async def: for each in …: yield each)"),
    "yield of a list": (yields_a_list, "(write yield from …, or in async def: for each in …: yield each)"),
    "yield of a coroutine": (yields_a_coroutine, "(await it: write async def and await)"),
    "yield of an async generator": (yields_an_async_generator, "(write async for each in …: yield each)"),
    "follow(None)": (
        lambda self, response: response.follow(response.css("h3 a::attr(href)").get()),
        "a selector found nothing; response.follow_all(css) follows what is there",
    ),
    "urljoin(None)": (
        lambda self, response: response.urljoin(response.css("img::attr(src)").get()),
        "not a web link: None on https://site.test/ (a selector found nothing",
    ),
    "css(None)": (lambda self, response: response.css(None), "a CSS selector must be str, not NoneType"),
    "xpath(None)": (lambda self, response: response.xpath(None), "XPath expression None: must be str, not NoneType"),
    "getlist": (lambda self, response: response.headers.getlist("Set-Cookie"), "use .get_list(name)"),
    "a relative URL": (lambda self, response: Request("dml.html"), "for a link of a page write response.follow(href)"),
    "Request(None)": (lambda self, response: Request(response.css("h3::text").get()), "so .get() returned None"),
    "None.strip": (lambda self, response: response.css("h3::text").get().strip(), ".get('') returns an empty string"),
    "asyncio.sleep": (sleeps, "callbacks run in trio, not asyncio: await trio.sleep(…)"),
    "a future of asyncio": (gathers, "callbacks run in trio, not asyncio: await trio functions"),
    "asyncio.run": (lambda self, response: asyncio.get_running_loop(), "callbacks run in trio, not asyncio"),
    "await of a function": (awaits, "the function is not async: leave out await"),
    "self.logger": (lambda self, response: self.logger.info("x"), "use logging.getLogger(__name__)"),
    "self.crawler": (lambda self, response: self.crawler.stats, "self.crawl is the running crawl"),
    "status_code": (lambda self, response: response.status_code, "use response.status"),
    "settings.get": (lambda self, response: self.crawl.settings.get("X"), "settings are attributes, such as"),
    "a link in an item": (lambda self, response: [{"a": response.links()[0]}], "yield the url and the text of a link"),
    "follow(selectors)": (
        lambda self, response: response.follow(response.css("a")),
        "follow takes one link: write yield from response.follow_all(…)",
    ),
    "a callback that is called": (
        lambda self, response: response.follow("/next", yields_all(self, response)),
        "name the method without calling it: callback=self.parse_item",
    ),
    "a partial callback": (
        lambda self, response: response.follow("/next", partial(yields_all, self)),
        "pass arguments of the callback in cb_kwargs={…}",
    ),
    "formdata": (lambda self, response: Request(response.url, formdata={}), 'write method="POST", data={…}'),
    "the depth in meta": (lambda self, response: response.meta["depth"], "use response.depth"),
    "a proxy in meta": (
        lambda self, response: Request(response.url, meta={"proxy": "http://p.test"}),
        "meta['proxy'] has no effect here: write proxy=…",
    ),
    "user_data": (lambda self, response: Request(response.url, user_data={}), "write meta={…}"),
    "sys.exit": (lambda self, response: sys.exit("enough"), "to end the crawl, call self.crawl.stop(reason)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_in_a_callback_has_a_hint(mistake: str, caplog: pytest.LogCaptureFixture) -> None:
    callback, hint = MISTAKES[mistake]
    spider = type("Mistaken", (Spider,), {"start_urls": ["https://site.test/"], "parse": callback})()
    site = FakeSite({"/": PAGE})
    found = crawl_items(spider, settings=Settings(obey_robots=False), transport=site.transport)
    assert found.report.kinds == {"callback_error.parse": 1}
    [line] = [message for message in caplog.messages if message.startswith("mistaken.parse failed for https://")]
    assert hint in line
    assert "\n" not in line


CLASSES = [name for name in OTHER_NAMES if name[0].isupper()]


ROWS = [
    (use, " (a sink gets rows: row.item is the item, a dict)")
    for use in (lambda row: row["a"], lambda row: row.title, lambda row: row.get("a"), json.dumps, dict)
]


def test_each_entry_of_the_tables_is_found() -> None:
    for kind, part, hint in MESSAGES:
        assert hint_for(kind(f"before {part} after")) == f" ({hint})"
    for name, hint in OTHER_NAMES["import"].items():
        assert hint_for(ImportError(f"cannot import name '{name}' from 'crawler'", name="crawler")) == f" ({hint})"
    for name in CLASSES:
        attributes = OTHER_NAMES[name]
        made = None if name == "NoneType" else type(name, (), {})()
        for attribute, hint in attributes.items():
            with pytest.raises(AttributeError) as caught:
                getattr(made, attribute)
            assert hint_for(caught.value) == f" ({hint})"


def test_an_argument_without_a_value_has_a_hint() -> None:
    class Shelf(Spider):
        category: str

    for name, hint in (("category", " (run it with -a category=…, or give it a value in the class)"), ("genre", "")):
        with pytest.raises(AttributeError) as caught:
            getattr(Shelf(), name)
        assert hint_for(caught.value) == hint


@each(("use", "answer"), ROWS)
def test_a_row_that_is_taken_for_its_item_has_a_hint(use: Callable[[Any], Any], answer: str) -> None:
    row = Row(data=b"{}", key="1", page="https://site.test/")
    with pytest.raises((TypeError, AttributeError)) as caught:
        use(row)
    assert hint_for(caught.value) == answer


def test_no_attribute_with_a_hint_exists() -> None:
    for kind in (Spider, Response, Selector, SelectorList, Settings):
        table = OTHER_NAMES[kind.__name__.removesuffix("List")]
        assert [name for name in table if hasattr(kind, name) and not (kind is Spider and name == "state")] == []


def test_an_exception_without_a_message_is_its_class() -> None:
    assert describe_error(AssertionError()) == "AssertionError"
    assert describe_error(ValueError("no shelf")) == "ValueError: no shelf"


def test_other_exceptions_have_no_hint() -> None:
    assert hint_for(ValueError("no shelf")) == ""
    assert hint_for(KeyError()) == hint_for(KeyError("shelf")) == hint_for(KeyError(3)) == ""
    assert hint_for(AttributeError("x")) == ""
