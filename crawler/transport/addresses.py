"""`Addresses`: the addresses of hosts for libcurl, as far as they may be connected to."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import httpx
import trio

from crawler.settings.proxies import PROXY_PORTS
from crawler.transport.errors import transport_error
from crawler.transport.resolver import AddressResolver, Resolver, parse_address
from crawler.transport.transfer import Transfer
from crawler.transport.wire import Target

__all__ = ["Addresses", "SlowAddresses"]


class Addresses:
    """Resolves host names, for the address cache of libcurl (CURLOPT_RESOLVE). libcurl itself resolves none."""

    def __init__(self, resolver: AddressResolver, slow: SlowAddresses) -> None:
        self._resolver = resolver
        # one of another class decides about literal addresses too
        self._known = resolver.known if isinstance(resolver, Resolver) else _nothing_known
        self._slow = slow

    def known(self, transfer: Transfer, target: Target) -> list[str] | None:
        """Return what `resolve` would, if that takes no look-up, as for most requests; else `None`."""
        if transfer.proxy is not None:
            return None
        try:
            addresses = self._known(target.host)
        except OSError:
            return None
        if addresses and transfer.stages is not None:
            transfer.stages["dns"] = 0.0
        return self._allowed(transfer, target.host, target.port, addresses, is_site=True) if addresses else None

    async def resolve(self, transfer: Transfer, target: Target) -> list[str]:
        """Return the entries for the address cache; names that the proxy resolves have none."""
        began = trio.current_time()
        proxy, options = transfer.proxy, transfer.options
        guard = options.address_guard
        if guard is not None and proxy is not None and (address := parse_address(target.host)):
            guard.check(address, (address,), is_start_page=options.is_start_page)
        hosts = []
        if proxy is None or proxy.scheme == "socks5":
            hosts.append((target.host, target.port, True))
        if proxy is not None:
            hosts.append((proxy.raw_host.decode("ascii"), proxy.port or PROXY_PORTS[proxy.scheme], False))
        entries: list[str] = []
        for host, port, is_site in hosts:
            try:
                addresses = self._known(host) or await self._look_up(transfer, host, port)
            except OSError as error:
                cls: type[httpx.RequestError] = httpx.ConnectError if is_site else httpx.ProxyError
                raise transport_error(
                    httpx.ConnectTimeout if isinstance(error, TimeoutError) else cls,
                    f"no address of {host}: {error.strerror or error}",
                    request=transfer.request,
                    sent=False,
                    kind="dns" if is_site else "proxy",
                    proxy_fault=None if is_site else "proxy",
                ) from error
            entries += self._allowed(transfer, host, port, addresses, is_site=is_site)
        if transfer.stages is not None:
            transfer.stages["dns"] = trio.current_time() - began
        return entries

    def _allowed(
        self, transfer: Transfer, host: str, port: int, addresses: tuple[str, ...], *, is_site: bool
    ) -> list[str]:
        """Return the entry of a host with the addresses that may be connected to, in order; none for an address."""
        options = transfer.options
        if options.address_guard is not None and is_site:
            addresses = options.address_guard.check(host, addresses, is_start_page=options.is_start_page)
        if len(addresses) > 1 and (transfer.proxy is None or not is_site):  # a proxy itself connects to the site
            addresses = self._slow.order(host, addresses, trio.current_time())
            transfer.peer = (host, addresses)
        if addresses == (host,):
            return []
        listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
        return [f"+{host}:{port}:{listed}"]  # with the plus it expires like others, and replaces an older one

    async def _look_up(self, transfer: Transfer, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of a host."""
        with trio.CancelScope(deadline=transfer.complete_by):
            return await self._resolver.resolve(host, port)
        raise transfer.late()


def _nothing_known(_host: str) -> tuple[str, ...]:
    """Return no address: the name must be resolved."""
    return ()


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
