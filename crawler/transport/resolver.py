"""`Resolver`: host names to addresses, few look-ups at a time, one for each name, remembered for a while.

libcurl is never left to resolve a name: its resolver threads cannot be abandoned, so look-ups that hang would delay
healthy ones and the end of the process.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any, Protocol

import attrs
import trio

__all__ = ["Resolver", "ResolverStatistics", "Resolves", "literal"]


class Resolves(Protocol):
    """What gives addresses: a `Resolver`, or something of your own."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host; an address is its own answer. Raises `OSError`."""
        ...


@attrs.frozen(kw_only=True)
class ResolverStatistics:
    """What a resolver is doing."""

    cached: int
    """Names that are remembered, expired ones included."""
    pending: int
    """Look-ups that somebody waits for."""
    threads: int
    """Threads that are inside a look-up, those nobody waits for any more included."""


@attrs.define(eq=False)
class _Lookup:
    """One look-up under way: everybody who asks for its name waits for it."""

    callers: int = 0
    done: trio.Event = attrs.Factory(trio.Event)
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    addresses: tuple[str, ...] = ()
    error: Exception | None = None


class Resolver:
    """Host names to addresses by the system's own resolver.

    A look-up is shared by everybody who asks for the same name meanwhile. It is given up when the last of them is
    cancelled; its thread cannot be stopped and holds one of the `lookups` until the system gives up too.

    Parameters:
        lookups: look-ups at the same time.
        ttl: seconds for which an answer is remembered. The system does not tell for how long it holds.
        entries: names remembered at most; the oldest is forgotten first.
        timeout: seconds that one look-up may take, its wait for a free thread included.
        getaddrinfo: what asks the system, with the parameters and answers of `socket.getaddrinfo`; runs in a thread.
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
        self._forget_all(None)

    def _forget_all(self, run: trio.lowlevel.TrioToken | None) -> None:
        """Start anew: clock, tasks and threads belong to one run of trio."""
        self._run = run
        self._threads = trio.CapacityLimiter(self._lookups)
        self._cached: dict[str, tuple[float, tuple[str, ...]]] = {}  # expiry on trio's clock, addresses
        self._pending: dict[str, _Lookup] = {}

    def statistics(self) -> ResolverStatistics:
        """What it is doing."""
        return ResolverStatistics(
            cached=len(self._cached), pending=len(self._pending), threads=self._threads.borrowed_tokens
        )

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host, in the order in which they should be tried.

        An address is its own answer. What is remembered is given back without a checkpoint.

        Parameters:
            host: an ASCII name (punycode) or an address, IPv6 with or without brackets.
            port: the port that will be connected to.

        Raises:
            TimeoutError: the look-up took too long.
            OSError: the name is not known, or the system cannot tell now (`socket.gaierror`).
        """
        run = trio.lowlevel.current_trio_token()
        if run is not self._run:
            self._forget_all(run)
        expiry, addresses = self._cached.get(host, (-math.inf, ()))
        if trio.current_time() < expiry:
            return addresses
        address = literal(host)
        return (address,) if address else await self._shared(host)

    async def _shared(self, host: str) -> tuple[str, ...]:
        """The answer of the look-up of `host` that is under way, or of a new one."""
        lookup = self._pending.get(host)
        if lookup is None:
            lookup = self._pending[host] = _Lookup()
            # A task of nobody's: it may outlive the caller who was the first to ask.
            trio.lowlevel.spawn_system_task(self._look_up, host, lookup, name=f"look-up of {host}")
        lookup.callers += 1
        try:
            await lookup.done.wait()
        finally:
            lookup.callers -= 1
            if not lookup.callers and self._pending.get(host) is lookup:
                del self._pending[host]
                lookup.scope.cancel(reason="nobody waits for this name any more")
        if lookup.error is not None:
            raise _again(lookup.error, host)
        return lookup.addresses

    async def _look_up(self, host: str, lookup: _Lookup) -> None:
        lookup.error = TimeoutError(f"the look-up of {host} took longer than {self._timeout:g} s")
        lookup.scope.deadline = trio.current_time() + self._timeout
        try:
            with lookup.scope:
                lookup.addresses = await self._ask(host)
                lookup.error = None
                self._remember(host, lookup.addresses)
        except Exception as error:
            lookup.error = error
        finally:
            if self._pending.get(host) is lookup:
                del self._pending[host]
            lookup.done.set()

    async def _ask(self, host: str) -> tuple[str, ...]:
        found = await trio.to_thread.run_sync(
            self._getaddrinfo,
            host.encode("ascii"),  # bytes: Python's own IDNA codec has opinions about long labels
            None,
            socket.AF_UNSPEC,
            socket.SOCK_STREAM,
            abandon_on_cancel=True,
            limiter=self._threads,
        )
        return tuple(dict.fromkeys(sockaddr[0] for *_, sockaddr in found))

    def _remember(self, host: str, addresses: tuple[str, ...]) -> None:
        self._cached.pop(host, None)  # so that it becomes the youngest
        while len(self._cached) >= self._entries:
            del self._cached[next(iter(self._cached))]
        self._cached[host] = (trio.current_time() + self._ttl, addresses)


def literal(host: str) -> str:
    """The address that `host` is, without brackets; empty if it is a name."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)
    except OSError:
        return ""
    return bare


def _again(error: Exception, host: str) -> OSError:
    """The same error anew: one exception must not be raised by several tasks."""
    if isinstance(error, OSError):
        return type(error)(*error.args)
    again = OSError(f"{host!r} cannot be looked up: {error}")
    again.__cause__ = error
    return again
