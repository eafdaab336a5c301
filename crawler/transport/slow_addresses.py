"""`SlowAddresses`: addresses of a host that another one had to step in for. They are tried last for a while.

libcurl starts with IPv6, and tries the next address after 200 ms without a connection. An address that drops
packets would delay every new connection by that time.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

__all__ = ["SlowAddresses"]

MAX_AGE: Final = 300.0
"""Seconds for which an address counts as slow."""
MAX_HOSTS: Final = 1024
"""Hosts with slow addresses that are remembered; the oldest is forgotten first."""


class _Slow(NamedTuple):
    addresses: frozenset[str]
    since: float


NONE: Final = _Slow(frozenset(), -math.inf)


class SlowAddresses:
    """The slow addresses of hosts. Times are those of trio's clock."""

    def __init__(self) -> None:
        self._slow: dict[str, _Slow] = {}

    def order(self, host: str, addresses: tuple[str, ...], now: float) -> tuple[str, ...]:
        """Return the addresses to connect to, the slow ones last.

        A slow IPv6 address is left out if only IPv4 addresses are not slow: libcurl would still try it first.
        """
        slow = self._of(host, now)
        fast = [address for address in addresses if address not in slow]
        if not slow or not fast:
            return addresses
        only_ipv4 = not any(map(_is_ipv6, fast))
        last = [address for address in addresses if address in slow and not (only_ipv4 and _is_ipv6(address))]
        return (*fast, *last)

    def connected(self, host: str, addresses: tuple[str, ...], address: str, now: float) -> None:
        """Note which address was connected to: those that libcurl had tried before it are slow."""
        if address not in addresses:
            return
        earlier = set(addresses[: addresses.index(address)])
        if not _is_ipv6(address):
            earlier.update(filter(_is_ipv6, addresses))
        if not earlier:
            return
        slow = (self._of(host, now) | earlier) - {address}
        self._slow.pop(host, None)  # so that it becomes the youngest
        if len(self._slow) >= MAX_HOSTS:
            del self._slow[next(iter(self._slow))]
        self._slow[host] = _Slow(slow, now)

    def forget(self, host: str) -> None:
        """Forget the slow addresses of a host: no other one could be connected to."""
        self._slow.pop(host, None)

    def _of(self, host: str, now: float) -> frozenset[str]:
        slow = self._slow.get(host, NONE)
        return slow.addresses if 0.0 <= now - slow.since < MAX_AGE else NONE.addresses  # another run has another clock


def _is_ipv6(address: str) -> bool:
    return ":" in address
