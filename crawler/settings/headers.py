"""Header fields that somebody gives: what one is made of, and which every request may carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from crawler.errors import ConfigError

__all__ = ["TOKEN", "VALUE", "default_fields", "merged"]

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a field, and other words of HTTP (RFC 9110 section 5.6.2)."""
VALUE: Final = re.compile(r"[\t -~]*")
"""The value of a field as one may send it (RFC 9110 section 5.5): no line break can stand in it."""
ELSEWHERE: Final = {
    "user-agent": "it is the setting user_agent, which robots.txt is read by",
    "authorization": "it would go to every site; Spider.auth gives it to one",
    "cookie": "it would go to every site; Request(cookies=...) and sessions give them to one",
    "proxy-authorization": "user and password stand in the URL of a proxy",
    "host": "it is that of the URL",
    "content-length": "it is that of the body",
    "transfer-encoding": "it is that of the body",
    "connection": "connections are the transport's",
}
"""Fields that are no default, and why."""


def default_fields(value: Any) -> dict[str, str]:
    """The setting `headers`: name to value, in order; `None` is an empty value, which takes a default field away.

    Raises:
        ConfigError: it is no mapping of fields that can be sent, or one of them is not for every request.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting headers: expected a mapping of names to values, got {value!r}")
    fields: dict[str, str] = {}
    names: set[str] = set()
    for name, given in value.items():
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ConfigError(f"setting headers: not a field name: {name!r}")
        text = "" if given is None else given
        if not isinstance(text, str) or not VALUE.fullmatch(text):
            raise ConfigError(f"setting headers: not a value for {name}: {given!r}")
        low = name.lower()
        if low in ELSEWHERE:
            raise ConfigError(f"setting headers: {name} is no default field: {ELSEWHERE[low]}")
        if low in names:
            raise ConfigError(f"setting headers: {name} is given twice")
        names.add(low)
        fields[name] = text
    return fields


def merged(base: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """The fields of `base`, those that `over` names too replaced at their place, and then the others of `over`."""
    names = {name.lower(): name for name in over}
    fields = {
        names.get(name.lower(), name): over.get(names.get(name.lower(), ""), value) for name, value in base.items()
    }
    return fields | {name: value for name, value in over.items() if name not in fields}
