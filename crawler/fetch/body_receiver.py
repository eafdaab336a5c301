"""`BodyReceiver`: passes the body of a response to a writer of the caller as it arrives, instead of keeping it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from crawler.errors import HookError, RequestError
from crawler.messages import BodyWriter, Drop, Receive, Request, Response

__all__ = ["BodyReceiver"]

T = TypeVar("T")


class BodyReceiver:
    """The bodies of one request: of its attempts, of its redirects, and of plugins that answer it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_opened = False
        self._keeps_body = False

    def reset(self) -> None:
        """Forget the last response: another attempt begins."""
        self._has_opened = False

    async def open(self, response: Response) -> BodyWriter | Drop | None:
        """Return the destination of the body of a response: it is written, not read, or kept (`None`)."""
        choice = await _guard(self._receive(response), response.request)
        if choice is not None and not isinstance(choice, (Drop, BodyWriter)):
            message = f"receive() returned {type(choice).__name__}, not a writer, a Drop or None"
            raise HookError(message, plugin="fetch", hook="receive", request=response.request)
        self._has_opened = True
        self._keeps_body = choice is None
        return choice

    async def write(self, writer: BodyWriter, data: bytes, request: Request) -> bool:
        """Write the next bytes of a body, and return whether further ones are wanted."""
        return not isinstance(await _guard(writer.write(data), request), Drop)

    async def finish(self, response: Response) -> None:
        """Receive the body of a response that a plugin made or replaced. Other responses are left as they are."""
        if self._has_opened and (self._keeps_body or not response.body):
            return
        body, response.body = response.body, b""
        writer = await self.open(response)
        if writer is None:
            response.body = body
        elif not isinstance(writer, Drop) and body:
            await self.write(writer, body, response.request)


async def _guard(call: Awaitable[T], request: Request) -> T:
    """Await a call of the caller's code; an exception other than `RequestError` becomes a `HookError`."""
    try:
        return await call
    except RequestError:
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        raise HookError(message, plugin="fetch", hook="receive", request=request) from error
