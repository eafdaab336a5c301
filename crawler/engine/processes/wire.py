"""The messages between the process that fetches and the processes that run callbacks, in MessagePack.

The first process sends `Page`, `StateChange`, `Answer`, `Continue`, `Cancel` and `Stop`; the others send the rest.
"""

from __future__ import annotations

import pickle
from collections.abc import Container, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from crawler.headers import Headers
from crawler.messages import Request, Response, Retry
from crawler.messages.request import has_options, plain_get

__all__ = [
    "ALL_KEYS", "Answer", "Call", "Cancel", "Continue", "FromFirst", "FromOther", "Handled", "Log", "Page", "Part",
    "Raised", "Ready", "Requests", "StateChange", "Stop", "pack_requests", "pack_response", "unpack_requests",
    "unpack_response",
]  # fmt: skip

ALL_KEYS: Final = ""
"""The key in `Handled.reads` for all keys of a state, which a loop or `len` has read."""

Links: TypeAlias = tuple[str | None, int, list[str]]
"""Plain GET requests with the same callback and depth: these two, and the URLs."""
Requests: TypeAlias = list[Links | bytes]
"""Requests in their order. Those with options are JSON."""


class Page(Struct, tag=1, array_like=True, frozen=True, eq=False):
    """A response for its callback."""

    number: int
    """Identifies the page in the messages about it."""
    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    request: bytes
    """The request as JSON; empty for a plain GET of `requested`."""
    requested: str
    callback: str | None
    depth: int
    elapsed: float
    first_byte: float
    attempt: int
    source: str
    stages: dict[str, float] | None
    has_exchange: bool
    """Whether `Response.wire` can be asked for."""
    fresh: Sequence[tuple[int, list[str]]] = ()
    """Numbers of earlier pages of the process, with the links of each that were new. The others are known."""
    original: Page | None = None
    """`Response.original`; its number means nothing."""
    screenshot: bytes | None = None
    pdf: bytes | None = None


class StateChange(Struct, tag=2, array_like=True, frozen=True, eq=False):
    """Changes of the spider's state that have taken effect."""

    version: int
    """Number of changes so far, these included."""
    changed: dict[str, bytes | None]
    """JSON by key; `None` for a deleted key."""


class Answer(Struct, tag=3, array_like=True, frozen=True, eq=False):
    """The result of a `Call`."""

    call: int
    result: bytes
    """Pickled; that of `errors.pack_error` if it was an exception."""
    is_error: bool


class Continue(Struct, tag=4, array_like=True, frozen=True, eq=False):
    """The items and requests of a `Part` have been stored."""

    number: int


class Cancel(Struct, tag=5, array_like=True, frozen=True, eq=False):
    """Nobody waits for a page any more."""

    number: int


class Stop(Struct, tag=6, array_like=True, frozen=True, eq=False):
    """The process is to end."""


class Ready(Struct, tag=7, array_like=True, frozen=True, eq=False):
    """The process takes pages."""

    pid: int


class Part(Struct, tag=8, array_like=True, frozen=True, eq=False):
    """Items and requests of a page whose callback still runs. It waits for `Continue`."""

    number: int
    items: list[tuple[bytes, str]]
    """JSON and the name of the class, unless `values` has them."""
    values: bytes
    """The items, pickled; empty if nothing needs the objects."""
    requests: Requests


class Handled(Struct, tag=9, array_like=True, frozen=True, eq=False, kw_only=True):
    """The rest of what a callback made of its page."""

    part: Part
    retry: tuple[str, float | None] | None
    repeats: int
    refused: list[tuple[str, str]]
    """Reason and URL of the links that are marked ``nofollow``."""
    added: Requests
    counters: dict[str, int]
    state: dict[str, bytes | None]
    """Changes of the spider's state, as in `StateChange`."""
    reads: dict[str, int]
    """The keys of the state that the callback has read, with the version of the state at that time."""


class Raised(Struct, tag=10, array_like=True, frozen=True, eq=False):
    """A callback raised an exception."""

    number: int
    error: bytes


