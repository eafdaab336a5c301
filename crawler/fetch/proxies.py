"""Which proxy a request goes through: by rule or from the environment, several in turn, those that fail at rest.

Pure: it knows no clock and no network. `Downloader` asks it before it sends, and tells it how that went.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs

from crawler import urls
from crawler.fetch.proxy_env import ProxyEnvironment
from crawler.settings.proxies import DIRECT, label

if TYPE_CHECKING:
    from crawler.settings import Settings

__all__ = ["Proxies", "Proxy", "Rotation"]

REST: Final = 5.0
"""Seconds that a proxy rests after a failure; doubled for each further one in a row."""
LONGEST_REST: Final = 600.0
"""Seconds that it rests at most."""
log = logging.getLogger("crawler.fetch")


@attrs.define(eq=False)
class Proxy:
    """One proxy, and how it does."""

    url: str | None
    """`None`: no proxy, the request goes to its site directly."""
    name: str
    """Host and port, for people."""
    failures: int = 0
    """Failures in a row."""
    failed_at: float = -math.inf
    """Seconds: the last of them."""
    rests_until: float = -math.inf
    """Seconds: when it is used again."""

    def failed(self, began: float, now: float) -> float:
        """It did not do what it is for; gives the seconds that it rests from now on, 0 if that was known already.

        Parameters:
            began: when the request was given to it. Requests in flight together fail together: that is one failure.
            now: seconds.
        """
        if self.url is None or began < self.failed_at:
            return 0.0
        self.failed_at = now
        rest = min(REST * 2.0 ** min(self.failures, 16), LONGEST_REST)
        self.failures += 1
        self.rests_until = now + rest
        return rest

    def worked(self, began: float) -> None:
        """It did: what it has failed in before is forgotten."""
        if self.failures and began >= self.failed_at:
            self.failures = 0
            self.rests_until = -math.inf


class Rotation:
    """Proxies that take turns.

    Parameters:
        proxies: at least one.
    """

    def __init__(self, proxies: Iterable[Proxy]) -> None:
        self.proxies = tuple(proxies)
        self._next = 0

    def choose(self, now: float, tried: Iterable[Proxy] = ()) -> Proxy | None:
        """The next one that does not rest; if all do, the one that is due first; `None`: all were tried.

        Parameters:
            now: seconds.
            tried: those that the same request was given to already.
        """
        size = len(self.proxies)
        due: Proxy | None = None
        for step in range(size):
            index = (self._next + step) % size
            proxy = self.proxies[index]
            if proxy in tried:
                continue
            if proxy.rests_until <= now:
                self._next = (index + 1) % size
                return proxy
            if due is None or proxy.rests_until < due.rests_until:
                due = proxy
        return due


class Proxies:
    """The proxies of a crawl.

    Parameters:
        settings: `proxies` and `proxy_env`.
        environment: the variables that may name proxies.

    Raises:
        ConfigError: the environment names what is no proxy.
    """

    def __init__(self, settings: Settings, environment: ProxyEnvironment) -> None:
        self.requests: Counter[str] = Counter()
        """Requests that were given to each, by host and port."""
        self.failures: Counter[str] = Counter()
        """Failures of each."""
        self._settings = settings
        self._environment = environment
        self._known: dict[str, Proxy] = {}
        self._rotations: dict[tuple[str, ...], Rotation] = {}
        self._route = lru_cache(maxsize=4096)(self._find)

    @classmethod
    def from_settings(cls, settings: Settings, environment: Mapping[str, str]) -> Proxies | None:
        """What is to be asked before each request; `None`: there is no proxy at all."""
        found = ProxyEnvironment.from_environ(environment if settings.proxy_env else {})
        return cls(settings, found) if settings.proxies or found else None

    def rotation_for(self, url: str) -> Rotation | None:
        """Those that a URL is reached by; `None`: it is reached directly."""
        return self._route(urls.origin(url))

    def failed(self, proxy: Proxy, began: float, now: float, error: Exception) -> None:
        """A proxy did not do what it is for.

        Parameters:
            proxy: which.
            began: seconds: when the request was given to it.
            now: seconds.
            error: how it failed.
        """
        self.failures[proxy.name] += 1
        rest = proxy.failed(began, now)
        if rest:
            log.info("the proxy %s rests for %g s: %s", proxy.name, rest, error)

    def report(self) -> dict[str, dict[str, int]]:
        """By host and port: how many requests a proxy was given, and how often it failed."""
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
        """The same proxy in several rules is one."""
        if url not in self._known:
            self._known[url] = Proxy(None, DIRECT) if url == DIRECT else Proxy(url, label(url))
        return self._known[url]
