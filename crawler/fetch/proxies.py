"""`Proxies`: chooses a proxy by rule or from the environment, in turn, and suspends proxies that fail.

Pure: it reads no clock and does no I/O. `Downloader` asks it before each request, and reports the result.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from crawler import urls
from crawler.errors import ConfigError
from crawler.logs import get_logger
from crawler.settings.proxies import DIRECT, label, proxy_url

if TYPE_CHECKING:
    from crawler.settings import Settings

__all__ = ["Proxies", "Proxy", "ProxyEnvironment", "Rotation"]

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


BASE_PAUSE: Final = 5.0
"""Seconds that a proxy is avoided after a failure, doubled for each further failure in a row."""
MAX_PAUSE: Final = 600.0
"""Maximum number of seconds for which a proxy is avoided."""
log = get_logger("crawler.fetch")


@attrs.define(eq=False, repr=False)
class Proxy:
    """One proxy, and how well it works."""

    url: str | None
    """The URL; `None` stands for a direct connection."""
    name: str
    """Host and port, for logs and reports."""
    failures: int = 0
    """Failures in a row."""
    failed_at: float = -math.inf
    """Time of the last failure, in seconds."""
    avoided_until: float = -math.inf
    """Time at which it is used again, in seconds."""

    def mark_failed(self, started: float, now: float) -> float:
        """Note a failure; return the seconds that the proxy is avoided from now on, 0 if it was known as failed."""
        if self.url is None or started < self.failed_at:
            return 0.0
        self.failed_at = now
        pause = min(BASE_PAUSE * 2.0 ** min(self.failures, 16), MAX_PAUSE)
        self.failures += 1
        self.avoided_until = now + pause
        return pause

    def mark_working(self, started: float) -> None:
        """Forget the earlier failures, if the request was sent after them."""
        if self.failures and started >= self.failed_at:
            self.failures = 0
            self.avoided_until = -math.inf


class Rotation:
    """Proxies that take turns."""

    def __init__(self, proxies: Iterable[Proxy]) -> None:
        self.proxies = tuple(proxies)
        self._next = 0

    def choose(self, now: float, tried: Iterable[Proxy] = ()) -> Proxy | None:
        """Return the next proxy that is not avoided, or else the one avoided for the shortest time."""
        size = len(self.proxies)
        due: Proxy | None = None
        for step in range(size):
            index = (self._next + step) % size
            proxy = self.proxies[index]
            if proxy in tried:
                continue
            if proxy.avoided_until <= now:
                self._next = (index + 1) % size
                return proxy
            if due is None or proxy.avoided_until < due.avoided_until:
                due = proxy
        return due


class Proxies:
    """The proxies of a crawl."""

    def __init__(self, settings: Settings, environment: ProxyEnvironment) -> None:
        self.requests: Counter[str] = Counter()
        """Requests sent through each proxy, by host and port."""
        self.failures: Counter[str] = Counter()
        """Failures of each proxy, by host and port."""
        self._settings = settings
        self._environment = environment
        self._known: dict[str, Proxy] = {}
        self._rotations: dict[tuple[str, ...], Rotation] = {}
        self._route = lru_cache(maxsize=4096)(self._find)

    @classmethod
    def from_settings(cls, settings: Settings, environment: Mapping[str, str]) -> Proxies | None:
        """Return the proxies of a crawl; `None` if neither the settings nor the environment name any."""
        found = ProxyEnvironment.from_environ(environment if settings.proxy_env else {})
        return cls(settings, found) if settings.proxies or found else None

    def rotation_for(self, url: str) -> Rotation | None:
        """Return the proxies for a URL; `None` means a direct connection."""
        return self._route(urls.origin(url))

    def mark_failed(self, proxy: Proxy, started: float, now: float, error: Exception) -> None:
        """Note a failure of a proxy."""
        self.failures[proxy.name] += 1
        pause = proxy.mark_failed(started, now)
        if pause:
            log.info("the proxy %s is not used for %g s: %s", proxy.name, pause, error)

    def report(self) -> dict[str, dict[str, int]]:
        """Return the numbers of requests and failures by proxy, named by host and port."""
        return {
            name: {"requests": count, "failures": self.failures[name]} for name, count in sorted(self.requests.items())
        }

    def _find(self, origin: str) -> Rotation | None:
        found = self._settings.route(urls.authority(origin + "/"))
        if not found:
            named = self._environment.proxy_for(origin)
            found = (named,) if named else ()
        if found in ((), (DIRECT,)):
            return None
        if found not in self._rotations:
            self._rotations[found] = Rotation(self._proxy(url) for url in found)
        return self._rotations[found]

    def _proxy(self, url: str) -> Proxy:
        """Return the one `Proxy` of a URL, which several rules may name."""
        if url not in self._known:
            self._known[url] = Proxy(None, DIRECT) if url == DIRECT else Proxy(url, label(url))
        return self._known[url]
