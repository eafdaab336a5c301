"""Proxies that the environment names: ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``.

No standard says what they mean. Here small letters go before capitals, and an empty variable takes back what another
says; ``HTTP_PROXY`` does not count where ``REQUEST_METHOD`` is set, since a CGI program gets it from its client; a name
in ``no_proxy`` stands for its subdomains too, with or without a dot before it; loopback is never reached by a proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from crawler import urls
from crawler.errors import ConfigError
from crawler.settings.proxies import proxy_url

__all__ = ["ProxyEnvironment"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class ProxyEnvironment:
    """What it says of proxies. False if it names none."""

    proxies: Mapping[str, str]
    """URL of the proxy by scheme, ``http`` and ``https``."""
    exceptions: tuple[tuple[str, Network | None, str], ...] = ()
    """Hosts that are reached directly: a name or ``*``, or a network, and a port or nothing."""

    @classmethod
    def from_environ(cls, environment: Mapping[str, str]) -> ProxyEnvironment:
        """Reads it.

        Raises:
            ConfigError: a variable that counts names no proxy.
        """
        proxies = {}
        for scheme in ("http", "https"):
            variable, value = _variable(environment, f"{scheme}_proxy")
            if variable is None:
                variable, value = _variable(environment, "all_proxy")
            if value:
                proxies[scheme] = _url(variable, value)
        if not proxies:
            return cls({})
        words = _variable(environment, "no_proxy")[1].replace(",", " ").split()
        return cls(proxies, tuple(_exception(word.lower()) for word in words))

    def __bool__(self) -> bool:
        return bool(self.proxies)

    def proxy_for(self, origin: str) -> str | None:
        """The URL of the proxy for an origin; `None`: it is reached directly."""
        scheme, _, authority = origin.partition("://")
        found = self.proxies.get(scheme)
        if found is None:
            return None
        host = urls.host(origin + "/").strip("[]").rstrip(".")
        port = authority.rpartition(":")[2] if authority[-1] != "]" and ":" in authority else ""
        port = port or ("443" if scheme == "https" else "80")
        address = _address(host)
        if host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback):
            return None
        excepted = any(
            wanted in ("", port) and (address in network if network is not None and address is not None else
                                      name in ("*", host) or host.endswith("." + name))
            for name, network, wanted in self.exceptions
        )  # fmt: skip
        return None if excepted else found


def _variable(environment: Mapping[str, str], name: str) -> tuple[str | None, str]:
    """A variable in either spelling, and its value; `None`: there is none."""
    if name in environment:
        return name, environment[name].strip()
    upper = name.upper()
    if upper in environment and not (name == "http_proxy" and "REQUEST_METHOD" in environment):
        return upper, environment[upper].strip()
    return None, ""


def _url(variable: str | None, value: str) -> str:
    """A proxy as a variable has it: ``http`` if no scheme is said, and ``socks`` for the kind that resolves names."""
    url = value if "://" in value else f"http://{value}"
    if url.lower().startswith("socks://"):
        url = "socks5h" + url[5:]
    try:
        return proxy_url(url)
    except ValueError as error:
        raise ConfigError(f"{variable} in the environment: {error} (proxy_env=false leaves it aside)") from None


def _exception(word: str) -> tuple[str, Network | None, str]:
    """One entry of ``no_proxy``: ``example.com``, ``.example.com:8080``, ``10.0.0.0/8``, ``[::1]:80``, ``*``."""
    name, port = word, ""
    if word.startswith("["):
        name, _, rest = word[1:].partition("]")
        port = rest.removeprefix(":")
    elif word.count(":") == 1:
        name, _, port = word.partition(":")
    try:
        return name, ipaddress.ip_network(name, strict=False), port
    except ValueError:
        return name.removeprefix("*.").strip("."), None, port


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
