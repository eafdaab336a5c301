"""A governed httpx client: it waits for quotas and retries, without a crawl."""

from __future__ import annotations

import crawler.transport  # noqa: F401 - first: it makes importing httpx cheaper
