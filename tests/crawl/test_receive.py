"""Bodies that `crawl.fetch` writes as they arrive, instead of keeping them."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock

from crawler import (
    BodyTooLarge,
    BrokenExchange,
    Drop,
    FetchTimeout,
    HookError,
    Plugin,
    Request,
    Response,
    Settings,
    Spider,
)
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/file"


class Pieces(httpx.AsyncByteStream):
    """A body in pieces, with a pause before each."""

    def __init__(self, *pieces: bytes | Exception, pause: float = 0.0) -> None:
        self.pieces = pieces
        self.pause = pause
        self.was_read = 0
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await trio.sleep(self.pause)
            if self.is_closed:
                raise httpx.StreamClosed
            if isinstance(piece, Exception):
                raise piece
            self.was_read += 1
            yield piece

    async def aclose(self) -> None:
        self.is_closed = True


class Writer:
    """Keeps what it gets, with the times."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.times: list[float] = []

    async def write(self, data: bytes) -> None:
        self.pieces.append(data)
        self.times.append(trio.current_time())


class Download(Spider):
    """Fetches one URL with a receiver and keeps the result."""

    start_urls = ["https://site.test/"]
    settings = FREE
    request = Request(URL)

    def __init__(self, receive: Callable[[Response], Any]) -> None:
        super().__init__()
        self.receive = receive
        self.calls: list[tuple[int, bytes]] = []
        self.result: Any = None

    async def parse(self, response: Response) -> None:
        try:
            self.result = await self.crawl.fetch(self.request, receive=self._receive)
        except Exception as error:
            self.result = error

    async def _receive(self, response: Response) -> Any:
        self.calls.append((response.status, response.body))
        return self.receive(response)


def serving(*responses: Callable[[], httpx.Response]) -> httpx.MockTransport:
    """Return a transport with these responses at `URL`, the last one repeated."""
    sent = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal sent
        if str(request.url) != URL:
            return httpx.Response(200, content=b"page")
        sent += 1
        return responses[min(sent, len(responses)) - 1]()

    return httpx.MockTransport(answer)


async def fetched(spider: Download, site: Any, **options: Any) -> Any:
    await collect(spider, site, **options)
    return spider.result


async def test_a_body_is_written_as_it_arrives(autojump_clock: MockClock) -> None:
    writer = Writer()
    body = Pieces(b"one", b"two", b"three", pause=5.0)
    spider = Download(lambda response: writer)
    response = await fetched(spider, serving(lambda: httpx.Response(200, stream=body)))
    assert (response.status, response.body, writer.pieces) == (200, b"", [b"one", b"two", b"three"])
    assert [later - writer.times[0] for later in writer.times] == pytest.approx([0.0, 5.0, 10.0])
    assert spider.calls == [(200, b"")]


async def test_only_a_response_with_its_body_can_be_archived(autojump_clock: MockClock) -> None:
    for choice, is_whole in ((Writer(), False), (Drop("enough"), False), (None, True)):
        spider = Download(lambda response, choice=choice: choice)  # type: ignore[misc]
        response = await fetched(spider, serving(lambda: httpx.Response(200, stream=Pieces(b"x"))))
        assert (response.wire is not None) == is_whole


async def test_the_server_waits_for_a_slow_writer(autojump_clock: MockClock) -> None:
    class Slow(Writer):
        async def write(self, data: bytes) -> None:
            await super().write(data)
            ahead.append(body.was_read - len(self.pieces))
            await trio.sleep(1.0)

    ahead: list[int] = []
    body = Pieces(*[b"x"] * 5)
    await fetched(Download(lambda response: Slow()), serving(lambda: httpx.Response(200, stream=body)))
    assert ahead == [0, 0, 0, 0, 0]


async def test_a_body_is_written_decoded(autojump_clock: MockClock) -> None:
    writer = Writer()
    coded = zlib.compress(b"text" * 100_000)
    made = lambda: httpx.Response(200, headers={"Content-Encoding": "deflate"}, stream=Pieces(coded))  # noqa: E731
    await fetched(Download(lambda response: writer), serving(made))
    assert b"".join(writer.pieces) == b"text" * 100_000
    assert max(map(len, writer.pieces)) <= 65_536


