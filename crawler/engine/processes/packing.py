"""Responses, requests and wishes for another attempt as parts of messages, and back."""

from __future__ import annotations

from collections.abc import Container, Sequence

from crawler.engine.processes.shared_bodies import BodyWriter
from crawler.engine.processes.wire import News, Page, Requests
from crawler.headers import Headers
from crawler.messages import Request, Response, Retry
from crawler.messages.request import has_options, plain_get

__all__ = [
    "pack_request", "pack_requests", "pack_response", "pack_retry", "unpack_requests",
    "unpack_response",
]  # fmt: skip


def pack_response(
    number: int,
    response: Response,
    news: Sequence[News] = (),
    bodies: BodyWriter | None = None,
) -> Page:
    """Return a response as a message.

    Parameters:
        number: That of the `Page`.
        response: The response.
        news: That of the `Page`.
        bodies: Gets the body if it has room. `None`: the message has the body.
    """
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
        response.source,
        None if response.stages is None else dict(response.stages),
        response._exchange is not None,  # noqa: SLF001 - not for users
        news,
        None if response.original is None else pack_response(number, response.original),
        response.screenshot,
        response.pdf,
    )


def unpack_response(page: Page, kind: type[Response] = Response, body: bytes | None = None) -> Response:
    """Return the response of a message.

    Parameters:
        page: The message.
        kind: The class of the response.
        body: The body, if it was in shared memory.
    """
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
    """Return a request as JSON.

    Raises:
        ValueError: One of its mappings was given a value that JSON does not have.
    """
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
