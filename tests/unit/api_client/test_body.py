"""Bodies that report their end, and bodies that are read ahead."""

from __future__ import annotations

import httpx
import pytest
import trio

from crawler.api_client.body import Body, close, read_ahead


class Stream(httpx.AsyncByteStream):
    """Yields chunks, then raises an exception if there is one; counts how often it was closed."""

    def __init__(self, *chunks, error=None, hangs=False):
        self.chunks = chunks
        self.error = error
        self.hangs = hangs
        self.closed = 0

    async def __aiter__(self):
        for chunk in self.chunks:
            await trio.lowlevel.checkpoint()
            yield chunk
        if self.hangs:
            await trio.sleep_forever()
        if self.error is not None:
            raise self.error

    async def aclose(self):
        self.closed += 1
        await trio.lowlevel.checkpoint()


class Ends(list):
    """A list of the times at which a body ended."""

    def __call__(self):
        self.append(trio.current_time())


async def test_the_end_is_reported_when_the_last_chunk_was_read():
    ends = Ends()
    body = Body(Stream(b"a", b"b"), ends)
    assert [chunk async for chunk in body] == [b"a", b"b"]
    assert len(ends) == 1


async def test_closing_early_reports_the_end_and_closes_the_stream_below():
    ends, stream = Ends(), Stream(b"a", b"b")
    body = Body(stream, ends)
    assert await anext(aiter(body)) == b"a"
    assert not ends
    await body.aclose()
    assert len(ends) == stream.closed == 1


async def test_an_exception_ends_the_body_and_a_cancellation_does_not(autojump_clock):
    ends = Ends()
    body = Body(Stream(error=httpx.ReadError("cut off")), ends)
    with pytest.raises(httpx.ReadError):
        await anext(aiter(body))
    assert len(ends) == 1

    class Slow(httpx.AsyncByteStream):
        def __aiter__(self):
            return self

        async def __anext__(self):
            await trio.sleep(1)
            return b"late"

    ends = Ends()
    body = aiter(Body(Slow(), ends))
    with trio.move_on_after(0.5):
        await anext(body)
    assert not ends
    assert await anext(body) == b"late"


async def test_a_body_that_was_read_ahead_can_be_read_as_if_it_had_not():
    ends, stream = Ends(), Stream(b"ab", b"cd")
    response = httpx.Response(200, stream=stream)
    assert await read_ahead(response, ends, max_size=4) == b"abcd"
    assert (len(ends), stream.closed) == (1, 1)
    assert await response.aread() == b"abcd"


async def test_one_that_is_too_large_is_continued_where_reading_stopped():
    ends, stream = Ends(), Stream(b"ab", b"cd", b"ef")
    response = httpx.Response(200, stream=stream)
    assert await read_ahead(response, ends, max_size=3) is None
    assert not ends
    assert await response.aread() == b"abcdef"
    assert ends


async def test_an_exception_while_reading_ahead_is_raised_to_the_later_reader():
    ends = Ends()
    response = httpx.Response(200, stream=Stream(b"ab", error=httpx.ReadError("cut off")))
    assert await read_ahead(response, ends, max_size=100) == b"ab"
    assert ends
    chunks = response.aiter_raw()
    assert await anext(chunks) == b"ab"
    with pytest.raises(httpx.ReadError, match="cut off"):
        await anext(chunks)


async def test_a_cancelled_reader_closes_the_body(autojump_clock):
    ends, stream = Ends(), Stream(b"ab", hangs=True)
    response = httpx.Response(200, stream=stream)
    with trio.move_on_after(1):
        await read_ahead(response, ends, max_size=100)
    assert (len(ends), stream.closed) == (1, 1)


async def test_closing_takes_a_second_at_most_also_in_a_cancelled_task(autojump_clock):
    class Stuck(httpx.AsyncByteStream):
        async def aclose(self):
            await trio.sleep_forever()

    with trio.CancelScope() as scope:
        scope.cancel()
        await close(Stuck())
    assert trio.current_time() == 1
