"""Items between processes: JSON for sinks of files, objects for what looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from crawler import HookError, Item, Plugin, Request, Response, Row, Spider
from crawler.engine.handler_results import PageResult
from crawler.engine.processes.items import needs_objects, pack_part, unpack_items
from crawler.sinks import open_output
from crawler.store import ItemRow

REQUEST = Request("https://site.test/")


class Refining(Plugin):
    async def refine(self, item: Item, response: Response) -> None: ...


class Storing(Plugin):
    async def persist(self, batch: Sequence[Row]) -> None: ...


def packed(values: list[Any], *, objects: bool) -> PageResult:
    """Return what arrives of the items of a page."""
    result = PageResult(items=[ItemRow(b"", value) for value in values], requests=[REQUEST])
    part = pack_part(3, result, Spider(), REQUEST, objects=objects)
    assert (part.number, result.items, result.requests) == (3, [], [])
    arrived = PageResult()
    unpack_items(part, arrived)
    return arrived


def test_objects_are_needed_by_hooks_and_by_sinks_of_users() -> None:
    assert not needs_objects([Spider(), Plugin(), open_output("items.jsonl")])
    assert needs_objects([Refining()])
    assert needs_objects([Storing()])


def test_items_arrive_as_json() -> None:
    arrived = packed([{"a": date(2026, 1, 2)}], objects=False)
    assert [(row.data, row.value, row.type) for row in arrived.encoded] == [(b'{"a":"2026-01-02"}', None, "")]
    assert arrived.items == []


def test_items_arrive_as_objects() -> None:
    arrived = packed([{"a": date(2026, 1, 2)}], objects=True)
    assert [row.value for row in arrived.items] == [{"a": date(2026, 1, 2)}]
    assert arrived.encoded == []


@pytest.mark.parametrize(
    ("objects", "words"),
    [(False, "an item cannot be written as JSON: its field 'a'"), (True, "an item cannot be sent to another process")],
)
def test_an_item_that_cannot_be_sent_names_the_callback(objects: bool, words: str) -> None:
    with pytest.raises(HookError, match=words) as caught:
        packed([{"a": lambda: None}], objects=objects)
    assert (caught.value.hook, caught.value.is_callback) == ("parse", True)
