"""`network_of`: the name of the network that an address is on, if it is not the public internet.

The list follows the special-purpose address registries (RFC 6890) and later RFCs. An address that embeds another one
counts as that one. The metadata services of clouds have a name of their own, since they give the credentials of a
machine to any program on it.
"""

from __future__ import annotations

import ipaddress
from typing import Final, TypeAlias

__all__ = ["network_of"]

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
