"""`client`: httpx, for those who have an API with a quota and no crawl. See `crawler.api_client.transport`."""

from __future__ import annotations

import inspect
import math
import os
import random
import ssl
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, Self, overload

import attrs
import httpx
import trio

from crawler.api_client.mapping import BackgroundTasks, MappedResponses, Source
from crawler.api_client.policy import DAY, Deadlines
from crawler.api_client.state_file import StateFile
from crawler.api_client.transport import GovernedTransport, is_transport
from crawler.errors import ConfigError
from crawler.limits.events import QuotaEvent
from crawler.limits.pace import Pace
from crawler.limits.registry import Limits
from crawler.suggest import did_you_mean
from crawler.transport.curl import CurlTransport
from crawler.transport.extensions import EXTENSION, wire_options

__all__ = ["Client", "client"]


def _names(function: Callable[..., Any], *without: str) -> tuple[str, ...]:
    """The parameters of a method of httpx."""
    return tuple(name for name in inspect.signature(function).parameters if name not in {"self", *without})


OPTIONS: Final = _names(httpx.AsyncClient.__init__)
"""What httpx's client takes."""
BUILDING: Final = _names(httpx.AsyncClient.build_request, "method", "url")
"""What a request of httpx takes."""
SENDING: Final = ("auth", "follow_redirects")
"""What sending it takes."""
SAVED: Final = 60.0
"""Seconds between two times that the state is written."""


