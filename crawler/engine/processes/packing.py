"""Responses, requests and items as parts of messages, and back."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Final

from crawler.engine.handler_results import PageResult, encoded
from crawler.engine.processes.shared_bodies import BodyWriter
from crawler.engine.processes.wire import Page, Part, Requests, pack, unpack
from crawler.errors import HookError
from crawler.headers import Headers
from crawler.hooks.plugin import Plugin
from crawler.messages import Request, Response
from crawler.messages.request import has_options, plain_get
from crawler.store import ItemRow

if TYPE_CHECKING:
    from crawler.spiders import Spider

__all__ = [
    "needs_objects", "pack_part", "pack_request", "pack_requests", "pack_response", "unpack_items", "unpack_requests",
    "unpack_response",
]  # fmt: skip

READ_JSON: Final = ("crawler.sinks.", "crawler_plugins.")
"""Modules whose sinks read the JSON of items only."""


def pack_response(
    number: int,
    response: Response,
    bodies: BodyWriter | None = None,
) -> Page:
    """Return a response as a message, which has the body unless there are `bodies` with room for it."""
    body = response.body
    at = None if bodies is None else bodies.write(body)
    request = response.request
    return Page(
        number,
        response.url,
        response.status,
        response.headers.pairs,
        body if at is None else b"",
        None if at is None else (at, len(body)),
        pack_request(request),
        request.url,
        request.callback,
        request.depth,
        response.elapsed,
        response.first_byte,
        response.attempt,
        response.complete,
        response.source,
        None if response.stages is None else dict(response.stages),
        response._exchange is not None,  # noqa: SLF001 - not for users
        None if response.original is None else pack_response(number, response.original),
        response.screenshot,
        response.pdf,
    )


def unpack_response(page: Page, kind: type[Response] = Response, body: bytes | None = None) -> Response:
    """Return the response of a message, of a class of responses, with the body that was in shared memory."""
    request = plain_get(page.requested, page.callback, page.depth)
    if page.request:
        request = Request.from_json(page.request)
    response = kind(
        page.url,
        page.status,
        Headers(list(page.headers)),
        page.body if body is None else body,
        request=request,
        elapsed=page.elapsed,
        attempt=page.attempt,
        source=page.source,
    )
    response.complete = page.complete
    response.first_byte = page.first_byte
    response.stages = page.stages
    if page.original is not None:
        response.original = unpack_response(page.original)
    response.screenshot, response.pdf = page.screenshot, page.pdf
    return response


def pack_request(request: Request) -> bytes:
    """Return a request as JSON; empty for a GET that has no more than a URL, a callback and a depth."""
    return _json_of(request) if has_options(request) or request.priority else b""


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
    """Return a request as JSON."""
    try:
        return request.to_json()
    except (TypeError, ValueError) as error:
        message = (
            f"the request for {request.shown_url} cannot be sent to another process: {request.unstorable() or error}"
        )
        raise ValueError(message) from None


def unpack_requests(
    packed: Requests, known: Container[str] = frozenset(), new: list[str] | None = None
) -> tuple[list[Request], int]:
    """Return the requests of a message, without plain ones that are known, and the number of those.

    The URLs of the other plain ones are added to `new`.
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


def needs_objects(plugins: Sequence[Plugin]) -> bool:
    """Return whether a plugin refines items, or is a sink that may look at `Row.value`: else items are sent as JSON."""
    for plugin in plugins:
        kind = type(plugin)
        if kind.refine is not Plugin.refine:
            return True
        if kind.persist is not Plugin.persist and not kind.__module__.startswith(READ_JSON):
            return True
    return False


def pack_part(number: int, result: PageResult, spider: Spider, request: Request, *, objects: bool) -> Part:
    """Return the items and requests of a callback so far as a message, and forget them."""
    items, result.items = result.items, []
    requests, result.requests = result.requests, []
    if not objects:
        rows = [encoded(item.value, (spider, result.handler), request, is_callback=True) for item in items]
        return Part(number, [(row.data, row.type) for row in rows], b"", pack_requests(requests))
    try:
        values = pack([item.value for item in items]) if items else b""
    except Exception as error:
        message = f"an item cannot be sent to another process: {type(error).__name__}: {error}"
        raise HookError(message, plugin=spider.name, hook=result.handler, request=request, is_callback=True) from error
    return Part(number, [], values, pack_requests(requests))


def unpack_items(part: Part, result: PageResult) -> None:
    """Add the items of a message to a result."""
    result.encoded += [ItemRow(data, None, kind) for data, kind in part.items]
    if part.values:
        result.items += [ItemRow(b"", value) for value in unpack(part.values)]
