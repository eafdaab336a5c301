"""`AddressGuard`: protection against requests to internal addresses (server-side request forgery).

Without it the author of a page, a redirect or a DNS record could make the crawler send requests to what only its own
machine can reach: a service on loopback, a router, the credentials service of a cloud. The public internet may always
be requested, another network only if a start page is on it: to crawl your own machine or intranet, start there.

The guard checks addresses, not names, and it checks each time: when a name has been resolved, and again when the
connection is ready, before anything is sent.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from crawler.errors import Refused
from crawler.http.networks import network_of
from crawler.messages import Request

__all__ = ["AddressGuard", "is_start_page"]

MAX_REMEMBERED: Final = 10_000
"""Addresses whose network is cached, and hosts of start pages that are remembered."""
MAX_SAVED: Final = 1000
"""Hosts of start pages that a job saves."""


def is_start_page(request: Request) -> bool:
    """Return whether a request is for a start page itself, not for the target of its redirect."""
    return request.depth == 0 and not request.redirects


class AddressGuard:
    """Decides which addresses may be connected to."""

    def __init__(self, *, opens_start_networks: bool = True) -> None:
        self.open_networks: set[str] = set()
        """Names of the networks that may be requested in addition to the public internet."""
        self._opens_start_networks = opens_start_networks
        self._networks: dict[str, str] = {}  # by address
        self._passed: set[tuple[str, tuple[str, ...], bool]] = set()  # sets of addresses that `check` has allowed
        self._public: dict[str, None] = {}  # hosts of start pages on the public internet: they open no network
        self._expected: dict[str, None] = {}  # hosts of start pages that a plugin answered
        self._unsaved = False
        self._urgent = False

    def check(self, host: str, addresses: tuple[str, ...], *, is_start_page: bool = False) -> tuple[str, ...]:
        """Return the addresses of a host that may be connected to."""
        question = (host, addresses, is_start_page)
        if question in self._passed:  # no network is closed again
            return addresses
        if self._opens_start_networks and (is_start_page or host in self._expected):
            self._learn(host, addresses)
        allowed = tuple(filter(self.allows, addresses))
        if not allowed:
            raise self.refusal(addresses[0] if addresses else host, host)
        if allowed == addresses and host not in self._expected:
            if len(self._passed) >= MAX_REMEMBERED:
                self._passed.clear()
            self._passed.add(question)
        return allowed

    def expect_start(self, host: str) -> None:
        """Let the next request to `host` open its network: its start page came from a plugin, such as a cache."""
        if host not in self._expected:
            if len(self._expected) >= MAX_REMEMBERED:
                del self._expected[next(iter(self._expected))]
            self._expected[host] = None
            self._unsaved = True
            self._passed.clear()  # a start page that was not seen before may open networks, and protects its host

    def allows(self, address: str) -> bool:
        """Return whether an address may be connected to."""
        network = self._network(address)
        return not network or network in self.open_networks

    def refusal(self, address: str, host: str = "") -> Refused:
        """Return the error for a request to an address that is not allowed."""
        name = f"{host} is at {address}" if host not in ("", address) else address
        why = "which no start page is on (private_network=true allows it)"
        if not self._opens_start_networks:
            why = "which private_network=false closes"
        return Refused(f"not sent: {name}, on the {self._network(address)} network, {why}", by="network")

    def take_unsaved(self, *, whole: bool) -> bytes | None:
        """Return the state that a job must save, as JSON, or `None` if it has not changed since the last call."""
        if not (self._urgent or (whole and self._unsaved)):
            return None
        self._urgent = self._unsaved = False
        return msgspec.json.encode(
            {
                "opened": sorted(self.open_networks),
                "public": list(self._public)[-MAX_SAVED:],
                "begun": list(self._expected)[-MAX_SAVED:],
            }
        )

    def restore(self, data: bytes) -> None:
        """Restore the state that `take_unsaved` returned."""
        kept: dict[str, Any] = msgspec.json.decode(data)
        if self._opens_start_networks:
            self.open_networks.update(kept["opened"])
        self._public |= dict.fromkeys(kept["public"])
        self._expected |= dict.fromkeys(kept.get("begun", ()))

    def _learn(self, host: str, addresses: tuple[str, ...]) -> None:
        """Open the networks of a start page's host, unless the host is, or was, on the public internet."""
        if host in self._public:
            return
        networks = set(map(self._network, addresses))
        if "" in networks:
            if len(self._public) >= MAX_REMEMBERED:
                del self._public[next(iter(self._public))]
                self._passed.clear()
            self._public[host] = None
            self._unsaved = True
        elif not networks <= self.open_networks:
            self.open_networks |= networks
            self._urgent = True

    def _network(self, address: str) -> str:
        network = self._networks.get(address)
        if network is None:
            if len(self._networks) >= MAX_REMEMBERED:
                self._networks.clear()
            network = self._networks[address] = network_of(address)
        return network
