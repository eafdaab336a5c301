"""`DemoSite`: a small bookshop on loopback with the usual difficulties of a site, for ``crawler demo`` and experiments.

Four pages of a catalogue link to twenty books. There are also a redirect, a dead link, a slow page, a page that is too
busy at first, two pages that link to each other, and a folder that robots.txt disallows. The site keeps a log, so the
report of a crawl can be compared with the requests that arrived. ``/quotes/`` lists the first lines of the books, ten
on a page; no other page links to it.
"""

from __future__ import annotations

import html
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import quote

import attrs
import h11
import trio

__all__ = ["Book", "DemoSite", "Hit", "demo_site"]

NAME: Final = "The Quiet Shelf"
PER_PAGE: Final = 5
QUOTES_PER_PAGE: Final = 10
SLOW: Final = 1.0
"""Response time of the slow page in seconds."""
RETRY_AFTER: Final = 1
"""``Retry-After`` of the busy page in seconds."""
ROBOTS: Final = "User-agent: *\nDisallow: /private/\n"


class Book(NamedTuple):
    """A book of the shop."""

    title: str
    author: str
    year: int
    price: str
    line: str
    """Its first line."""

    @property
    def path(self) -> str:
        """The path of its page."""
        return "/book/" + quote(self.title.lower().replace(" ", "-"))


BOOKS: Final = (
    Book("Pride and Prejudice", "Jane Austen", 1813, "9.50", "It is a truth universally acknowledged…"),
    Book("Moby-Dick", "Herman Melville", 1851, "12.00", "Call me Ishmael."),
    Book("A Tale of Two Cities", "Charles Dickens", 1859, "8.75", "It was the best of times…"),
    Book("Jane Eyre", "Charlotte Brontë", 1847, "9.90", "There was no possibility of taking a walk that day."),
    Book("The Time Machine", "H. G. Wells", 1895, "6.20", "The Time Traveller was expounding a matter to us."),
    Book("Frankenstein", "Mary Shelley", 1818, "7.40", "You will rejoice to hear that no disaster has accompanied…"),
    Book("Walden", "Henry David Thoreau", 1854, "8.10", "When I wrote the following pages, I lived alone…"),
    Book("Peter Pan", "J. M. Barrie", 1911, "7.00", "All children, except one, grow up."),
    Book("The Metamorphosis", "Franz Kafka", 1915, "5.60", "One morning Gregor Samsa woke from uneasy dreams…"),
    Book("Emma", "Jane Austen", 1815, "9.20", "Emma Woodhouse, handsome, clever, and rich…"),
    Book("Dracula", "Bram Stoker", 1897, "8.40", "Left Munich at 8.35 p.m. on 1st May…"),
    Book("Anna Karenina", "Leo Tolstoy", 1878, "13.50", "All happy families resemble one another."),
    Book("Alice in Wonderland", "Lewis Carroll", 1865, "7.80", "Alice was beginning to get very tired of sitting…"),
    Book("Treasure Island", "R. L. Stevenson", 1883, "7.30", "I take up my pen in the year of grace 17—…"),
    Book("Middlemarch", "George Eliot", 1871, "14.20", "Miss Brooke had that kind of beauty…"),
    Book("Persuasion", "Jane Austen", 1818, "8.60", "Sir Walter Elliot, of Kellynch Hall, was a man who…"),
    Book("Black Beauty", "Anna Sewell", 1877, "6.90", "The first place that I can well remember was a large meadow."),
    Book("Little Women", "Louisa May Alcott", 1868, "9.10", "Christmas won't be Christmas without any presents."),
    Book("The Secret Garden", "Frances H. Burnett", 1911, "8.00", "Nobody seemed to care to come to see her."),
    Book("War and Peace", "Leo Tolstoy", 1869, "16.00", "Well, Prince, Genoa and Lucca are now no more…"),
)
FIELDS: Final = ("author", "year", "price", "line")
LINKS: Final = (
    ("/books/1", "All books"),
    ("/catalogue.html", "The old catalogue"),
    ("/opening-hours", "Opening hours"),
    ("/recommended/a", "What we recommend"),
    ("/lost", "A page that got lost"),
    ("/private/orders", "Orders of our customers"),
)


@attrs.frozen
class Hit:
    """A request to which the site has responded."""

    time: float
    """Seconds since the site was opened."""
    path: str
    """Path and query."""
    status: int
    """Status of the response."""


@attrs.frozen
class Answer:
    """A response of the site."""

    body: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    """Response time in seconds."""
    kind: str = "text/html; charset=utf-8"
    """Content type."""


