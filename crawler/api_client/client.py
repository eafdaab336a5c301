"""`client`: an httpx client for APIs with quotas, without a crawl. See `crawler.api_client.transport`."""

from __future__ import annotations

import inspect
import math
import os
import random
import ssl
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

import httpx
import trio
from msgspec.structs import replace

from crawler.api_client.mapping import BackgroundTasks, MappedResponses, Source
from crawler.api_client.policy import DAY, Deadlines
from crawler.api_client.state_file import StateFile
from crawler.api_client.transport import INSTEAD, GovernedTransport, is_transport
from crawler.async_block import async_block
from crawler.errors import ConfigError
from crawler.event_loop import require_trio
from crawler.headers import may_cross_origins
from crawler.limits.events import QuotaEvent
from crawler.limits.pace import Pace
from crawler.limits.registry import Limits
from crawler.suggest import did_you_mean
from crawler.transport.authorities import trusted_authorities
from crawler.transport.curl import CurlTransport
from crawler.transport.wire import EXTENSION, wire_options

__all__ = ["Client", "client"]


def _parameters(function: Callable[..., Any], *without: str) -> tuple[str, ...]:
    """Return the names of a method's parameters."""
    return tuple(name for name in inspect.signature(function).parameters if name not in {"self", *without})


CLIENT_OPTIONS: Final = _parameters(httpx.AsyncClient.__init__)
"""Options of `httpx.AsyncClient`."""
REQUEST_OPTIONS: Final = _parameters(httpx.AsyncClient.build_request, "method", "url")
"""Options of `httpx.AsyncClient.build_request`."""
SEND_OPTIONS: Final = ("auth", "follow_redirects")
"""Options of `httpx.AsyncClient.send`."""
HTTPX_FIELDS: Final = frozenset({"authorization", "connection", "host"})
"""Fields of a redirected request that httpx itself sets or removes."""
STREAM_USAGE: Final = 'async with http.stream("GET", url) as response, then async for chunk in response.aiter_bytes()'


