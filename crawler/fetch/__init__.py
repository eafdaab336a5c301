"""Requests on the wire: the only room that imports httpx or libcurl."""

from __future__ import annotations

import sys

# httpx brings a command line of its own along, which nobody here calls: as a missing one, which it allows for, it need
# not be loaded. That halves the time that importing httpx takes.
if "httpx" not in sys.modules and "httpx._main" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    import httpx  # noqa: F401

    del sys.modules["httpx._main"]
