"""One attempt, with the hooks `answer` and `fetch` around it; and how often and when it is tried again."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from crawler.errors import BadStatus, HookError, RequestError
from crawler.fetch.downloader import Downloader
from crawler.frontier import Ticket
from crawler.hooks.table import Hook, HookTable
from crawler.limits.backoff import full_jitter
from crawler.limits.retry_after import parse_retry_after
from crawler.messages import Drop, Request, Response, Retry
from crawler.settings import Settings

__all__ = ["Attempts", "RetryPolicy", "is_transient"]

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""RFC 9110 section 9.2.2."""
TRANSIENT: Final = frozenset({408, 425, 429})
UNAVAILABLE: Final = 503
MOST_REFUSALS: Final = 20
"""How often one request may be refused before that counts as attempts."""
MOST_SILENT: Final = 5
"""How often it may be answered with 503 and not a word on when to come again: that page may just be broken."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds: who has to be waited for longer is given up."""
log = logging.getLogger("crawler.engine")

Answer = Response | Retry | Drop


def is_transient(status: int) -> bool:
    """Whether a status says nothing about the resource: try again (408, 425, 429 and 5xx)."""
    return status in TRANSIENT or status >= 500


class RetryPolicy:
    """When a request is tried again.

    Parameters:
        settings: attempts and backoff.
        chance: where jitter comes from.
    """

    def __init__(self, settings: Settings, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance

    def is_free(self, ticket: Ticket, error: BadStatus, now: float) -> bool:
        """Whether a refused request goes back without having used up an attempt: its lane or budget waits for it.

        Parameters:
            ticket: what was refused.
            error: how.
            now: seconds since the epoch.
        """
        request = ticket.request
        if request.method not in IDEMPOTENT and error.status == UNAVAILABLE:
            return False
        most = MOST_REFUSALS
        if error.status == UNAVAILABLE and error.retry_after is None:
            most = MOST_SILENT if request.attempts is None else 0
        stalled = ticket.lane.throttle.is_stalled(now)
        return ticket.pending.refusals < most and not stalled and (error.retry_after or 0.0) <= LONGEST_WAIT

    def wait(self, request: Request, attempts: int, error: RequestError | Retry) -> float | None:
        """Seconds until the next attempt; `None`: there is none.

        Parameters:
            request: what was asked.
            attempts: attempts made so far.
            error: why the last one was no answer.
        """
        if attempts >= (request.attempts or self._settings.attempts):
            return None
        if isinstance(error, Retry):
            stated = error.after
        elif error.retryable and (request.method in IDEMPOTENT or isinstance(error, BadStatus)):
            stated = error.retry_after
        else:
            return None
        backoff = full_jitter(
            attempts, base=self._settings.backoff_base, cap=self._settings.backoff_max, random=self._chance
        )
        if stated is None:
            return backoff
        return stated if stated <= LONGEST_WAIT else None


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

    async def send(self, request: Request, attempt: int, on_sent: Callable[[float], None], *, paced: bool) -> Answer:
        """One attempt through the `fetch` hooks.

        Parameters:
            request: what to ask.
            attempt: its number, from 1.
            on_sent: called once when bytes may have gone out, with the time at which they did.
            paced: whether its lane has a pace to keep.

        Raises:
            RequestError: there was no answer.
        """

        async def network(request: Request) -> Response:
            return await self._downloader.fetch(request, attempt=attempt, on_sent=on_sent, resend=not paced)

        if not self._table.fetch:
            return await network(request)
        return await self._through(0, request, network)

    async def _through(self, index: int, request: Request, network: Callable[[Request], Awaitable[Response]]) -> Answer:
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
