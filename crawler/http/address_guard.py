"""`AddressGuard`: protection against requests to internal addresses (server-side request forgery).

Without it the author of a page, a redirect or a DNS record could make the crawler send requests to what only its own
machine can reach: a service on loopback, a router, the credentials service of a cloud. The public internet may always
be requested, another network only if a start page is on it: to crawl your own machine or intranet, start there.

The guard checks addresses, not names, and it checks each time: when a name has been resolved, and again when the
connection is ready, before anything is sent. Its list of networks follows the special-purpose address registries (RFC
6890) and later RFCs. An address that embeds another one counts as that one. The metadata services of clouds have a name
of their own, since they give the credentials of a machine to any program on it.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final, TypeAlias

import msgspec

from crawler.errors import Refused

__all__ = ["AddressGuard", "network_of"]

MAX_REMEMBERED: Final = 10_000
"""Addresses whose network is cached, and hosts of start pages that are remembered."""
MAX_SAVED: Final = 1000
"""Hosts of start pages that a job saves."""


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


Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

SPECIAL: Final[dict[str, tuple[str, ...]]] = {
    "metadata": (
        "169.254.169.254/32",  # Amazon, Google, Microsoft, Oracle, Hetzner, …
        "169.254.169.253/32",  # Amazon's resolver
        "169.254.170.2/32",  # credentials of Amazon's containers
        "169.254.170.23/32",
        "169.254.42.42/32",  # Scaleway
        "168.63.129.16/32",  # Microsoft's, on an address that looks public
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254/128",  # Google
        "fd00:42::42/128",  # Scaleway
    ),
    "loopback": (
        "127.0.0.0/8",  # RFC 1122 section 3.2.1.3
        "0.0.0.0/8",  # RFC 791 section 3.2: as a destination, this host
        "::1/128",  # RFC 4291
        "::/128",
    ),
    "private": (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",  # RFC 4193: unique local
        "fec0::/10",  # RFC 3879: site local, deprecated
    ),
    "shared": ("100.64.0.0/10",),  # RFC 6598: carrier-grade NAT, and overlay networks
    "link-local": (
        "169.254.0.0/16",  # RFC 3927
        "fe80::/10",  # RFC 4291
    ),
    "multicast": (
        "224.0.0.0/4",  # RFC 5771
        "ff00::/8",  # RFC 4291
    ),
    "benchmarking": (
        "198.18.0.0/15",  # RFC 2544, and the made-up addresses of some proxies
        "2001:2::/48",  # RFC 5180
    ),
    "documentation": (
        "192.0.2.0/24",  # RFC 5737
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",  # RFC 3849
        "3fff::/20",  # RFC 9637
    ),
    "reserved": (
        "192.0.0.0/24",  # RFC 6890: protocol assignments
        "192.88.99.0/24",  # RFC 7526: 6to4 relays, deprecated
        "240.0.0.0/4",  # RFC 1112, and the broadcast of RFC 919
        "64:ff9b:1::/48",  # RFC 8215: translation within a network
        "2001::/23",  # RFC 2928: protocol assignments, Teredo (RFC 4380) and ORCHID (RFC 7343) among them
    ),
}
"""Blocks by the name of their network; the first match counts."""
NETWORKS: Final[tuple[tuple[str, Network], ...]] = tuple(
    (name, ipaddress.ip_network(block)) for name, blocks in SPECIAL.items() for block in blocks
)
GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
"""Global unicast addresses of IPv6 (RFC 4291 section 2.4)."""
EMBEDDING: Final = tuple(
    (ipaddress.IPv6Network(block), shift)
    for block, shift in (
        ("::ffff:0:0/96", 0),  # RFC 4291 section 2.5.5.2: IPv4-mapped
        ("::/96", 0),  # RFC 4291 section 2.5.5.1: IPv4-compatible, deprecated
        ("::ffff:0:0:0/96", 0),  # RFC 2765: IPv4-translated
        ("64:ff9b::/96", 0),  # RFC 6052: NAT64
        ("2002::/16", 80),  # RFC 3056: 6to4
    )
)
"""Prefixes followed by an IPv4 address, and the number of bits after it."""


def network_of(address: str) -> str:
    """Return the name of the network that an address is on; empty for the public internet."""
    try:
        parsed: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "reserved"
    if isinstance(parsed, ipaddress.IPv6Address) and int(parsed) > 1:
        for prefix, shift in EMBEDDING:
            if parsed in prefix:
                parsed = ipaddress.IPv4Address(int(parsed) >> shift & 0xFFFFFFFF)
                break
    for name, network in NETWORKS:
        if parsed.version == network.version and parsed in network:
            return name
    return "reserved" if parsed.version == 6 and parsed not in GLOBAL else ""