class Client(httpx.AsyncClient):
    """An `httpx.AsyncClient` whose requests wait until the limits allow them; `client` makes it."""

    def __init__(
        self,
        governed: GovernedTransport,
        options: dict[str, Any],
        state: str | os.PathLike[str] | None = None,
        cross_origin_headers: Sequence[str] = (),
    ) -> None:
        self._portable = frozenset(map(str.lower, cross_origin_headers))
        self._governed = governed
        self._state_file = None if state is None else StateFile(state, governed.limits)
        self._tasks: BackgroundTasks | None = None
        self._stack = AsyncExitStack()
        super().__init__(**options)

    @property
    def limits(self) -> Limits:
        """The throttles of the client's lanes and budgets, by name."""
        return self._governed.limits

    def usage(self) -> dict[str, dict[str, Any]]:
        """Return the declared and the learned quotas, by lane or budget and by policy, as JSON values."""
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
        """Send many requests, a few at once, and yield the responses in order: ``async for r in http.map(urls)``.

        The bodies are read. The exception of a request is raised at its place. A deadline around the loop applies to
        the waits of its requests. To leave the loop early, open it first: ``async with http.map(urls) as responses``
        cancels the requests in flight when the block ends.

        Parameters:
            requests: URLs or requests of httpx. They are taken when the window has room, so the source may be endless.
            method: The method of requests given as URLs.
            window: Maximum number of requests in flight plus responses not yet taken.
            return_exceptions: Whether to yield the exception of a request instead of raising it.
            options: Options of ``http.request``, for every request.

        Raises:
            ConfigError: An option is invalid.
        """
        if isinstance(requests, (str, bytes, httpx.URL, httpx.Request)):
            raise ConfigError(f"map() takes many URLs, such as a list of them, not {requests!r}")
        if not isinstance(requests, (Iterable, AsyncIterable)):
            raise ConfigError(f"map() takes many URLs, not {requests!r}")
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            raise ConfigError(f"window must be an integer of at least 1, not {window!r}")
        for name in options:
            if name not in REQUEST_OPTIONS + SEND_OPTIONS:
                raise ConfigError(f"map() has no option {name}{did_you_mean(name, REQUEST_OPTIONS + SEND_OPTIONS)}")
        if self._tasks is None:
            raise RuntimeError("map() needs a client that is open: async with client() as http")
        return MappedResponses(
            requests,
            partial(self._send_mapped, method, options),
            window=window,
            return_exceptions=return_exceptions,
            start=self._tasks.nursery.start_soon,
        )

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See `httpx.AsyncClient.send`."""
        if self._tasks is None and self._state_file is not None:
            raise RuntimeError("state= needs a client that is open: async with client(state=...) as http")
        return await super().send(request, **options)

    if not TYPE_CHECKING:  # type checkers see that of httpx
        stream = async_block(STREAM_USAGE)(httpx.AsyncClient.stream)

    async def __aenter__(self) -> Self:
        require_trio("client()", INSTEAD)
        await super().__aenter__()
        async with AsyncExitStack() as stack:
            stack.push_async_exit(super().__aexit__)
            if self._state_file is not None:
                stack.enter_context(self._state_file.opened(self._governed.clock()))
                stack.callback(self._save_at_exit)
            self._tasks = await stack.enter_async_context(BackgroundTasks())
            if self._state_file is not None:
                self._tasks.nursery.start_soon(self._save_periodically, self._state_file)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._tasks = None
        await self._stack.__aexit__(exc_type, exc_value, traceback)  # noqa: ASYNC102 - nothing in it waits

    # ---- inside ------------------------------------------------------------------------------------------------------

    async def _send_mapped(
        self, method: str, options: dict[str, Any], source: Source, deadline: float
    ) -> httpx.Response:
        """Send one request of `map`."""
        if isinstance(source, httpx.Request):
            request = source
        else:
            building = {name: value for name, value in options.items() if name in REQUEST_OPTIONS}
            request = self.build_request(method, source, **building)
        if deadline < math.inf:
            timed = replace(wire_options(request), deadline=deadline)
            request.extensions = {**request.extensions, EXTENSION: timed}
        return await self.send(request, **{name: options[name] for name in SEND_OPTIONS if name in options})

    def _build_redirect_request(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        """Return the request that follows a redirect, without what must not go to another origin."""
        following = super()._build_redirect_request(request, response)
        if _crosses_origins(request.url, following.url):
            for name in list(following.headers):
                if name not in HTTPX_FIELDS and not may_cross_origins(name, self._portable):
                    del following.headers[name]
            cookies = httpx.Cookies()
            for cookie in self.cookies.jar:
                if cookie.domain or "cookie" in self._portable:  # one without a domain would go everywhere
                    cookies.jar.set_cookie(cookie)
            cookies.set_cookie_header(following)
        return following

    async def _save_periodically(self, state: StateFile) -> None:
        while True:
            await trio.sleep(60.0)  # seconds between two writes of the state file
            await trio.to_thread.run_sync(state.save, state.encode(clean=False))

    def _save_at_exit(self) -> None:
        assert self._state_file is not None
        clean = not any(throttle.inflight for throttle in self.limits.throttles.values())
        self._state_file.save(self._state_file.encode(clean=clean))

    def _init_transport(self, *_: Any, **__: Any) -> httpx.AsyncBaseTransport:
        return self._governed

    def _init_proxy_transport(self, proxy: httpx.Proxy, *args: Any, **options: Any) -> httpx.AsyncBaseTransport:
        """Return the transport for a proxy of the user or the environment: libcurl, unless the proxy has fields or TLS.

        httpx calls it for the option ``proxy`` and for the environment variables.
        """
        curl = self._governed.inner
        if not isinstance(curl, CurlTransport) or proxy.headers or proxy.ssl_context is not None:
            return self._governed.beside(super()._init_proxy_transport(proxy, *args, **options))
        url = proxy.url
        if proxy.auth is not None:
            url = url.copy_with(username=proxy.auth[0], password=proxy.auth[1])
        return self._governed.beside(curl, extensions={"proxy": url})


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
    outage_patience: float | None = 0.0,
    on_deadline: Deadlines = "fail",
    on_event: Callable[[QuotaEvent], object] | None = None,
    chance: random.Random | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    mounts: Mapping[str, httpx.AsyncBaseTransport | None] | None = None,
    cross_origin_headers: Sequence[str] = (),
    **options: Any,
) -> Client:
    """Return an httpx client that keeps to the limits of servers and to those that you set.

    ``async with client(rate="60/min") as http``: it is an `httpx.AsyncClient` in everything, and its requests raise
    httpx's exceptions. They only wait until the limits allow them, and are sent again where that makes sense; see
    `GovernedTransport`. libcurl sends the requests, unless `transport` is given. With ``cert``, or with an
    `ssl.SSLContext` as ``verify``, httpx's own transport does.

    Parameters:
        rate: Requests per time on each lane, such as ``"60/min"``; of several rates all are kept.
        concurrency: Maximum number of requests in flight on one lane; `None` means 8. A lane starts with one
            request at a time, whatever the number, and the best one up to it is learned: at a server that states no
            limit, the first refusal then meets few requests. ``Pace(slow_start="first")`` starts as a crawl does.
        delay: Seconds between the starts of two requests on one lane.
        pacing: `Pace` by glob of lanes, hosts or budgets; the first match counts.
        limits: Throttles to share with other clients and crawls; `None` makes new ones. An `httpx.Limits` is passed to
            httpx.
        state: A JSON file that keeps what is known of limits from one client to the next; created if it does not exist.
        attempts: Attempts for one request, including the first.
        longest: Seconds; if a server demands a longer wait, the request is not retried.
        patience: Seconds that one request may wait for the limits in all; `None` means no limit.
        outage_patience: Seconds for which a request waits, without using up attempts, if its host has answered before
            and cannot be reached; `None`: no limit; 0: each failed connection is an attempt.
        on_deadline: How a wait behaves that would pass the deadline of its cancel scopes: ``"fail"`` at once, or
            ``"wait"`` until the deadline.
        on_event: Called with each `QuotaEvent`; an exception of it is raised by the request.
        chance: The source of jitter.
        transport: The transport that sends the requests; any of httpx.
        mounts: Transports by URL pattern, as in httpx; they are governed too, and so are proxies.
        cross_origin_headers: Names of headers that a redirect may carry to another origin, in addition to those that
            describe the body or say what is accepted.
        options: Other options of `httpx.AsyncClient`: ``base_url``, ``headers``, ``auth``, ``timeout``, …

    Raises:
        ConfigError: An option is invalid.
    """
    known = (*CLIENT_OPTIONS, *inspect.signature(client).parameters)
    for name in options:
        if name not in CLIENT_OPTIONS:
            raise ConfigError(f"client() has no option {name}{did_you_mean(name, known)}")
    if isinstance(limits, httpx.Limits):
        options["limits"], limits = limits, None
    if isinstance(cross_origin_headers, str) or not all(isinstance(name, str) for name in cross_origin_headers):
        raise ConfigError("cross_origin_headers must be a list of names of headers")
    if transport is not None and not is_transport(transport):
        raise ConfigError(f"transport must be an httpx.AsyncBaseTransport, not {transport!r}")
    try:
        inner = _default_transport(options) if transport is None else transport
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
            outage_patience=outage_patience,
            on_deadline=on_deadline,
            on_event=on_event,
            chance=chance,
        )
        options["mounts"] = {
            pattern: mounted if mounted is None else governed.beside(mounted)
            for pattern, mounted in (mounts or {}).items()
        }
        return Client(governed, options | {"transport": transport}, state, cross_origin_headers)
    except ConfigError as error:
        raise ConfigError(f"client(): {error}") from error.__cause__
    except Exception as error:
        raise ConfigError(f"client(): {str(error).partition(chr(10))[0]}") from error


def _crosses_origins(url: httpx.URL, target: httpx.URL) -> bool:
    """Return whether a redirect leads to another origin. As for httpx, that from HTTP to HTTPS on a host does not."""
    ports = {"http": 80, "https": 443}
    one, other = ((each.scheme, each.host, each.port or ports.get(each.scheme)) for each in (url, target))
    return one != other and (one, other) != (("http", url.host, 80), ("https", url.host, 443))


def _default_transport(options: dict[str, Any]) -> httpx.AsyncBaseTransport:
    """Return the transport for these options, and remove those that it replaces."""
    verify, cert, trust_env = options.get("verify", True), options.get("cert"), options.get("trust_env", True)
    if isinstance(verify, (bool, str, os.PathLike)):
        verify = trusted_authorities(verify, os.environ if trust_env else {}, option="verify")
    if cert is not None or isinstance(verify, ssl.SSLContext):
        own = ("cert", "trust_env", "http1", "http2", "limits")
        context = _context_for(verify) if isinstance(verify, str) else verify
        return httpx.AsyncHTTPTransport(verify=context, **{name: options[name] for name in own if name in options})
    for name in ("http1", "http2"):  # libcurl negotiates the version
        options.pop(name, None)
    max_connections = options["limits"].max_keepalive_connections if "limits" in options else None
    return CurlTransport(tls_verify=verify, max_connections=max_connections or 0)


def _context_for(path: str) -> ssl.SSLContext:
    """Return an SSL context that trusts the authorities of a file or folder."""
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)