class Call(Struct, tag=11, array_like=True, frozen=True, eq=False):
    """A callback awaits a method of the crawl."""

    number: int
    call: int
    name: str
    arguments: bytes
    """A tuple of arguments and a dict of options, pickled."""


class Log(Struct, tag=12, array_like=True, frozen=True, eq=False):
    """A record of a logger."""

    record: bytes


FromFirst: TypeAlias = Page | StateChange | Answer | Continue | Cancel | Stop
FromOther: TypeAlias = Ready | Part | Handled | Raised | Call | Log


def pack_response(number: int, response: Response, fresh: Sequence[tuple[int, list[str]]] = ()) -> Page:
    """Return a response as a message. `number` and `fresh` are those of `Page`."""
    request = response.request
    has_more = has_options(request) or request.priority
    return Page(
        number,
        response.url,
        response.status,
        response.headers.pairs,
        response.body,
        _json_of(request) if has_more else b"",
        request.url,
        request.callback,
        request.depth,
        response.elapsed,
        response.first_byte,
        response.attempt,
        response.source,
        None if response.stages is None else dict(response.stages),
        response._exchange is not None,  # noqa: SLF001 - not for users
        fresh,
        None if response.original is None else pack_response(number, response.original),
        response.screenshot,
        response.pdf,
    )


def unpack_response(page: Page, kind: type[Response] = Response) -> Response:
    """Return the response of a message, as an instance of `kind`."""
    request = plain_get(page.requested, page.callback, page.depth)
    if page.request:
        request = Request.from_json(page.request)
    response = kind(
        page.url,
        page.status,
        Headers(list(page.headers)),
        page.body,
        request=request,
        elapsed=page.elapsed,
        attempt=page.attempt,
        source=page.source,
    )
    response.first_byte = page.first_byte
    response.stages = page.stages
    if page.original is not None:
        response.original = unpack_response(page.original)
    response.screenshot, response.pdf = page.screenshot, page.pdf
    return response


def pack_requests(requests: Sequence[Request]) -> Requests:
    """Return requests as part of a message."""
    packed: Requests = []
    urls: list[str] = []
    run: tuple[str | None, int] | None = None
    for request in requests:
        if has_options(request) or request.priority:
            packed.append(_json_of(request))
            run = None
        elif run == (request.callback, request.depth):
            urls.append(request.url)
        else:
            urls, run = [request.url], (request.callback, request.depth)
            packed.append((*run, urls))
    return packed


def _json_of(request: Request) -> bytes:
    """Return a request as JSON.

    Raises:
        ValueError: One of its mappings was given a value that JSON does not have.
    """
    try:
        return request.to_json()
    except (TypeError, ValueError) as error:
        words = (
            f"the request for {request.shown_url} cannot be sent to another process: {request.unstorable() or error}"
        )
        raise ValueError(words) from None


def unpack_requests(
    packed: Requests, known: Container[str] = frozenset(), new: list[str] | None = None
) -> tuple[list[Request], int]:
    """Return the requests of a message, without plain ones that are known, and the number of those.

    Parameters:
        packed: The part of the message.
        known: Keys of known requests.
        new: Gets the URLs of the plain requests that are not known.
    """
    requests: list[Request] = []
    repeats = 0
    for part in packed:
        if isinstance(part, bytes):
            requests.append(Request.from_json(part))
        else:
            callback, depth, urls = part
            fresh = [url for url in urls if url not in known]
            repeats += len(urls) - len(fresh)
            requests += [plain_get(url, callback, depth) for url in fresh]
            if new is not None:
                new += fresh
    return requests, repeats


def pack_retry(retry: Retry | None) -> tuple[str, float | None] | None:
    """Return a wish for another attempt as part of a message."""
    return None if retry is None else (retry.reason, retry.after)


def pack(value: Any) -> bytes:
    """Return a Python object, of users perhaps, for a process that was forked from the same program."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(data: bytes) -> Any:
    """Return the object that `pack` was given."""
    return pickle.loads(data)  # noqa: S301 - of a process of the same program


ENCODER: Final = msgspec.msgpack.Encoder()
FROM_FIRST: Final = msgspec.msgpack.Decoder(FromFirst)
FROM_OTHER: Final = msgspec.msgpack.Decoder(FromOther)
