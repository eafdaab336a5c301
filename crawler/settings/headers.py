"""The setting `headers`: the headers that every request carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from crawler.errors import ConfigError

__all__ = ["TOKEN", "VALUE", "default_fields", "merged"]

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token, such as the name of a header (RFC 9110 section 5.6.2)."""
VALUE: Final = re.compile(r"[\t -~]*")
"""The value of a header as a client may send it (RFC 9110 section 5.5), without line breaks."""
FORBIDDEN: Final = {
    "user-agent": "use the setting user_agent, which also selects the group of robots.txt",
    "authorization": "every site would get it; use Spider.auth for one site",
    "cookie": "every site would get it; use Request(cookies=...) for one site",
    "proxy-authorization": "write user and password in the URL of the proxy",
    "host": "the URL sets it",
    "content-length": "the body sets it",
    "transfer-encoding": "the body sets it",
    "connection": "the transport sets it",
}
"""Headers that cannot be a default, and what to do instead."""


def default_fields(value: Any) -> dict[str, str]:
    """Convert the setting `headers` to a dict, in order. `None` is an empty value, which removes a default header.

    Raises:
        ConfigError: The value is not a mapping of headers that can be sent, or one of them cannot be a default.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting headers: expected a mapping of names to values, got {value!r}")
    fields: dict[str, str] = {}
    names: set[str] = set()
    for name, given in value.items():
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ConfigError(f"setting headers: not a header name: {name!r}")
        text = "" if given is None else given
        if not isinstance(text, str) or not VALUE.fullmatch(text):
            raise ConfigError(f"setting headers: not a value for {name}: {given!r}")
        low = name.lower()
        if low in FORBIDDEN:
            raise ConfigError(f"setting headers: {name} cannot be a default: {FORBIDDEN[low]}")
        if low in names:
            raise ConfigError(f"setting headers: {name} is given twice")
        names.add(low)
        fields[name] = text
    return fields


def merged(base: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of `base`, overridden in place by those of `over`, followed by the other headers of `over`."""
    names = {name.lower(): name for name in over}
    fields = {
        names.get(name.lower(), name): over.get(names.get(name.lower(), ""), value) for name, value in base.items()
    }
    return fields | {name: value for name, value in over.items() if name not in fields}