class Client(httpx.AsyncClient):
    """What `client` makes: an `httpx.AsyncClient` whose requests wait for their turn."""

    def __init__(
        self, governed: GovernedTransport, options: dict[str, Any], state: str | os.PathLike[str] | None = None
    ) -> None:
        self._governed = governed
        self._state_file = None if state is None else StateFile(state, governed.limits)
        self._tasks: BackgroundTasks | None = None
        self._stack = AsyncExitStack()
        super().__init__(**options)

    @property
    def limits(self) -> Limits:
        """The throttles of its lanes and budgets, by name."""
        return self._governed.limits

    def usage(self) -> dict[str, dict[str, Any]]:
        """By lane and budget: what the server declared and what was learned, by policy, as JSON values."""
        return self._governed.usage()

    @overload
    def map(
        self,
        requests: Iterable[Source] | AsyncIterable[Source],
        *,
        method: str = ...,
        window: int = ...,
        return_exceptions: Literal[False] = ...,
        **options: Any,
    ) -> MappedResponses[httpx.Response]: ...

    @overload
    def map(
        self,
        requests: Iterable[Source] | AsyncIterable[Source],
        *,
        method: str = ...,
        window: int = ...,
        return_exceptions: Literal[True],
        **options: Any,
    ) -> MappedResponses[httpx.Response | Exception]: ...

    def map(
        self,
        requests: Iterable[Source] | AsyncIterable[Source],
        *,
        method: str = "GET",
        window: int = 32,
        return_exceptions: bool = False,
        **options: Any,
    ) -> MappedResponses[Any]:
        """Many requests, a few at a time: ``async for response in http.map(urls)`` gives the answers in order.

        The bodies are read. What one request raises is raised at its place. A deadline around the loop counts for the
        waits of its requests. To be sure that everything has ended when the loop is left early, open it: ``async with
        http.map(urls) as responses``.

        Parameters:
            requests: URLs or requests of httpx; taken when there is room, so they may be endless, or come slowly.
            method: of the requests that are given as URLs.
            window: requests that are under way or answered and not taken yet, at most.
            return_exceptions: whether what a request raises is given like an answer.
            options: what ``http.request`` takes, for each of them.

        Raises:
            ConfigError: an option is wrong.
        """
        if isinstance(requests, (str, bytes, httpx.URL, httpx.Request)):
            raise ConfigError(f"map() takes many URLs, such as a list of them, not {requests!r}")
        if not isinstance(requests, (Iterable, AsyncIterable)):
            raise ConfigError(f"map() takes many URLs, not {requests!r}")
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            raise ConfigError(f"window must be a number, at least 1, not {window!r}")
        for name in options:
            if name not in BUILDING + SENDING:
                raise ConfigError(f"map() has no option {name}{did_you_mean(name, BUILDING + SENDING)}")
        if self._tasks is None:
            raise RuntimeError("map() needs a client that is open: async with client() as http")
        return MappedResponses(
            requests,
            partial(self._ask, method, options),
            window=window,
            return_exceptions=return_exceptions,
            start=self._tasks.nursery.start_soon,
        )

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See `httpx.AsyncClient.send`."""
        if self._tasks is None and self._state_file is not None:
            raise RuntimeError("state= is kept while a client is open: async with client(state=...) as http")
        return await super().send(request, **options)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        async with AsyncExitStack() as stack:
            stack.push_async_exit(super().__aexit__)
            if self._state_file is not None:
                stack.enter_context(self._state_file.opened(self._governed.turnstile.clock()))
                stack.callback(self._save_last)
            self._tasks = await stack.enter_async_context(BackgroundTasks())
            if self._state_file is not None:
                self._tasks.nursery.start_soon(self._save_now_and_then, self._state_file)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._tasks = None
        await self._stack.__aexit__(exc_type, exc_value, traceback)  # noqa: ASYNC102 - what it holds waits for nobody

    # ---- inside ------------------------------------------------------------------------------------------------------

    async def _ask(self, method: str, options: dict[str, Any], asked: Source, deadline: float) -> httpx.Response:
        """One request of `map`."""
        if isinstance(asked, httpx.Request):
            request = asked
        else:
            building = {name: value for name, value in options.items() if name in BUILDING}
            request = self.build_request(method, asked, **building)
        if deadline < math.inf:
            timed = attrs.evolve(wire_options(request), deadline=deadline)
            request.extensions = {**request.extensions, EXTENSION: timed}
        return await self.send(request, **{name: options[name] for name in SENDING if name in options})

    async def _save_now_and_then(self, state: StateFile) -> None:
        while True:
            await trio.sleep(SAVED)
            await trio.to_thread.run_sync(state.save, state.encode(clean=False))

    def _save_last(self) -> None:
        assert self._state_file is not None
        clean = not any(throttle.inflight for throttle in self.limits.throttles.values())
        self._state_file.save(self._state_file.encode(clean=clean))

    def _init_transport(self, *_: Any, **__: Any) -> httpx.AsyncBaseTransport:
        return self._governed

    def _init_proxy_transport(self, proxy: httpx.Proxy, *args: Any, **options: Any) -> httpx.AsyncBaseTransport:
        """A proxy of the user's or the environment's: by libcurl too, if it has no needs of its own."""
        curl = self._governed.inner
        if not isinstance(curl, CurlTransport) or proxy.headers or proxy.ssl_context is not None:
            return self._governed.beside(super()._init_proxy_transport(proxy, *args, **options))
        url = proxy.url
        if proxy.auth is not None:
            url = url.copy_with(username=proxy.auth[0], password=proxy.auth[1])
        return self._governed.beside(curl, added={"proxy": url})


def client(
    *,
    rate: str | Sequence[str] | None = None,
    concurrency: int | None = None,
    delay: float | None = None,
    pacing: Mapping[str, Pace] | None = None,
    limits: Limits | httpx.Limits | None = None,
    state: str | os.PathLike[str] | None = None,
    attempts: int = 3,
    longest: float = DAY,
    patience: float | None = None,
    on_deadline: Deadlines = "fail",
    on_event: Callable[[QuotaEvent], object] | None = None,
    chance: random.Random | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    mounts: Mapping[str, httpx.AsyncBaseTransport | None] | None = None,
    **options: Any,
) -> Client:
    """A client of httpx that keeps within what servers allow, and within what the user asks for.

    ``async with client(rate="60/min") as http``: it is an `httpx.AsyncClient` in everything, and its requests raise
    what httpx raises; they only wait for their turn, and are sent again where that makes sense. See `GovernedTransport`
    for how. Requests are sent by libcurl, unless `transport` is given, or ``cert`` or a ``verify`` that is a context of
    `ssl`, which httpx's own transport takes.

    Parameters:
        rate: requests per time on each lane, such as ``"60/min"``; several at once are all kept.
        concurrency: requests in flight on one lane, at most; `None`: 8. How many do well is learned.
        delay: seconds between two starts on one lane.
        pacing: glob of lanes, hosts or budgets to `Pace`; the first that matches counts.
        limits: throttles to share with other clients and crawls; `None`: new ones. What httpx calls so is taken too.
        state: file in which what is known of quotas outlives the client, in JSON; made if it is missing.
        attempts: attempts for one request, the first included.
        longest: seconds: a longer wait that a server asks for is not waited for.
        patience: seconds that one request may wait for its turns, all together; `None`: any time.
        on_deadline: what a wait does that does not fit into the deadline of its cancel scopes: ``"fail"`` at once, or
            ``"wait"`` for it.
        on_event: is called with each `QuotaEvent`; what it raises, the request raises.
        chance: where jitter comes from.
        transport: what sends; any of httpx.
        mounts: transports by pattern of URLs, as httpx has them; they are governed too, and so are proxies.
        options: whatever else `httpx.AsyncClient` takes: ``base_url``, ``headers``, ``auth``, ``timeout``, …

    Raises:
        ConfigError: an option is wrong.
    """
    known = (*OPTIONS, *inspect.signature(client).parameters)
    for name in options:
        if name not in OPTIONS:
            raise ConfigError(f"client() has no option {name}{did_you_mean(name, known)}")
    if isinstance(limits, httpx.Limits):
        options["limits"], limits = limits, None
    if transport is not None and not is_transport(transport):
        raise ConfigError(f"transport must be one of httpx for async clients, not {transport!r}")
    try:
        inner = _inner(options) if transport is None else transport
        governed = GovernedTransport(
            inner,
            rate=rate,
            concurrency=concurrency,
            delay=delay,
            pacing=pacing,
            limits=limits,
            attempts=attempts,
            longest=longest,
            patience=patience,
            on_deadline=on_deadline,
            on_event=on_event,
            chance=chance,
        )
        options["mounts"] = {
            pattern: mounted if mounted is None else governed.beside(mounted)
            for pattern, mounted in (mounts or {}).items()
        }
        return Client(governed, options | {"transport": transport}, state)
    except ConfigError as error:
        raise ConfigError(f"client(): {error}") from error.__cause__
    except Exception as error:
        raise ConfigError(f"client(): {str(error).partition(chr(10))[0]}") from error


def _inner(options: dict[str, Any]) -> httpx.AsyncBaseTransport:
    """What sends; takes from the options what is of no use then."""
    verify, cert, trust_env = options.get("verify", True), options.get("cert"), options.get("trust_env", True)
    if cert is not None or isinstance(verify, ssl.SSLContext):
        own = ("verify", "cert", "trust_env", "http1", "http2", "limits")
        return httpx.AsyncHTTPTransport(**{name: options[name] for name in own if name in options})
    for name in ("http1", "http2"):  # libcurl speaks what the server speaks
        options.pop(name, None)
    if verify is True and trust_env:
        verify = os.environ.get("SSL_CERT_FILE") or True
    kept = options["limits"].max_keepalive_connections if "limits" in options else None
    return CurlTransport(tls_verify=verify, max_connections=kept or 0)
