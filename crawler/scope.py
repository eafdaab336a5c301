"""Which requests belong to a crawl."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from crawler import urls
from crawler.messages import Request

__all__ = ["Scope"]


def _domains(domains: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if domains is None else tuple(domain.strip(".").lower() for domain in domains)


@attrs.frozen
class Scope:
    """The allowed domains and the depth of a crawl."""

    domains: tuple[str, ...] | None = attrs.field(default=None, converter=_domains)
    """Hosts, each with its subdomains; ``host:port`` and IP addresses stand for themselves. `None`: anywhere."""
    max_depth: int | None = None
    """Links from a start page. `None`: any."""

    def refuses(self, request: Request) -> str | None:
        """Why `request` does not belong here (``scope`` or ``depth``), or `None`."""
        if self.max_depth is not None and request.depth > self.max_depth:
            return "depth"
        if self.domains is None:
            return None
        authority = urls.authority(request.url)
        host = urls.host(request.url)
        for domain in self.domains:
            if domain in (host, authority) or host.endswith("." + domain):
                return None
        return "scope"
