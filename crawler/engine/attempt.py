"""One attempt, with the hooks `answer` and `fetch` around it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from crawler.engine.mark import Mark
from crawler.engine.retries import is_transient
from crawler.errors import BadStatus, HookError, RequestError
from crawler.fetch.downloader import Downloader
from crawler.hooks.table import Hook, HookTable
from crawler.limits.headers.retry_after import parse_retry_after
from crawler.messages import Drop, Request, Response, Retry

__all__ = ["Attempts"]

log = logging.getLogger("crawler.engine")

Answer = Response | Retry | Drop
Network = Callable[[Request], Coroutine[Any, Any, Response]]


class Attempts:
    """Makes attempts.

    Parameters:
        downloader: the way to the network.
        table: the hooks.
        clock: gives seconds since the epoch.
    """

    def __init__(self, downloader: Downloader, table: HookTable, clock: Callable[[], float]) -> None:
        self._downloader = downloader
        self._table = table
        self._clock = clock

    async def answer(self, request: Request) -> Response | None:
        """What a plugin answers without the network, if one does."""
        for hook in self._table.answer:
            if request.plugins.get(hook.plugin.name) is False:
                continue
            found = await _guard(hook, request, hook.call(request), Response)
            if found is not None:
                response: Response = found if found.request is request else found.replace(request=request)
                if response.source == "network":
                    response.source = hook.plugin.name
                return response
        return None

    async def send(
        self,
        request: Request,
        attempt: int,
        on_sent: Mark,
        *,
        paced: bool,
        cut: int | None = None,
    ) -> Answer:
        """One attempt through the `fetch` hooks.

        Parameters:
            request: what to ask.
            attempt: its number, from 1.
            on_sent: called when bytes may have gone out, with the time at which they did.
            paced: whether its lane has a pace to keep.
            cut: bytes of the body behind which the rest is not read.

        Raises:
            RequestError: there was no answer.
        """
        network: Network = partial(self._downloader.fetch, attempt=attempt, on_sent=on_sent, resend=not paced, cut=cut)
        if self._downloader.credentials is not None:
            network = self._knowing_who_asks(network, on_sent)
        if not self._table.fetch:
            return await network(request)
        return await self._through(0, request, network)

    def _knowing_who_asks(self, exchange: Network, on_sent: Mark) -> Network:
        """The way to the network, where authentication may take several exchanges."""
        from crawler.fetch.auth import authenticated  # noqa: PLC0415 - few crawls need it

        async def network(request: Request) -> Response:
            auth = self._downloader.auth_flow(request)
            if auth is None:
                return await exchange(request)
            return await authenticated(auth, request, exchange, on_sent.turn)

        return network

    async def _through(self, index: int, request: Request, network: Network) -> Answer:
        if index == len(self._table.fetch):
            return await network(request)
        hook = self._table.fetch[index]
        if request.plugins.get(hook.plugin.name) is False:
            return await self._through(index + 1, request, network)
        sent: list[Answer] = []
        begun = False

        async def send(request: Request) -> Answer:
            nonlocal begun
            if begun:
                raise RuntimeError("send() may be awaited once")
            begun = True
            answer = await self._through(index + 1, request, network)
            sent.append(answer)
            return answer

        answer: Answer | None = await _guard(hook, request, hook.call(request, send), Answer)
        if isinstance(answer, Response) and not begun and answer.request is not request:
            answer = answer.replace(request=request)  # made by hand: it belongs to what was asked
        if answer is not None:
            return answer
        return sent[0] if sent else await self._through(index + 1, request, network)

    def bad_status(self, response: Response) -> BadStatus:
        """The error of a response that no callback gets."""
        status = response.status
        error = BadStatus(
            f"status {status}",
            status=status,
            request=response.request,
            retry_after=parse_retry_after(response.headers.get("retry-after"), now=self._clock()),
        )
        error.retryable = is_transient(status)
        return error


async def _guard(hook: Hook, request: Request, call: Awaitable[Any], kind: Any) -> Any:
    """Awaits a hook; what it raises, but for a `RequestError`, becomes a `HookError`, and so does an odd answer."""
    name = hook.call.__name__
    try:
        answer = await call
    except RequestError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        raise HookError(words, plugin=hook.plugin.name, hook=name, request=request) from error
    if answer is not None and not isinstance(answer, kind):
        raise HookError(f"answered with {type(answer).__name__}", plugin=hook.plugin.name, hook=name, request=request)
    return answer
