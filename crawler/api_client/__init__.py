"""A governed httpx client: it keeps the limits of APIs, waits for quotas and retries, without a crawl.

`crawler.client` opens one. It is an `httpx.AsyncClient` on a `GovernedTransport`, which also wraps any other transport.
The rules are those of `crawler.limits`, as in a crawl. Nothing of a crawl is imported.
"""

from __future__ import annotations

import typing as _typing

import crawler.transport  # noqa: F401 - first: it makes importing httpx cheaper
from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.api_client.client": "Client",
        "crawler.api_client.sending": "QuotaTimeout",
        "crawler.api_client.mapping": "MappedResponses",
        "crawler.api_client.transport": "GovernedTransport",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.api_client.client import Client as Client
    from crawler.api_client.mapping import MappedResponses as MappedResponses
    from crawler.api_client.sending import QuotaTimeout as QuotaTimeout
    from crawler.api_client.transport import GovernedTransport as GovernedTransport
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
