"""Cables between the workers of a crawl and the server of its job, which can be cut one by one.

::

    with cables(4) as net, redis(namespace=net.namespace, host=net.address(0)) as server:
        net.cut(2)      # packets to and from `net.address(2)` are lost
        net.mend(2)

The server is in a network namespace with an address for each cable; each worker uses another address. Needs root and
iproute2, as `integration.outage.network` does.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from integration.outage.network import ip

__all__ = ["Cables", "cables"]

NUMBERS = itertools.count(os.getpid())
"""Other tests on this machine have other numbers, so their addresses differ."""


class Cables:
    """Some cables to a network namespace; created by `cables`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._number = next(NUMBERS) % 65_536
        self.namespace = f"fleet{self._number}"
        """Name of the network namespace of the server."""

    def address(self, cable: int) -> str:
        """Return the address of the server at the end of a cable."""
        return self._address(cable, 2)

    def cut(self, cable: int) -> None:
        """Lose all packets on a cable."""
        ip("-n", self.namespace, "link", "set", self._name(cable), "down")

    def mend(self, cable: int) -> None:
        """Undo `cut`."""
        ip("-n", self.namespace, "link", "set", self._name(cable), "up")

    def lay(self) -> None:
        """Create the namespace and the cables."""
        ip("netns", "add", self.namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        for cable in range(self.size):
            name = self._name(cable)
            ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", self.namespace)
            ip("address", "add", f"{self._address(cable, 1)}/30", "dev", name)
            ip("-n", self.namespace, "address", "add", f"{self.address(cable)}/30", "dev", name)
            ip("link", "set", name, "up")
            self.mend(cable)

    def remove(self) -> None:
        """Remove the namespace; the cables go with it."""
        ip("netns", "del", self.namespace)

    def _name(self, cable: int) -> str:
        return f"{self.namespace}-{cable}"

    def _address(self, cable: int, end: int) -> str:
        return f"10.{64 + self._number // 256 % 64}.{self._number % 256}.{4 * cable + end}"


@contextmanager
def cables(size: int) -> Iterator[Cables]:
    """Create cables, and remove them when the block is left.

    Raises:
        RuntimeError: iproute2 is missing, or this process may not create namespaces.
    """
    made = Cables(size)
    try:
        made.lay()
        yield made
    finally:
        made.remove()
