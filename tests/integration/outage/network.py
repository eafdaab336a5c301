"""Two hosts and a cable: network namespaces for a crawler and its servers, joined by a veth pair.

::

    with network() as net:
        net.popen(net.servers, ["nginx", ...])
        net.popen(net.crawler, ["python", "-m", "crawler", "run", "http://a.test/"])
        net.unplug()

Needs root and iproute2. Nothing of it is visible outside of the namespaces.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["CRAWLER", "CRAWLER_6", "DNS", "Network", "network"]

CRAWLER, DNS = "10.77.0.2", "10.77.0.53"
CRAWLER_6 = "fd77::2"
CABLE = "veth0"
"""Name of the interface at both ends of the cable."""
RESOLV = f"nameserver {DNS}\noptions timeout:1 attempts:1\n"
NUMBERS = itertools.count(1)


class Network:
    """Two network namespaces; created by `network`."""

    def __init__(self, name: str) -> None:
        self.crawler = f"{name}-crawler"
        """Name of the namespace of the crawler."""
        self.servers = f"{name}-servers"
        """Name of the namespace of all servers."""

    def add_address(self, address: str) -> None:
        """Give the servers an address."""
        ip("-n", self.servers, "address", "add", *_on_cable(address))

    def unplug(self) -> None:
        """Take the crawler's end of the cable down: the crawler has no network."""
        ip("-n", self.crawler, "link", "set", CABLE, "down")

    def plug(self) -> None:
        """Take the crawler's end of the cable up again."""
        ip("-n", self.crawler, "link", "set", CABLE, "up")
        ip("-n", self.crawler, "address", "replace", *_on_cable(CRAWLER_6))  # the kernel drops it with the link

    def drop(self, address: str) -> None:
        """Drop what the servers send from an address: connections to it time out."""
        ip("-n", self.servers, *self._rule("add", address))

    def restore(self, address: str) -> None:
        """Undo `drop`."""
        ip("-n", self.servers, *self._rule("del", address))

    def _rule(self, verb: str, address: str) -> list[str]:
        return [_family(address), "rule", verb, "from", address, "iif", "lo", "blackhole"]

    def popen(self, namespace: str, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
        """Start a program in a namespace; its process id is that of the program itself.

        Parameters:
            namespace: `crawler` or `servers`.
            command: the program and its arguments.
            options: further arguments of `subprocess.Popen`.
        """
        return subprocess.Popen(["ip", "netns", "exec", namespace, *map(str, command)], text=True, **options)


@contextmanager
def network() -> Iterator[Network]:
    """Create a network, and remove it when the block is left.

    Raises:
        RuntimeError: iproute2 is missing, or this process may not create namespaces.
    """
    net = Network(f"lab{os.getpid()}-{next(NUMBERS)}")
    settings = Path("/etc/netns", net.crawler)
    try:
        for namespace in (net.crawler, net.servers):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip("link", "add", CABLE, "netns", net.crawler, "type", "veth", "peer", "name", CABLE, "netns", net.servers)
        for namespace, addresses in ((net.crawler, (CRAWLER, CRAWLER_6)), (net.servers, (DNS,))):
            ip("-n", namespace, "link", "set", CABLE, "up")
            for address in addresses:
                ip("-n", namespace, "address", "add", *_on_cable(address))
        settings.mkdir(parents=True)  # `ip netns exec` mounts these files over those of /etc
        (settings / "resolv.conf").write_text(RESOLV, encoding="ascii")
        (settings / "nsswitch.conf").write_text("hosts: files dns\n", encoding="ascii")
        yield net
    finally:
        shutil.rmtree(settings, ignore_errors=True)
        for namespace in (net.crawler, net.servers):
            if Path("/run/netns", namespace).exists():
                ip("netns", "del", namespace)


def ip(*arguments: str) -> None:
    """Run ``ip`` of iproute2.

    Raises:
        RuntimeError: It is missing or failed; the message contains its output.
    """
    if shutil.which("ip") is None:
        raise RuntimeError("ip is missing; install it with: apt-get install iproute2")
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {result.stderr.strip()} (it needs root)")


def _on_cable(address: str) -> list[str]:
    """Return the arguments of ``ip address`` for an address on the cable, which is usable at once."""
    return [f"{address}/64", "dev", CABLE, "nodad"] if ":" in address else [f"{address}/24", "dev", CABLE]


def _family(address: str) -> str:
    return "-6" if ":" in address else "-4"
