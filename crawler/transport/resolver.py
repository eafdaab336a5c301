"""`Resolver`: host names to addresses, with few lookups at a time, one per name, and a cache.

libcurl never resolves names: its resolver threads cannot be abandoned, so hanging lookups would delay healthy ones and
the end of the process.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any, Protocol

import attrs
import trio

__all__ = ["AddressResolver", "Resolver", "ResolverStatistics", "parse_address"]


class AddressResolver(Protocol):
    """The interface of resolvers: a `Resolver`, or one of your own."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of a host name, or a literal address itself.

        Raises:
            OSError: The name cannot be resolved.
        """
        ...


@attrs.frozen(kw_only=True)
class ResolverStatistics:
    """Statistics of a resolver."""

    cached: int
    """Names in the cache, including expired ones."""
    pending: int
    """Lookups that tasks wait for."""
    threads: int
    """Threads inside a lookup, including those that no task waits for."""


@attrs.define(eq=False, repr=False)
class _Lookup:
    """A running lookup, shared by all tasks that ask for the name."""

    callers: int = 0
    done: trio.Event = attrs.Factory(trio.Event)
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    addresses: tuple[str, ...] = ()
    error: Exception | None = None


class Resolver:
    """Resolves host names with the system's resolver.

    Tasks that ask for the same name share one lookup. When the last of them is cancelled, the lookup is abandoned; its
    thread cannot be stopped and counts among the `lookups` until the system gives up.

    Parameters:
        lookups: Lookups at the same time.
        ttl: Seconds for which addresses are cached. The system does not report how long they are valid.
        entries: Names in the cache, at most; the oldest is forgotten first.
        timeout: Seconds for one lookup, including its wait for a free thread.
        getaddrinfo: Asks the system, with the signature of `socket.getaddrinfo`; runs in a thread.
    """

    def __init__(
        self,
        *,
        lookups: int = 16,
        ttl: float = 60.0,
        entries: int = 4096,
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
        self._threads = trio.CapacityLimiter(self._lookups)
        self._cached: dict[str, tuple[float, tuple[str, ...]]] = {}  # expiry on trio's clock, and addresses
        self._pending: dict[str, _Lookup] = {}

    def statistics(self) -> ResolverStatistics:
        """Return what the resolver is doing."""
        return ResolverStatistics(
            cached=len(self._cached), pending=len(self._pending), threads=self._threads.borrowed_tokens
        )

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of a host in the order in which to try them; no checkpoint if they are cached.

        Parameters:
            host: An ASCII name (punycode), or an address, which is returned as it is; IPv6 with or without brackets.
            port: The port to connect to.

        Raises:
            TimeoutError: The lookup took too long.
            OSError: The name does not exist, or the lookup failed (`socket.gaierror`).
        """
        run = trio.lowlevel.current_trio_token()
        if run is not self._run:
            self._reset(run)
        expiry, addresses = self._cached.get(host, (-math.inf, ()))
        if trio.current_time() < expiry:
            return addresses
        address = parse_address(host)
        return (address,) if address else await self._shared_lookup(host)

    async def _shared_lookup(self, host: str) -> tuple[str, ...]:
        """Return the result of the running lookup of `host`, or of a new one."""
        lookup = self._pending.get(host)
        if lookup is None:
            lookup = self._pending[host] = _Lookup()
            # A system task, since it may outlive the first task that asked.
            trio.lowlevel.spawn_system_task(self._run_lookup, host, lookup, name=f"lookup of {host}")
        lookup.callers += 1
        try:
            await lookup.done.wait()
        finally:
            lookup.callers -= 1
            if not lookup.callers and self._pending.get(host) is lookup:
                del self._pending[host]
                lookup.scope.cancel(reason="no task waits for this name any more")
        if lookup.error is not None:
            raise _copy_error(lookup.error, host)
        return lookup.addresses

    async def _run_lookup(self, host: str, lookup: _Lookup) -> None:
        lookup.error = TimeoutError(f"the lookup of {host} took longer than {self._timeout:g} s")
        lookup.scope.deadline = trio.current_time() + self._timeout
        try:
            with lookup.scope:
                lookup.addresses = await self._ask_system(host)
                lookup.error = None
                self._cache(host, lookup.addresses)
        except Exception as error:
            lookup.error = error
        finally:
            if self._pending.get(host) is lookup:
                del self._pending[host]
            lookup.done.set()

    async def _ask_system(self, host: str) -> tuple[str, ...]:
        found = await trio.to_thread.run_sync(
            self._getaddrinfo,
            host.encode("ascii"),  # Python would send a str through its IDNA codec, which rejects long labels
            None,
            socket.AF_UNSPEC,
            socket.SOCK_STREAM,
            abandon_on_cancel=True,
            limiter=self._threads,
        )
        return tuple(dict.fromkeys(sockaddr[0] for *_, sockaddr in found))

    def _cache(self, host: str, addresses: tuple[str, ...]) -> None:
        self._cached.pop(host, None)  # so that it becomes the youngest
        while len(self._cached) >= self._entries:
            del self._cached[next(iter(self._cached))]
        self._cached[host] = (trio.current_time() + self._ttl, addresses)


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
