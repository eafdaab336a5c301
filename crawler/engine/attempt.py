"""`Attempts`: one whole attempt, from the `answer` hooks to the `measure` hooks.

Every request goes this way: those of pages, of robots.txt files and of inline fetches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import trio
from msgspec import Struct

from crawler.engine.handler_results import describe_wrong
from crawler.engine.outages import GATEWAY_ERRORS
from crawler.errors import BrokenExchange, CrawlFailed, FetchTimeout, HookError, RequestError
from crawler.hooks.table import Hook, HookTable
from crawler.logs import get_logger
from crawler.messages import Drop, Pause, Request, Response, Retry, Stop, Usage

if TYPE_CHECKING:
    from crawler.clock import Clock
    from crawler.engine.long_calls import LongCalls
    from crawler.engine.outages import OutageMonitor
    from crawler.engine.quota_events import QuotaEvents
    from crawler.engine.shutdown import Shutdown
    from crawler.engine.slots import Slots
    from crawler.engine.slow_steps import SlowSteps
    from crawler.fetch.body_receiver import BodyReceiver
    from crawler.fetch.downloader import Downloader
    from crawler.frontier import Frontier, InlineTicket, StartTicket
    from crawler.limits.events import QuotaEvent
    from crawler.stats import Stats

__all__ = ["Attempts", "Result", "current_observer"]

UNRELATED_KINDS: Final = frozenset({"bad_coding", "endless", "stale"})
"""Kinds of broken exchanges that do not mean that the server is overloaded."""
log = get_logger("crawler.engine")

current_observer: ContextVar[_SendObserver | None] = ContextVar("current_observer", default=None)
"""Observes the attempt whose `fetch` hooks run in this task."""
Result: TypeAlias = Response | Retry | Drop | Request
Network: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class Attempts:
    """Makes attempts, and settles what each of them took of the limits.

    Parameters:
        downloader: Sends requests.
        table: The hooks.
        frontier: Takes tokens and starts back.
        slots: Waits for lanes in place.
        stats: Counts the attempts.
        shutdown: Stops the crawl if a `measure` hook wants that.
        clock: Returns the time in seconds since the epoch.
        outages: Finds out whether hosts and the network can be reached.
        long: Names hooks that do not return.
        slow: Names hooks that block the event loop.
    """

    def __init__(
        self,
        downloader: Downloader,
        table: HookTable,
        frontier: Frontier,
        slots: Slots,
        stats: Stats,
        shutdown: Shutdown,
        clock: Clock,
        outages: OutageMonitor,
        long: LongCalls,
        slow: SlowSteps,
    ) -> None:
        self._downloader = downloader
        self._table = table
        self._wrapping = tuple(hook for hook in table.fetch if hook.plugin.wraps_answers)
        self._frontier = frontier
        self._slots = slots
        self._stats = stats
        self._shutdown = shutdown
        self._clock = clock
        self._outages = outages
        self._long = long
        self._slow = slow
        self._quota_events: QuotaEvents | None = None

    async def make(
        self,
        ticket: StartTicket,
        number: int,
        *,
        cut: int | None = None,
        ask_answer: bool = True,
        receiver: BodyReceiver | None = None,
    ) -> Result:
        """Make one attempt: call the hooks, send the request, release the token, settle the permit, count and measure.

        The token is released as soon as the body has ended, so that a slow callback does not slow its host.

        Parameters:
            ticket: The request, and the start that it took.
            number: Number of the attempt, from 1.
            cut: Number of bytes after which the body is cut. `None` means that a body larger than `max_body` fails.
            ask_answer: Whether the `answer` hooks are called first.
            receiver: Takes the body. `None` means that it is kept in memory.

        Raises:
            RequestError: There was no response.
        """
        request = ticket.request
        response: Response | None = None
        failure: RequestError | None = None
        observer = _SendObserver(ticket, self._clock, self._slots, self._settle, self._learn, self._count)
        token = current_observer.set(observer) if self._table.fetch else None
        try:
            result: Result | None = await self.answer(request) if ask_answer and self._table.answer else None
            if result is None:
                result = await self._send(ticket, number, cut, observer, receiver)
            if isinstance(result, Response):
                response = result
                log.debug("%s %s %s", response.status, request.method, request.url)
            else:  # a hook dropped, retries or replaces what the network said; the limits learn from that all the same
                response, failure = observer.response, observer.failure
            return result
        except RequestError as error:
            failure = error
            error.request = request
            log.debug("%s %s: %s: %s", request.method, request.url, error.reason, error)
            raise
        finally:
            if token is not None:
                current_observer.reset(token)
            if response is not None and not ticket.is_sent:  # a plugin answered
                self._downloader.note_start_page(request)
            self._frontier.release(ticket)
            if response is not None or failure is not None:
                self._settle(ticket, request, response, failure, observer.events)

    async def make_inline(
        self,
        ticket: InlineTicket,
        number: int,
        *,
        patience: float = math.inf,
        cut: int | None = None,
        receiver: BodyReceiver | None = None,
    ) -> Result:
        """Make an attempt in place, which waits here for a token and a start of its lane, and settle its ticket.

        Parameters:
            ticket: The request.
            number: Number of the attempt, from 1.
            patience: Longest wait for the lane, in seconds.
            cut: As in `make`.
            receiver: As in `make`.

        Raises:
            WouldExceedDeadline: The wait would outlast `patience` or the caller's cancel scopes.
            RequestError: There was no response.
        """
        give_up_at = trio.current_time() + patience
        lane, request = ticket.lane, ticket.request
        self._slots.check(self._slots.wait(lane, request), patience, lane, request)
        lane.handed_out += 1
        try:
            await self._slots.acquire(ticket, give_up_at)
            await self._slots.start(ticket, give_up_at)
            return await self.make(ticket, number, cut=cut, ask_answer=False, receiver=receiver)
        finally:
            self._frontier.settle(ticket)

    # ---- hooks and network -------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response | None:
        """Return the response of the first `answer` hook that has one; `None` if no hook has."""
        for hook in self._table.answer:
            if request.plugins.get(hook.plugin.name) is False:
                continue
            with self._long.call(hook.plugin.name, "answer", request.url):
                found = await self._guard(hook, "answer", request, request)
            if found is not None and not isinstance(found, Response):
                raise _hook_error(hook, "answer", request, describe_wrong(found, "a Response"))
            if found is not None:
                response: Response = found if found.request is request else found.replace(request=request)
                if response.source == "network":
                    response.source = hook.plugin.name
                return await self._wrap(response) if self._wrapping else response
        return None

    async def _wrap(self, answer: Response) -> Response:
        """Pass the response of an `answer` hook through the `fetch` hooks that wrap those."""

        async def network(_: Request) -> Response:  # noqa: ASYNC124 - as that of an exchange
            return answer

        result = await self._through(self._wrapping, 0, answer.request, network)
        if not isinstance(result, Response):
            hook = self._wrapping[0]
            raise _hook_error(
                hook, "fetch", answer.request, describe_wrong(result, "a Response, since it wraps answers")
            )
        return result

    def _send(
        self,
        ticket: StartTicket,
        number: int,
        cut: int | None,
        observer: _SendObserver,
        receiver: BodyReceiver | None,
    ) -> Coroutine[Any, Any, Result]:
        """Send the request through the `fetch` hooks."""
        network: Network = partial(
            self._downloader.fetch,
            attempt=number,
            on_sent=observer,
            resend=not ticket.permit.is_paced(),
            cut=cut,
            receiver=receiver,
            room=self._frontier.bodies.room(ticket),
        )
        if self._frontier.holdings.are_shared:
            network = self._leased(network)
        if self._downloader.credentials is not None:
            network = self._authenticating(network, observer)
        if not self._table.fetch:
            return network(ticket.request)
        return self._through(self._table.fetch, 0, ticket.request, observer.noting(network))

    def _leased(self, exchange: Network) -> Network:
        """Return a `Network` that sends nothing while the lease of this worker is not renewed."""

        async def network(request: Request) -> Response:
            await self._slots.lease()
            return await exchange(request)

        return network

    def _authenticating(self, exchange: Network, observer: _SendObserver) -> Network:
        """Return a `Network` that authenticates, which may take several exchanges."""
        from crawler.fetch.auth import send_authenticated  # noqa: PLC0415 - few crawls need it

        async def network(request: Request) -> Response:
            auth = self._downloader.auth_flow(request)
            if auth is None:
                return await exchange(request)
            return await send_authenticated(auth, request, exchange, observer.next_exchange)

        return network

    async def _through(self, hooks: Sequence[Hook], index: int, request: Request, network: Network) -> Result:
        if index == len(hooks):
            return await self._slow.watch(network(request), self._downloader.fetch, request.url)
        hook = hooks[index]
        if request.plugins.get(hook.plugin.name) is False:
            return await self._through(hooks, index + 1, request, network)
        sent: list[Result] = []
        begun = False
        running = self._long.call(hook.plugin.name, "fetch", request.url)

        async def send(request: Request) -> Result:
            nonlocal begun
            if begun:
                raise RuntimeError("send() may be awaited once")
            begun = True
            if not isinstance(request, Request):
                raise TypeError(f"send() takes a Request, not {type(request).__name__}")
            with running.fetching():
                result = await self._through(hooks, index + 1, request, network)
            sent.append(result)
            return result

        with running:
            result: Result | None = await self._guard(hook, "fetch", request, request, send)
        if result is not None and not isinstance(result, Result):
            raise _hook_error(hook, "fetch", request, describe_wrong(result, "a Response, Request, Retry or Drop"))
        if isinstance(result, Response) and not begun and result.request is not request:
            result = result.replace(request=request)  # made by the hook: it belongs to this request
        if result is not None:
            return result
        return sent[0] if sent else await self._through(hooks, index + 1, request, network)

    async def _guard(self, hook: Hook, name: str, request: Request, *args: Any) -> Any:
        """Await a hook; an error other than `RequestError` becomes a `HookError`."""
        try:
            return await self._slow.watch(hook.call(*args), hook.call, request.url)
        except RequestError:
            raise
        except Exception as error:
            raise _hook_error(hook, name, request, f"{type(error).__name__}: {error}") from error

    # ---- settlement --------------------------------------------------------------------------------------------------

    def _count(self, ticket: StartTicket) -> None:
        """Count a request that goes out."""
        self._stats.requests += 1
        self._stats.lane(ticket.lane.name).requests += 1

    def _learn(self, ticket: StartTicket, response: Response) -> list[QuotaEvent]:
        """Let the limits learn from a response of the network, and return what they have noticed."""
        events = self._frontier.answered(
            ticket,
            self._clock(),
            status=response.status,
            headers=response.headers.pairs,
            body=response.body,
            first_byte=response.first_byte,
        )
        if events:
            self._note(events)
        self._stats.lane(ticket.lane.name).refusals += ticket.was_rate_limited
        return events

    def _note(self, events: list[QuotaEvent]) -> None:
        """Note what the limits have noticed."""
        if self._quota_events is None:
            from crawler.engine.quota_events import QuotaEvents  # noqa: PLC0415 - most servers declare nothing

            told = any(hook.plugin.tells_of_quotas for hook in self._table.measure)
            self._quota_events = QuotaEvents(self._stats, is_logged=not told)
        self._quota_events.note(events, self._clock())

    def _settle(
        self,
        ticket: StartTicket,
        request: Request,
        response: Response | None,
        error: RequestError | None,
        events: list[QuotaEvent] = [],  # noqa: B006 - it is not changed
    ) -> None:
        """Settle the permit of an exchange unless that is done, count it, and call the `measure` hooks."""
        lane, frontier, now = ticket.lane, self._frontier, self._clock()
        counts = self._stats.lane(lane.name)
        is_sent = ticket.is_sent
        if error is not None:  # first: it decides when the lane is looked at again
            self._outages.failed(ticket, error, now)
        elif is_sent and response is not None and (frontier.outages.active or response.status in GATEWAY_ERRORS):
            self._outages.received(ticket, response, now)
        if ticket.permit.is_open:
            if response is None:
                frontier.failed(ticket, now, overloaded=error is not None and _is_overload(error))
            elif is_sent:
                events = self._learn(ticket, response)
            else:
                frontier.give_back(ticket)  # a plugin answered
        waited: dict[str, float] = {}
        if lane.waited:
            waited, lane.waited = lane.waited, waited
            for reason, seconds in waited.items():
                counts.waited[reason] = counts.waited.get(reason, 0.0) + seconds
        if self._table.measure:
            usage = Usage(
                event="error" if response is None else "refused" if ticket.was_rate_limited else "answer",
                lane=lane.name,
                request=request,
                response=response,
                error=error,
                quotas=frontier.budgets.policies(lane, request),
                waited=waited,
                requests=counts.requests,
                refusals=counts.refusals,
            )
            self._measure(usage)
            for event in events:
                if event.kind not in ("refused", "concurrency"):
                    self._measure(attrs.evolve(usage, event=event.kind, scope=event.scope, quota=event, waited={}))

    def _measure(self, usage: Usage) -> None:
        """Call the `measure` hooks. The longest pause wins."""
        pause: Pause | None = None
        for hook in self._table.measure:
            began = self._slow.clock()
            try:
                verdict = hook.call(usage)
            except Exception as error:
                raise CrawlFailed(f"{hook.plugin.name}.measure failed: {type(error).__name__}: {error}") from error
            finally:
                self._slow.check(began, hook.call, usage.request.url)
            if verdict is not None and not isinstance(verdict, (Stop, Pause)):
                raise CrawlFailed(f"{hook.plugin.name}.measure {describe_wrong(verdict, 'a Pause or Stop')}")
            if isinstance(verdict, Stop):
                self._shutdown.stop(verdict.reason, by_limit=True)
            elif isinstance(verdict, Pause) and (pause is None or verdict.seconds > pause.seconds):
                pause = verdict
        if pause is not None:
            self._frontier.controls.block(pause.scope or usage.lane, self._clock() + pause.seconds)


class _SendObserver(Struct, eq=False):
    """Observes one attempt on its way to the network and back.

    It counts what goes out, notes what comes back before the `fetch` hooks see it, and settles each exchange that
    authentication repeats.
    """

    ticket: StartTicket
    clock: Clock
    slots: Slots
    settle: Callable[[StartTicket, Request, Response, None], None]
    learn: Callable[[StartTicket, Response], list[QuotaEvent]]
    count: Callable[[StartTicket], None]
    response: Response | None = None
    failure: RequestError | None = None
    events: list[QuotaEvent] = []
    """What the limits have noticed in the response."""

    def noting(self, network: Network) -> Network:
        """Return a `Network` whose response or error is noted.

        The limits learn from the response at once: a `fetch` hook may take its time, and make requests that wait for
        them.
        """

        async def send(request: Request) -> Response:
            try:
                self.response = await network(request)
            except RequestError as error:
                self.failure = error
                raise
            if self.ticket.permit.is_open and self.ticket.is_sent:
                self.events = self.learn(self.ticket, self.response)
            return self.response

        return send

    def __call__(self, at: float) -> None:
        """Note that bytes may have gone out, for the first time or again, at a time of trio's clock."""
        self.ticket.mark_sent(self.clock.from_trio(at))
        self.count(self.ticket)

    async def next_exchange(self, request: Request, response: Response) -> None:
        """Settle the exchange so far, then wait for another start of the lane.

        Parameters:
            request: The request that was sent.
            response: The response to it.

        Raises:
            WouldExceedDeadline: The wait would outlast the caller's cancel scopes.
        """
        self.settle(self.ticket, request, response, None)
        await self.slots.start(self.ticket)


def _is_overload(error: RequestError) -> bool:
    """Return whether an error means that the server is overloaded."""
    return isinstance(error, (FetchTimeout, BrokenExchange)) and error.retryable and error.kind not in UNRELATED_KINDS


def _hook_error(hook: Hook, name: str, request: Request, words: str) -> HookError:
    return HookError(words, plugin=hook.plugin.name, hook=name, request=request)
