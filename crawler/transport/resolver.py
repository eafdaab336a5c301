"""`Resolver`: host names to addresses, with few lookups at a time, one per name, and a cache.

libcurl never resolves names: its resolver threads cannot be abandoned, so hanging lookups would delay healthy ones and
the end of the process.
"""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, Protocol

import trio
from msgspec import Struct

from crawler.transport.error_kinds import is_unknown_host

__all__ = ["AddressResolver", "Resolver", "ResolverStatistics", "parse_address"]


class AddressResolver(Protocol):
    """The interface of resolvers: a `Resolver`, or one of your own."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of a host name, or a literal address itself."""
        ...


class ResolverStatistics(Struct, frozen=True, kw_only=True):
    """Statistics of a resolver."""

    cached: int
    """Names in the cache, including expired ones."""
    pending: int
    """Lookups that tasks wait for."""
    threads: int
    """Threads inside a lookup, including those that no task waits for."""


class _Cached(NamedTuple):
    """The result of an earlier lookup. Times are those of trio's clock."""

    expiry: float
    usable_until: float
    addresses: tuple[str, ...]
    error: Exception | None = None


UNKNOWN: Final = _Cached(-math.inf, -math.inf, ())


class _Lookup(Struct, eq=False):
    """A lookup that is running or waits for a thread, shared by all tasks that ask for the name."""

    done: trio.Event
    since: float
    deadline: float
    callers: int = 0
    addresses: tuple[str, ...] = ()
    error: Exception | None = None


