"""Which requests belong to a crawl."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from crawler import urls

__all__ = ["Scope"]

REMEMBERED = 10_000
"""Hosts whose verdict is kept."""


def _domains(domains: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if domains is None else tuple(domain.strip(".").lower() for domain in domains)


@attrs.frozen
class Scope:
    """The allowed domains and the depth of a crawl."""

    domains: tuple[str, ...] | None = attrs.field(default=None, converter=_domains)
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
        authority = urls.authority(url)
        inside = self._verdicts.get(authority)
        if inside is None:
            if len(self._verdicts) >= REMEMBERED:
                self._verdicts.clear()
            inside = self._verdicts[authority] = self._inside(authority, urls.host(url), self.domains)
        return None if inside else "scope"

    @staticmethod
    def _inside(authority: str, host: str, domains: tuple[str, ...]) -> bool:
        return any(domain in (host, authority) or host.endswith("." + domain) for domain in domains)