async def test_a_body_that_is_dropped_is_not_read(autojump_clock: MockClock) -> None:
    body = Pieces(*[b"x"] * 2000)
    spider = Download(lambda response: Drop("too large"))
    response = await fetched(spider, serving(lambda: httpx.Response(200, stream=body)))
    assert (response.status, response.body, body.is_closed) == (200, b"", True)
    assert body.was_read == 0


async def test_a_body_that_is_kept_has_the_limit_of_pages(autojump_clock: MockClock) -> None:
    spider = Download(lambda response: None)
    spider.request = Request(URL, max_body=10**9)
    site = FakeSite({"/": "x", "/file": "x" * 50})
    assert (await fetched(spider, site, settings=Settings(max_body=100))).text == "x" * 50
    site.pages[URL] = "x" * 101
    error = await fetched(spider, site, settings=Settings(max_body=100))
    assert isinstance(error, BodyTooLarge)


async def test_a_body_that_is_written_has_the_limit_of_its_request(autojump_clock: MockClock) -> None:
    for most, error in ((300, None), (299, BodyTooLarge)):
        writer = Writer()
        spider = Download(lambda response, writer=writer: writer)  # type: ignore[misc]
        spider.request = Request(URL, max_body=most)
        made = lambda: httpx.Response(200, stream=Pieces(*[b"x" * 100] * 3))  # noqa: E731
        found = await fetched(spider, serving(made), settings=Settings(max_body=10))
        assert isinstance(found, error or Response)
        assert sum(map(len, writer.pieces)) <= most


async def test_each_response_asks_again_redirects_and_refusals_too(autojump_clock: MockClock) -> None:
    writer = Writer()
    spider = Download(lambda response: writer if response.status == 200 else None)
    pages = [Page("wait", 503), Page(status=302, headers={"Location": "/moved"})]
    response = await fetched(spider, FakeSite({"/": "x", "/file": pages, "/moved": "here"}))
    assert (response.url, writer.pieces) == ("https://site.test/moved", [b"here"])
    assert spider.calls == [(503, b""), (302, b""), (200, b"")]


async def test_a_transfer_that_breaks_off_is_tried_again(autojump_clock: MockClock) -> None:
    writers: list[Writer] = []

    def begin(response: Response) -> Writer:
        writers.append(Writer())
        return writers[-1]

    broken = lambda: httpx.Response(200, stream=Pieces(b"ha", httpx.ReadError("reset")))  # noqa: E731
    whole = lambda: httpx.Response(200, stream=Pieces(b"half", b"half"))  # noqa: E731
    response = await fetched(Download(begin), serving(broken, whole))
    assert (response.status, response.attempt) == (200, 2)
    assert [writer.pieces for writer in writers] == [[b"ha"], [b"half", b"half"]]
    error = await fetched(Download(begin), serving(broken))
    assert isinstance(error, BrokenExchange)
    assert error.has_response


async def test_the_deadline_of_the_request_covers_the_body(autojump_clock: MockClock) -> None:
    spider = Download(lambda response: Writer())
    spider.request = Request(URL, timeout=10.0, attempts=1)
    made = lambda: httpx.Response(200, stream=Pieces(*[b"x"] * 100, pause=1.0))  # noqa: E731
    assert isinstance(await fetched(spider, serving(made)), FetchTimeout)


async def test_an_exception_of_a_writer_reaches_the_caller_and_closes_the_response(autojump_clock: MockClock) -> None:
    class Full(Writer):
        async def write(self, data: bytes) -> None:
            raise OSError("disk full")

    body = Pieces(b"x", b"y")
    error = await fetched(Download(lambda response: Full()), serving(lambda: httpx.Response(200, stream=body)))
    assert isinstance(error, HookError)
    assert isinstance(error.__cause__, OSError)
    assert body.is_closed