class Resolver:
    """Resolves host names with the system's resolver, in threads of trio's cache.

    Tasks that ask for the same name share one lookup. When the last of them is cancelled, the lookup is abandoned; its
    thread cannot be stopped and counts among the `lookups` until the system gives up. A lookup has no task of its own,
    and takes its thread from trio's cache directly: crawls of many hosts make one for each.

    If a lookup fails, addresses that have expired are used for another 30 seconds (RFC 8767), unless the name no
    longer exists. Without any, a lookup that failed slowly is not repeated for as long as it took, up to 5 seconds
    (RFC 9520).
    """

    def __init__(
        self,
        *,
        lookups: int = 64,
        ttl: float = 60.0,
        entries: int = 32_768,
        timeout: float = math.inf,
        getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo,
    ) -> None:
        self._lookups = lookups
        self._ttl = ttl
        self._entries = entries
        self._timeout = timeout
        self._getaddrinfo = getaddrinfo
        self._reset(None)

    def _reset(self, run: trio.lowlevel.TrioToken | None) -> None:
        """Forget everything: clock, tasks and threads belong to one run of trio."""
        self._run = run
        self._threads = 0  # inside a lookup
        self._cached: dict[str, _Cached] = {}
        self._pending: dict[str, _Lookup] = {}
        self._waiting: dict[str, _Lookup] = {}  # for a thread

    def statistics(self) -> ResolverStatistics:
        """Return what the resolver is doing."""
        return ResolverStatistics(cached=len(self._cached), pending=len(self._pending), threads=self._threads)

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of a host in the order in which to try them; no checkpoint if they are cached."""
        return self.known(host) or await self._shared_lookup(host)

    def known(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host that takes no lookup: a literal address, or a cached name; else nothing."""
        run = trio.lowlevel.current_trio_token()
        if run is not self._run:
            self._reset(run)
        cached = self._cached.get(host)
        if cached is None or trio.current_time() >= cached.expiry:
            address = parse_address(host)
            return (address,) if address else ()
        if cached.error is not None:
            raise _copy_error(cached.error, host)
        return cached.addresses

    async def _shared_lookup(self, host: str) -> tuple[str, ...]:
        """Return the result of the running lookup of `host`, or of a new one."""
        lookup = self._pending.get(host)
        if lookup is None:
            now = trio.current_time()
            lookup = self._pending[host] = _Lookup(trio.Event(), now, now + self._timeout)
            if self._threads < self._lookups:
                self._start(host, lookup)
            else:
                self._waiting[host] = lookup
        lookup.callers += 1
        try:
            with trio.CancelScope(deadline=lookup.deadline):
                await lookup.done.wait()
            if not lookup.done.is_set():
                self._end(host, lookup, TimeoutError(f"the lookup of {host} took longer than {self._timeout:g} s"))
        finally:
            lookup.callers -= 1
            if not lookup.callers:
                self._forget(host, lookup)
        if lookup.error is not None:
            raise _copy_error(lookup.error, host)
        return lookup.addresses

    # ---- threads -----------------------------------------------------------------------------------------------------

    def _start(self, host: str, lookup: _Lookup) -> None:
        """Look up a name in a thread."""
        self._threads += 1
        run = trio.lowlevel.current_trio_token()

        def deliver(result: Any) -> None:  # still in the thread; an `outcome.Outcome`
            with contextlib.suppress(trio.RunFinishedError):
                run.run_sync_soon(self._returned, host, lookup, result.unwrap())

        try:
            trio.lowlevel.start_thread_soon(partial(self._ask_system, host), deliver)
        except RuntimeError as error:  # the system has no thread left
            self._threads -= 1
            self._end(host, lookup, error)

    def _ask_system(self, host: str) -> tuple[str, ...] | Exception:
        try:
            name = host.encode("ascii")  # Python would send a str through its IDNA codec, which rejects long labels
            found = self._getaddrinfo(name, None, socket.AF_UNSPEC, socket.SOCK_STREAM)
            return tuple(dict.fromkeys(sockaddr[0] for *_, sockaddr in found))
        except Exception as error:
            return error

    def _returned(self, host: str, lookup: _Lookup, result: tuple[str, ...] | Exception) -> None:
        """Take the result of a thread, and give the thread to the next lookup. Called by trio, so it must not raise."""
        self._threads -= 1
        while self._waiting and self._threads < self._lookups:
            following = next(iter(self._waiting))
            self._start(following, self._waiting.pop(following))
        if self._pending.get(host) is lookup:  # else it is no longer awaited
            self._end(host, lookup, result)

    def _end(self, host: str, lookup: _Lookup, result: tuple[str, ...] | Exception) -> None:
        """End a lookup, and wake the tasks that wait for it."""
        if isinstance(result, Exception):
            lookup.error = result
        else:
            lookup.addresses = result
        self._note(host, lookup)
        self._forget(host, lookup)
        lookup.done.set()

    def _forget(self, host: str, lookup: _Lookup) -> None:
        """Let no further task share a lookup."""
        if self._pending.get(host) is lookup:
            del self._pending[host]
            self._waiting.pop(host, None)

    # ---- the cache ---------------------------------------------------------------------------------------------------

    def _note(self, host: str, lookup: _Lookup) -> None:
        """Cache the result of a lookup; after one that failed, use the addresses of an earlier one."""
        now, error = trio.current_time(), lookup.error
        old = self._cached.get(host, UNKNOWN)
        if error is None:
            # Seconds since their lookup after which addresses are no longer used (RFC 8767 section 5).
            self._cache(host, _Cached(now + self._ttl, now + 86_400.0, lookup.addresses))
        elif is_unknown_host(error):
            # Seconds for which it is cached that a name does not exist: the requests of one burst share one answer.
            self._cache(host, _Cached(now + 0.5, -math.inf, (), error))
        elif now < old.usable_until:
            if lookup.callers:
                lookup.addresses, lookup.error = old.addresses, None
                # Seconds for which expired addresses are used after a failed lookup (RFC 8767 section 5).
                self._cache(host, old._replace(expiry=now + 30.0))
        # Seconds of a failed lookup that is cached. One that failed sooner may be repeated at once.
        elif now - lookup.since >= 0.5 and host not in self._waiting:  # the name server was asked
            # Seconds for which it is cached that a lookup failed, at most, and no longer than it took (RFC 9520 section
            # 3.2): each question to a name server that sends nothing, or garbage, takes 10 seconds.
            self._cache(host, _Cached(now + min(now - lookup.since, 5.0), -math.inf, (), error))

    def _cache(self, host: str, result: _Cached) -> None:
        self._cached.pop(host, None)  # so that it becomes the youngest
        while len(self._cached) >= self._entries:
            del self._cached[next(iter(self._cached))]
        self._cached[host] = result


@lru_cache(maxsize=4096)
def parse_address(host: str) -> str:
    """Return an IPv4 or IPv6 address without its brackets; empty if `host` is a name."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)
    except OSError:
        return ""
    return bare


def _copy_error(error: Exception, host: str) -> OSError:
    """Return a new instance of an error, since several tasks must not raise the same one."""
    if isinstance(error, OSError):
        return type(error)(*error.args)
    copy = OSError(f"{host!r} cannot be looked up: {error}")
    copy.__cause__ = error
    return copy
