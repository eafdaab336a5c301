"""From a request to its response: header fields, cookies, proxies, authentication and limits of the body.

`downloader.Downloader` puts them around any httpx transport. It makes one attempt; retries and redirects are the
decisions of the engine.
"""

from __future__ import annotations

import crawler.transport  # noqa: F401 - first: it makes importing httpx cheaper
