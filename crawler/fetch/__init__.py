"""From a request to its response: cookies, proxies and authentication around a transport."""

from __future__ import annotations

import crawler.transport  # noqa: F401 - first: it makes importing httpx cheaper
