"""`require_trio`: raises an error with advice if code for trio runs in another event loop."""

from __future__ import annotations

import sys

import trio

from crawler.errors import ConfigError

__all__ = ["require_trio"]


def require_trio(what: str, instead: str) -> None:
    """Check that trio runs the calling task."""
    if trio.lowlevel.in_trio_run():
        return
    where = "this is asyncio" if "asyncio" in sys.modules else "it does not run here"
    raise ConfigError(f"{what} needs the event loop of trio, and {where}: {instead}")