class DemoSite:
    """The site, and its log."""

    url: str = ""
    """The URL of the front page: ``http://127.0.0.1:PORT/``; set when the site is opened."""

    slow: float = SLOW
    """Response time of the slow page in seconds."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.hits: list[Hit] = []
        """The requests, in the order of their responses."""
        self._opened = 0.0
        self._busy = True

    def statuses(self, path: str) -> list[int]:
        """Return the statuses of the responses for `path`, in order."""
        return [hit.status for hit in self.hits if hit.path == path]

    def answer(self, path: str) -> Answer:
        """Return the response for a path. The busy page refuses its first request."""
        if path == "/offers" and self._busy:
            self._busy = False
            return Answer(_page("Too busy", ""), 503, (("Retry-After", str(RETRY_AFTER)),))
        return PAGES.get(path) or Answer(_page("Not found", "<p>There is no such page.</p>"), 404)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve on 127.0.0.1 until cancelled. `url` is set when the server has started."""
        [listener] = await trio.open_tcp_listeners(self._port, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/"
        self._opened = trio.current_time()
        task_status.started()
        await trio.serve_listeners(self._connection, [listener])

    async def _connection(self, stream: trio.SocketStream) -> None:
        """Serve one connection, which is kept alive as long as the client wants."""
        wire = h11.Connection(h11.SERVER)
        try:
            while True:
                await trio.lowlevel.checkpoint()
                event = wire.next_event()
                if event is h11.NEED_DATA:
                    wire.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Request):
                    method, target = event.method, event.target.decode("ascii")
                elif isinstance(event, h11.EndOfMessage):
                    await self._reply(wire, stream, method, target)
                    if wire.our_state is h11.MUST_CLOSE:
                        return
                    wire.start_next_cycle()
                elif isinstance(event, h11.ConnectionClosed):
                    return
        except (h11.RemoteProtocolError, trio.BrokenResourceError):
            return  # the client has closed the connection, or does not speak HTTP
        finally:
            await trio.aclose_forcefully(stream)

    async def _reply(self, wire: h11.Connection, stream: trio.SocketStream, method: bytes, target: str) -> None:
        answer = self.answer(target.partition("?")[0])
        if answer.delay:
            await trio.sleep(answer.delay)
        body = answer.body.encode()
        headers = [("Content-Type", answer.kind), ("Content-Length", str(len(body))), *answer.headers]
        reason = HTTPStatus(answer.status).phrase.encode()
        head = h11.Response(status_code=answer.status, reason=reason, headers=headers)
        content = [] if method == b"HEAD" else [h11.Data(data=body)]
        sent = [wire.send(event) or b"" for event in (head, *content, h11.EndOfMessage())]
        self.hits.append(Hit(trio.current_time() - self._opened, target, answer.status))
        await stream.send_all(b"".join(sent))


@contextmanager
def demo_site(port: int = 0) -> Iterator[DemoSite]:
    """Serve the site in a thread of its own until the block is left."""
    site = DemoSite(port)
    started: queue.Queue[trio.lowlevel.TrioToken | Exception] = queue.Queue()
    scope = trio.CancelScope()

    async def serve() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(site.serve)
                started.put(trio.lowlevel.current_trio_token())

    def thread() -> None:
        try:
            trio.run(serve)
        except Exception as error:  # raised in the calling thread
            first: Exception = error
            while isinstance(first, ExceptionGroup):  # from the nursery
                first = first.exceptions[0]
            started.put(first)

    server = threading.Thread(target=thread, name="demo site", daemon=True)
    server.start()
    token = started.get()
    if isinstance(token, Exception):
        raise token
    try:
        yield site
    finally:
        token.run_sync_soon(scope.cancel)
        server.join()


def _page(title: str, content: str) -> str:
    heading = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><title>{heading}</title></head>\n'
        f'<body><h1>{heading}</h1>{content}<p><a href="/">{NAME}</a></p></body></html>\n'
    )


def _links(*links: tuple[str, str], kind: str = "more") -> str:
    items = (f'<li class="{kind}"><a href="{href}">{html.escape(text)}</a></li>' for href, text in links)
    return f"<ul>{''.join(items)}</ul>"


def _to(book: Book) -> tuple[str, str]:
    return book.path, book.title


def _special() -> Iterator[tuple[str, Answer]]:
    """Yield the front page, and the pages that are difficult for a crawl."""
    yield "/", Answer(_page(NAME, _links(*LINKS)))
    yield "/robots.txt", Answer(ROBOTS, kind="text/plain")
    yield "/private/orders", Answer(_page("Orders", "<p>Nobody should read this.</p>"))
    yield "/catalogue.html", Answer(status=301, headers=(("Location", "/books/1"),))
    yield "/offers", Answer(_page("Offers of the day", _links(_to(BOOKS[0]), kind="book")))
    yield "/opening-hours", Answer(_page("Opening hours", "<p>Whenever you like.</p>"), delay=SLOW)
    for one, other in (("a", "b"), ("b", "a")):
        links = _links((f"/recommended/{other}", "More")) + _links(_to(BOOKS[8]), kind="book")
        yield f"/recommended/{one}", Answer(_page("What we recommend", links))


def _catalogue() -> Iterator[tuple[str, Answer]]:
    """Yield lists of books, each with a link to the next, and the page of each book."""
    last = -(-len(BOOKS) // PER_PAGE)
    for number in range(1, last + 1):
        books = _links(*map(_to, BOOKS[(number - 1) * PER_PAGE : number * PER_PAGE]), kind="book")
        offers = _links(("/offers", "Offers of the day"))
        after = f'<a class="next" href="/books/{number + 1}">Next page</a>' if number < last else offers
        yield f"/books/{number}", Answer(_page(f"Books, page {number} of {last}", books + after))
    for book in BOOKS:
        fields = (f'<p class="{name}">{html.escape(str(getattr(book, name)))}</p>' for name in FIELDS)
        yield book.path, Answer(_page(book.title, "".join(fields) + _links(("/books/1", "All books"))))


def _quotes() -> Iterator[tuple[str, Answer]]:
    """Yield pages with the first lines of the books as quotes."""
    last = -(-len(BOOKS) // QUOTES_PER_PAGE)
    for number in range(1, last + 1):
        quotes = "".join(
            f'<div class="quote"><span class="text">{html.escape(book.line)}</span> '
            f'<small class="author">{html.escape(book.author)}</small></div>'
            for book in BOOKS[(number - 1) * QUOTES_PER_PAGE : number * QUOTES_PER_PAGE]
        )
        after = f'<ul><li class="next"><a href="/quotes/{number + 1}">Next page</a></li></ul>' if number < last else ""
        path = "/quotes/" if number == 1 else f"/quotes/{number}"
        yield path, Answer(_page(f"First lines, page {number} of {last}", quotes + after))


PAGES: Final = dict([*_special(), *_catalogue(), *_quotes()])
"""The response for each path; other paths are not found."""
