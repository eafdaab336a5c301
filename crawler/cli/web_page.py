"""``crawler run --ui``: the plugin that serves a web page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crawler.errors import ConfigError
from crawler.hooks.load import construct, load_plugin
from crawler.hooks.plugin import Plugin

__all__ = ["ADDRESS", "address_options", "with_web_page"]

ADDRESS: Final = r"(\[[0-9a-fA-F:]+\]|[\w.-]*):\d+|\d+"
"""The value of ``--ui``, which is the empty text without one."""


def with_web_page(plugins: Sequence[Plugin], address: str) -> tuple[Plugin, ...]:
    """Return the plugins with the one that serves the web page."""
    if any(plugin.name == "web" for plugin in plugins):
        raise ConfigError("use either --ui or -p web, not both")
    return *plugins, construct(load_plugin("web"), address_options(address), what="--ui")


def address_options(address: str) -> dict[str, str]:
    """Return the options of the web page for ``HOST:PORT``, ``HOST``, ``PORT``, or an empty text."""
    host, _, port = address.rpartition(":") if not address.isdecimal() else ("", "", address)
    if address and not address.isdecimal() and not port.isdecimal():
        host, port = address, "0"
    return {"port": port or "0"} | ({"host": host.strip("[]")} if host else {})
