"""`ProxyEnvironment`: the proxies in the variables ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``.

No standard defines them. Here:

* A lower-case name takes precedence over the same name in upper case, and an empty variable means no proxy.
* ``HTTP_PROXY`` is ignored if ``REQUEST_METHOD`` is set: in a CGI program it comes from the client.
* A name in ``no_proxy`` includes its subdomains, with or without a leading dot.
* Loopback addresses are never reached through a proxy.
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


@attrs.frozen(repr=False)
class ProxyEnvironment:
    """The proxies that the environment names. False if it names none."""

    proxies: Mapping[str, str]
    """The URL of the proxy by scheme, ``http`` or ``https``."""
    exceptions: tuple[tuple[str, Network | None, str], ...] = ()
    """Hosts reached directly: a name or ``*``; its network, if it is one; and a port, empty for all."""

    @classmethod
    def from_environ(cls, environment: Mapping[str, str]) -> ProxyEnvironment:
        """Read the environment variables."""
        proxies = {}
        for scheme in ("http", "https"):
            variable, value = _variable(environment, f"{scheme}_proxy")
            if variable is None:
                variable, value = _variable(environment, "all_proxy")
            if value:
                proxies[scheme] = _proxy_url(variable, value)
        if not proxies:
            return cls({})
        entries = _variable(environment, "no_proxy")[1].replace(",", " ").split()
        return cls(proxies, tuple(_parse_exception(entry.lower()) for entry in entries))

    def __bool__(self) -> bool:
        return bool(self.proxies)

    def proxy_for(self, origin: str) -> str | None:
        """Return the URL of the proxy for an origin; `None` means a direct connection."""
        scheme, _, authority = origin.partition("://")
        found = self.proxies.get(scheme)
        if found is None or urls.is_loopback(origin):
            return None
        host = urls.host(origin + "/").strip("[]").rstrip(".")
        port = authority.rpartition(":")[2] if authority[-1] != "]" and ":" in authority else ""
        port = port or ("443" if scheme == "https" else "80")
        address = _parse_address(host)
        excepted = any(
            wanted in ("", port) and (address in network if network is not None and address is not None else
                                      name in ("*", host) or host.endswith("." + name))
            for name, network, wanted in self.exceptions
        )  # fmt: skip
        return None if excepted else found


def _variable(environment: Mapping[str, str], name: str) -> tuple[str | None, str]:
    """Return the spelling of a variable that is set, and its value; `None` if neither is set."""
    if name in environment:
        return name, environment[name].strip()
    upper = name.upper()
    if upper in environment and not (name == "http_proxy" and "REQUEST_METHOD" in environment):
        return upper, environment[upper].strip()
    return None, ""


def _proxy_url(variable: str | None, value: str) -> str:
    """Return the URL of a proxy: ``http`` if it has no scheme; ``socks`` stands for ``socks5h``."""
    url = value if "://" in value else f"http://{value}"
    if url.lower().startswith("socks://"):
        url = "socks5h" + url[5:]
    try:
        return proxy_url(url)
    except ValueError as error:
        raise ConfigError(f"{variable} in the environment: {error} (proxy_env=false leaves it aside)") from None


def _parse_exception(entry: str) -> tuple[str, Network | None, str]:
    """Parse one entry of ``no_proxy``: ``example.com``, ``.example.com:8080``, ``10.0.0.0/8``, ``[::1]:80``, ``*``."""
    name, port = entry, ""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    try:
        return name, ipaddress.ip_network(name, strict=False), port
    except ValueError:
        return name.removeprefix("*.").strip("."), None, port


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
