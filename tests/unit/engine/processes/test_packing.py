"""Responses, requests and items arrive in another process as they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from crawler import HookError, Item, Plugin, Request, Response, Row, Spider
from crawler.engine.handler_results import PageResult
from crawler.engine.processes import packing, wire
from crawler.engine.processes.packing import needs_objects, pack_part, unpack_items
from crawler.messages.request import set_position
from crawler.sinks import open_output
from crawler.store import ItemRow

URL = "https://site.test/"


def sent(message: object, decoder: object = wire.FROM_FIRST) -> object:
    """Return a message as the other process receives it."""
    return decoder.decode(wire.ENCODER.encode([message]))[0]


@pytest.mark.parametrize(
    "request_",
    [
        Request(URL),
        Request(f"{URL}a", "parse_a"),
        Request(f"{URL}b", method="POST", json={"a": 1}, priority=3, meta={"m": [1]}, cb_kwargs={"n": 2}),
        set_position(Request(URL, priority=2), 4, (f"{URL}from",)),
    ],
)
def test_a_response_arrives_as_it_was_sent(request_: Request) -> None:
    response = Response(URL, 203, {"Content-Type": "text/html"}, b"\x00\xff", request=request_, elapsed=1.5, attempt=2)
    response.stages = {"dns": 0.1}
    page = sent(packing.pack_response(7, response))
    assert isinstance(page, wire.Page)
    assert (page.number, page.has_exchange) == (7, False)
    found = packing.unpack_response(page)
    for name in ("url", "status", "headers", "body", "request", "elapsed", "first_byte", "attempt", "source", "stages"):
        assert getattr(found, name) == getattr(response, name), name
    assert found.request.priority == request_.priority


def test_a_rendered_page_arrives_with_the_response_of_the_server_and_its_pictures() -> None:
    response = Response(URL, body="<b>drawn</b>", source="browser")
    response.original = Response(URL, 200, {"Content-Type": "text/html"}, "<script>draw()</script>")
    response.screenshot, response.pdf = b"png", b"pdf"
    found = packing.unpack_response(sent(packing.pack_response(7, response)))
    assert (found.text, found.screenshot, found.pdf) == ("<b>drawn</b>", b"png", b"pdf")
    assert (found.original.text, found.original.headers["content-type"]) == ("<script>draw()</script>", "text/html")


def test_requests_arrive_in_their_order() -> None:
    requests = [
        Request(f"{URL}1"),
        Request(f"{URL}2"),
        Request(f"{URL}3", "other"),
        Request(f"{URL}4", meta={"a": 1}),
        Request(f"{URL}5", priority=5),
        Request(f"{URL}6"),
        set_position(Request(f"{URL}7"), 3),
    ]
    packed = packing.pack_requests(requests)
    assert packed[0] == (None, 0, [f"{URL}1", f"{URL}2"])
    found, repeats = packing.unpack_requests(packed)
    assert found == requests
    assert [request.priority for request in found] == [request.priority for request in requests]
    assert repeats == 0


def test_plain_requests_that_are_known_are_left_out_and_counted() -> None:
    requests = [Request(f"{URL}1"), Request(f"{URL}2"), Request(f"{URL}3", dont_filter=True)]
    new: list[str] = []
    found, repeats = packing.unpack_requests(packing.pack_requests(requests), {f"{URL}1", f"{URL}3"}, new)
    assert found == requests[1:]  # `dont_filter` is left to the one who knows what it means
    assert (repeats, new) == (1, [f"{URL}2"])


def test_a_request_that_cannot_be_sent_is_named() -> None:
    request = Request(URL, meta={"a": 1})
    request.meta["a"] = object()
    with pytest.raises(ValueError, match=r"^the request for https://site.test/ cannot be sent to another process: "):
        packing.pack_requests([request])
    with pytest.raises(ValueError, match="cannot be sent to another process"):
        packing.pack_response(1, Response(URL, request=request))


# ---- items -----------------------------------------------------------------------------------------------------------


class Refining(Plugin):
    async def refine(self, item: Item, response: Response) -> None: ...


class Storing(Plugin):
    async def persist(self, batch: Sequence[Row]) -> None: ...


def packed(values: list[Any], *, objects: bool) -> PageResult:
    """Return what arrives of the items of a page."""
    result = PageResult(items=[ItemRow(b"", value) for value in values], requests=[Request(URL)])
    part = pack_part(3, result, Spider(), Request(URL), objects=objects)
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
