"""Which requests belong to a crawl."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import attrs

from crawler import urls
from crawler.errors import ConfigError

__all__ = ["Scope"]

REMEMBERED = 10_000
"""Origins whose verdict is kept."""


Domain: TypeAlias = tuple[str, int | None]
"""A host, and a port or `None` for all of them."""


def _domains(domains: Iterable[str] | None) -> tuple[Domain, ...] | None:
    if domains is None:
        return None
    if isinstance(domains, str) or not isinstance(domains, Iterable):
        raise ConfigError(f"allowed_domains must be a list of domains, not {domains!r}")
    return tuple(map(_domain, domains))


def _domain(domain: Any) -> Domain:
    """Host and port of ``example.com``, ``Bücher.example:8080``, ``[::1]``."""
    wrong = f"allowed_domains: not a domain: {domain!r}"
    if not isinstance(domain, str) or not domain.strip(".") or set("/?#@\\* ") & set(domain):
        raise ConfigError(f"{wrong} (write example.com; its subdomains are meant too)")
    try:
        url = urls.normal(f"http://{domain.strip('.')}/")
    except ValueError:
        raise ConfigError(wrong) from None
    return urls.host(url), _port(url) if domain[-1].isdigit() and ":" in domain.rpartition("]")[2] else None


def _port(url: str) -> int:
    port = urls.authority(url).removeprefix(urls.host(url)).removeprefix(":")
    return int(port) if port else 443 if url.startswith("https:") else 80


@attrs.frozen
class Scope:
    """The allowed domains and the depth of a crawl."""

    domains: tuple[Domain, ...] | None = attrs.field(default=None, converter=_domains)
    """Hosts, each with its subdomains; ``host:port`` and IP addresses stand for themselves. `None`: anywhere."""
    max_depth: int | None = None
    """Links from a start page. `None`: any."""
    _verdicts: dict[str, bool] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def refuses(self, url: str, depth: int) -> str | None:
        """Why a request does not belong here (``scope`` or ``depth``), or `None`.

        Parameters:
            url: canonical URL.
            depth: links from a start page.
        """
        if self.max_depth is not None and depth > self.max_depth:
            return "depth"
        if self.domains is None:
            return None
        origin = urls.origin(url)
        inside = self._verdicts.get(origin)
        if inside is None:
            if len(self._verdicts) >= REMEMBERED:
                self._verdicts.clear()
            host, port = urls.host(url).rstrip("."), _port(url)
            inside = self._verdicts[origin] = any(
                f".{host}".endswith(f".{domain}") if only is None else (host, port) == (domain, only)
                for domain, only in self.domains
            )
        return None if inside else "scope"
