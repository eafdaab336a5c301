"""`BodyReceiver`: the bodies of one request, handed to writers."""

from __future__ import annotations

import pytest

from crawler import BodyTooLarge, Drop, HookError, Response
from crawler.fetch.body_receiver import BodyReceiver


class Memory:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.pieces.append(data)


def receiver(choice):
    async def receive(response):
        if isinstance(choice, Exception):
            raise choice
        return choice

    return BodyReceiver(receive)


def page(body=b""):
    return Response("https://site.test/", 200, {}, body)


async def test_a_body_that_a_plugin_made_is_written_in_one_piece_and_leaves_the_response():
    writer, response = Memory(), page(b"made")
    await receiver(writer).finish(response)
    assert (writer.pieces, response.body) == ([b"made"], b"")


async def test_an_empty_body_of_a_plugin_is_opened_too():
    seen = []

    async def receive(response):
        seen.append(response)

    response = page()
    await BodyReceiver(receive).finish(response)
    assert seen == [response]


async def test_a_body_that_is_kept_stays_and_one_that_is_dropped_goes():
    for choice, left in ((None, b"made"), (Drop("too large"), b"")):
        response = page(b"made")
        await receiver(choice).finish(response)
        assert response.body == left


async def test_a_response_that_was_received_is_not_received_again():
    for choice, body in ((None, b"kept"), (Memory(), b"")):
        calls = []

        async def receive(response, choice=choice, calls=calls):
            calls.append(response)
            return choice

        bodies, response = BodyReceiver(receive), page()
        await bodies.open(response)
        response.body = body
        await bodies.finish(response)
        assert len(calls) == 1
        bodies.reset()
        await bodies.finish(response)
        assert len(calls) == 2


async def test_a_body_that_a_hook_put_in_the_place_of_a_written_one_is_written():
    writer = Memory()
    bodies, response = receiver(writer), page()
    await bodies.write(await bodies.open(response), b"original", response.request)
    other = page(b"changed")
    await bodies.finish(other)
    assert (writer.pieces, other.body) == ([b"original", b"changed"], b"")


async def test_an_exception_of_the_caller_is_a_hook_error_and_a_request_error_stays_as_it_is():
    with pytest.raises(HookError, match="OSError: disk full") as info:
        await receiver(OSError("disk full")).open(page())
    assert isinstance(info.value.__cause__, OSError)
    with pytest.raises(BodyTooLarge, match="enough"):
        await receiver(BodyTooLarge("enough")).open(page())


@pytest.mark.parametrize("choice", ["path", b"", True, open])
async def test_a_choice_of_another_type_is_refused(choice):
    with pytest.raises(HookError, match=r"receive\(\) returned \w+, not a writer, a Drop or None"):
        await receiver(choice).open(page())
