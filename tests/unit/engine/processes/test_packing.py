"""Responses and requests arrive in another process as they were sent."""

from __future__ import annotations

import pytest

from crawler import Request, Response, Retry
from crawler.engine.processes import packing, wire
from crawler.messages.request import set_position

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
    page = sent(packing.pack_response(7, response, [(3, [URL])]))
    assert isinstance(page, wire.Page)
    assert (page.number, page.news, page.has_exchange) == (7, [(3, [URL])], False)
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


def test_a_wish_for_another_attempt_is_packed() -> None:
    assert packing.pack_retry(None) is None
    assert packing.pack_retry(Retry("late", after=3.0)) == ("late", 3.0)