async def test_an_exception_of_the_receiver_closes_the_response(autojump_clock: MockClock) -> None:
    body = Pieces(b"x")
    error = await fetched(Download(lambda response: 1 / 0), serving(lambda: httpx.Response(200, stream=body)))
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert (body.is_closed, body.was_read) == (True, 0)


async def test_the_answer_of_a_plugin_is_received_as_well(autojump_clock: MockClock) -> None:
    class Cache(Plugin):
        async def answer(self, request: Request) -> Response | None:
            return Response(request.url, 200, {}, b"cached") if request.url == URL else None

    class Replay(Plugin):
        async def fetch(self, request: Request, send: Any) -> Response | None:
            return Response(request.url, 200, {}, b"replayed") if request.url == URL else None

    for plugin, body in ((Cache(), b"cached"), (Replay(), b"replayed")):
        writer = Writer()
        spider = Download(lambda response, writer=writer: writer)  # type: ignore[misc]
        response = await fetched(spider, FakeSite({"/": "x"}), plugins=[plugin])
        assert (response.body, writer.pieces) == (b"", [body])


async def test_a_file_of_trio_is_a_writer(autojump_clock: MockClock, tmp_path: Any) -> None:
    class Save(Spider):
        start_urls = ["https://site.test/"]
        settings = FREE

        async def parse(self, response: Response) -> None:
            async with await trio.open_file(tmp_path / "file", "wb") as file:

                async def receive(response: Response) -> Any:
                    return file

                await self.crawl.fetch(Request(URL), receive=receive)

    await collect(Save(), FakeSite({"/": "x", "/file": b"content"}))
    assert (tmp_path / "file").read_bytes() == b"content"


class Enough(Writer):
    """Wants no more than two pieces."""

    async def write(self, data: bytes) -> Drop | None:  # type: ignore[override]
        await super().write(data)
        return Drop("enough") if len(self.pieces) == 2 else None


async def test_a_writer_that_has_enough_leaves_the_rest_unread() -> None:
    writer, body = Enough(), Pieces(b"one", b"two", b"three", b"four")
    response = await fetched(Download(lambda _: writer), serving(lambda: httpx.Response(200, stream=body)))
    assert writer.pieces == [b"one", b"two"]
    assert (response.status, response.body) == (200, b"")
    assert (body.was_read, body.is_closed) == (2, True)


class Wrapping(Spider):
    """Receives the bodies of its pages in its hook `fetch`."""

    start_urls = [URL]
    settings = FREE

    def __init__(self, choice: Any) -> None:
        super().__init__()
        self.choice = choice
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []

    async def fetch(self, request: Request, send: Any) -> Any:
        response = await send(request, receive=self._receive)
        if isinstance(self.choice, Writer):
            response.body = b" ".join(self.choice.pieces)
        return response

    async def _receive(self, response: Response) -> Any:
        self.statuses.append(response.status)
        return self.choice

    def parse(self, response: Response) -> None:
        self.bodies.append(response.body)


@pytest.mark.parametrize(
    ("choice", "found", "was_read"),
    [(Enough(), b"one two", 2), (Drop("not now"), b"", 0), (None, b"onetwothree", 3)],
)
async def test_a_fetch_hook_receives_the_body_of_a_page(choice: Any, found: bytes, was_read: int) -> None:
    body = Pieces(b"one", b"two", b"three")
    spider = Wrapping(choice)
    await collect(spider, serving(lambda: httpx.Response(200, stream=body)))
    assert (spider.statuses, spider.bodies, body.was_read) == ([200], [found], was_read)


class Making(Plugin):
    """Answers without the network, in a hook below that of the spider."""

    async def fetch(self, request: Request, send: Any) -> Response:
        return Response(request.url, 200, {}, b"made")


async def test_a_fetch_hook_receives_the_body_that_a_plugin_made() -> None:
    writer = Writer()
    spider = Wrapping(writer)
    await collect(spider, serving(lambda: httpx.Response(404)), plugins=[Making()])
    assert (writer.pieces, spider.bodies) == ([b"made"], [b"made"])
