"""`AddressGuard`: which addresses the requests of a crawl may be sent to.

Whoever writes a page, a redirect or a name in the DNS could else have the crawler ask what only its own machine can
reach: a service on loopback, a router, the credentials of a cloud. The public internet may be asked always, another
network only if a start page is on it: somebody who crawls his own machine or intranet says so by where he begins.

What is judged is the address that is connected to, not the name, each time: when a name has been looked up, and again
when the connection stands, before anything is sent.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from crawler.errors import Refused
from crawler.http.networks import network_of
from crawler.messages import Request

__all__ = ["AddressGuard", "is_start_page"]

REMEMBERED: Final = 10_000
"""Addresses, and hosts of start pages, whose network is kept."""
SAVED: Final = 1000
"""Hosts of start pages that a job keeps."""


def is_start_page(request: Request) -> bool:
    """Whether a request was made by hand: a start page, and not where one redirects to."""
    return request.depth == 0 and not request.redirects


class AddressGuard:
    """Knows the networks that may be asked.

    Parameters:
        opens_start_networks: whether a start page opens the network that it is on.
    """

    def __init__(self, *, opens_start_networks: bool = True) -> None:
        self.open_networks: set[str] = set()
        """Names of the networks, beside the public one."""
        self._opens_start_networks = opens_start_networks
        self._networks: dict[str, str] = {}  # by address
        self._public: dict[str, None] = {}  # hosts of start pages that were public: they cannot become anything else
        self._expected: dict[str, None] = {}  # hosts of start pages that were not asked for
        self._unsaved = False
        self._urgent = False

    def check(self, host: str, addresses: tuple[str, ...], *, is_start_page: bool = False) -> tuple[str, ...]:
        """Those of the addresses of a host that may be connected to.

        Parameters:
            host: as it was looked up.
            addresses: what was found.
            start: whether the request is one for a start page.

        Raises:
            Refused: there are none.
        """
        if self._opens_start_networks and (is_start_page or host in self._expected):
            self._learn(host, addresses)
        allowed = tuple(filter(self.allows, addresses))
        if not allowed:
            raise self.refusal(addresses[0] if addresses else host, host)
        return allowed

    def expect_start(self, host: str) -> None:
        """A start page was had without asking its host, of a cache: the first who asks it does so in its place."""
        if host not in self._expected:
            if len(self._expected) >= REMEMBERED:
                del self._expected[next(iter(self._expected))]
            self._expected[host] = None
            self._unsaved = True

    def allows(self, address: str) -> bool:
        """Whether an address may be connected to."""
        network = self._network(address)
        return not network or network in self.open_networks

    def refusal(self, address: str, host: str = "") -> Refused:
        """The error of a request that would go to an address."""
        name = f"{host} is at {address}" if host not in ("", address) else address
        why = "where no start page is (private_network=true allows it)"
        if not self._opens_start_networks:
            why = "which private_network=false closes to all pages"
        return Refused(f"not sent: {name}, on the {self._network(address)} network, {why}", by="network")

    def take_unsaved(self, *, whole: bool) -> bytes | None:
        """What a job has to keep, if that has changed; JSON.

        Parameters:
            whole: with changes that can wait.
        """
        if not (self._urgent or (whole and self._unsaved)):
            return None
        self._urgent = self._unsaved = False
        return msgspec.json.encode(
            {
                "opened": sorted(self.open_networks),
                "public": list(self._public)[-SAVED:],
                "begun": list(self._expected)[-SAVED:],
            }
        )

    def restore(self, data: bytes) -> None:
        """Goes on from what `take_unsaved` gave."""
        kept: dict[str, Any] = msgspec.json.decode(data)
        if self._opens_start_networks:
            self.open_networks.update(kept["opened"])
        self._public |= dict.fromkeys(kept["public"])
        self._expected |= dict.fromkeys(kept.get("begun", ()))

    def _learn(self, host: str, addresses: tuple[str, ...]) -> None:
        """A start page opens the networks of its host, unless that is, or was, on the public one."""
        if host in self._public:
            return
        networks = set(map(self._network, addresses))
        if "" in networks:
            if len(self._public) >= REMEMBERED:
                del self._public[next(iter(self._public))]
            self._public[host] = None
            self._unsaved = True
        elif not networks <= self.open_networks:
            self.open_networks |= networks
            self._urgent = True

    def _network(self, address: str) -> str:
        network = self._networks.get(address)
        if network is None:
            if len(self._networks) >= REMEMBERED:
                self._networks.clear()
            network = self._networks[address] = network_of(address)
        return network
