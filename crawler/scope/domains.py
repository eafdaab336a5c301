"""`Domains`: the hosts of a crawl, as ``allowed_domains`` names them.

=================== ============================================================================
``example.com``     this host and its subdomains
``=example.com``    this host only
``~example.co.uk``  all hosts of the registrable domain of this host, by the public suffix list:
                    ``~www.example.co.uk`` means the same
``example.com:81``  this host only, on this port only
=================== ============================================================================

An IP address means itself only.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from crawler import urls
from crawler.errors import ConfigError

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

__all__ = ["Domains"]

MAX_REMEMBERED = 10_000
"""Origins whose result is cached."""
FORBIDDEN: Final = set("/?#@\\* =~")
"""Characters that no host contains."""


class Domain(Struct, frozen=True):
    """One entry of ``allowed_domains``."""

    host: str
    """Host in canonical form."""
    port: int | None = None
    """The only port; `None` means any."""
    subdomains: bool = True
    """Whether subdomains are included."""

    def match(self, host: str, port: int) -> bool:
        """Return whether the entry includes a host on a port."""
        if self.port not in (None, port):
            return False
        return host == self.host or (self.subdomains and host.endswith(f".{self.host}"))


class Domains:
    """The hosts of a crawl."""

    def __init__(self, domains: Iterable[str]) -> None:
        if isinstance(domains, str) or not isinstance(domains, Iterable):
            raise ConfigError(f"allowed_domains must be a list of domains, not {domains!r}")
        self._domains = tuple(map(_domain, domains))
        self._verdicts: dict[str, bool] = {}

    def match(self, url: str) -> bool:
        """Return whether a canonical URL is on one of the hosts."""
        origin = urls.origin(url)
        inside = self._verdicts.get(origin)
        if inside is None:
            if len(self._verdicts) >= MAX_REMEMBERED:
                self._verdicts.clear()
            host, port = urls.host(url).rstrip("."), _port(url)
            inside = self._verdicts[origin] = any(domain.match(host, port) for domain in self._domains)
        return inside


def _domain(written: Any) -> Domain:
    """Parse one entry."""
    wrong = f"allowed_domains: not a domain: {written!r}"
    kind, text = "", written
    if isinstance(written, str) and written[:1] in ("=", "~"):
        kind, text = written[0], written[1:]
    if not isinstance(text, str) or not text.strip(".") or FORBIDDEN & set(text):
        raise ConfigError(f"{wrong} (write example.com, which includes its subdomains)")
    try:
        url = urls.normalize(f"http://{text.strip('.')}/")
    except ValueError:
        raise ConfigError(wrong) from None
    host = urls.host(url)
    port = _port(url) if text[-1].isdigit() and ":" in text.rpartition("]")[2] else None
    is_address = host.startswith("[") or host.replace(".", "").isdigit()
    if kind == "~" and not is_address:
        if port is not None:
            raise ConfigError(f"{wrong} (a registrable domain has no port)")
        return Domain(_registrable(host, wrong))
    return Domain(host, port, subdomains=not kind and port is None and not is_address)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - few crawls need it, and it loads slowly

    return PublicSuffixList()


def _registrable(host: str, wrong: str) -> str:
    """Return the registrable domain of a host, by the public suffix list including its private section."""
    found = _suffixes().privatesuffix(host)
    if not found:
        raise ConfigError(f"{wrong} ({host} has no registrable domain: it is a public suffix or a single label)")
    return str(found)


def _port(url: str) -> int:
    port = urls.authority(url).removeprefix(urls.host(url)).removeprefix(":")
    return int(port) if port else 443 if url.startswith("https:") else 80
