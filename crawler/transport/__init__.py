"""libcurl as an httpx transport: `curl.CurlTransport`, with a resolver, decoders and errors of its own.

This is the only room that imports pycurl. It knows requests as bytes, and nothing of crawls.
"""

from __future__ import annotations

import sys

# Importing httpx imports its command line, and with it click, rich and pygments. httpx works without that module, so it
# is made to look absent meanwhile: the import then takes 0.04 CPU-seconds instead of 0.07.
if "httpx" not in sys.modules and "httpx._main" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    import httpx  # noqa: F401

    del sys.modules["httpx._main"]
