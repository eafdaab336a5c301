"""Endpoints that speak JSON, made of plain functions, and the values of their requests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from crawler import CrawlerError

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["BodyTooLarge", "Problem", "acting", "body_of", "encoded", "json_response", "number", "reading", "text_of"]

MAX_LISTED: Final = 2_000
"""Largest number that a query may ask for."""
MAX_BODY: Final = 65_536
"""Bytes of the body of a request."""


class Problem(Exception):
    """A request that cannot be done; its text is the response."""


class BodyTooLarge(Exception):
    """The body of a request is too large; its text is the response."""


Endpoint = Callable[["Request"], Awaitable[Response]]


def reading(function: Callable[[dict[str, str]], Any]) -> Endpoint:
    """Return an endpoint that answers with the JSON of what a function returns."""

    async def endpoint(request: Request) -> Response:  # noqa: ASYNC124 - a plain function would run in a thread
        return answer(function, dict(request.query_params))

    return endpoint


def acting(function: Callable[[dict[str, Any]], Any]) -> Endpoint:
    """Return an endpoint that passes the JSON object in the body to a function."""

    async def endpoint(request: Request) -> Response:
        try:
            values = msgspec.json.decode(await body_of(request) or b"{}", type=dict[str, Any])
        except BodyTooLarge as error:
            return json_response({"error": str(error)}, 413)
        except msgspec.DecodeError as error:
            return json_response({"error": f"the body is not a JSON object: {error}"}, 400)
        return answer(function, values)

    return endpoint


async def body_of(request: Request) -> bytes:
    """Return the body of a request."""
    if int(request.headers.get("content-length", "0")) > MAX_BODY:
        raise BodyTooLarge("the body is too large")
    body = b""
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_BODY:
                raise BodyTooLarge("the body is too large")
    return body


def answer(function: Callable[[Any], Any], values: Any) -> Response:
    """Return what a function returns for some values, as JSON; or why it cannot be done, with status 400."""
    try:
        return json_response(function(values))
    except (Problem, CrawlerError, ValueError, TypeError) as error:
        return json_response({"error": str(error)}, 400)


def json_response(value: Any, status: int = 200) -> Response:
    """Return a response with a value as JSON."""
    return Response(encoded(value), status, media_type="application/json")


def encoded(value: Any) -> bytes:
    """Return a value as JSON."""
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:  # a text with a surrogate, which UTF-8 does not have, such as the name of a file
        return json.dumps(msgspec.to_builtins(value, enc_hook=str, str_keys=True)).encode()


def number(query: dict[str, str], name: str, default: int) -> int:
    """Return a number of a query."""
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) > MAX_LISTED:
        raise Problem(f"{name} must be a number from 0 to {MAX_LISTED}")
    return int(text)


def text_of(values: dict[str, Any], name: str) -> str:
    """Return a text in the body of a request; empty if it is missing."""
    value = values.get(name) or ""
    if not isinstance(value, str):
        raise Problem(f"{name} must be a text")
    return value
