"""The setting `headers`: the headers that every request carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from crawler.errors import ConfigError
from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import character_at, describe

__all__ = [
    "OPAQUE",
    "TOKEN",
    "VALUE",
    "DefaultHeaders",
    "default_fields",
    "merge_layers",
    "merged",
    "misfit",
    "shown_name",
]

TOKEN: Final = lazy_pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token, such as the name of a header (RFC 9110 section 5.6.2)."""
VALUE: Final = lazy_pattern(r"[\t -~]*")
"""The value of a header as a client may send it (RFC 9110 section 5.5), without line breaks."""
OPAQUE: Final = lazy_pattern(r"[\t -~\x80-\xff]*")
"""The same with bytes that are not ASCII, each as one character: what they mean is up to the server ("obs-text")."""
DefaultHeaders: TypeAlias = Mapping[str, str | Mapping[str, str]]
"""Names to values, for all hosts, and globs of hosts to such mappings."""
FORBIDDEN: Final = {
    "user-agent": "use the setting user_agent, which also selects the group of robots.txt",
    "proxy-authorization": "write user and password in the URL of the proxy",
    "host": "the URL sets it",
    "content-length": "the body sets it",
    "transfer-encoding": "the body sets it",
    "connection": "the transport sets it",
}
"""Headers that cannot be a default, and what to do instead."""


def default_fields(value: Any) -> DefaultHeaders:
    """Convert the setting `headers` to a dict, in order. `None` is an empty value, which removes a default header.

    A mapping in place of a value means that its key is a glob of hosts, and that its headers go to these hosts only.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting headers: must be a mapping of names to values, not {describe(value)}")
    everywhere = _fields({name: given for name, given in value.items() if not isinstance(given, Mapping)}, "")
    hosts = {_glob(name): _fields(given, f"{name}: ") for name, given in value.items() if isinstance(given, Mapping)}
    return everywhere | hosts


def _glob(glob: Any) -> str:
    if not isinstance(glob, str) or not glob or "/" in glob.rpartition("://")[2]:
        raise ConfigError(f"setting headers: the key of a mapping must be a glob of hosts, not {glob!r}")
    return glob


def _fields(given: Mapping[Any, Any], where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    names: set[str] = set()
    for name, value in given.items():
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ConfigError(f"setting headers: {where}not a header name: {shown_name(name)}")
        text = "" if value is None else value
        if not isinstance(text, str) or not VALUE.fullmatch(text):
            raise ConfigError(f"setting headers: {where}not a value for {name}: {misfit(text, VALUE)}")
        low = name.lower()
        if low in FORBIDDEN:
            raise ConfigError(f"setting headers: {where}{name} cannot be a default: {FORBIDDEN[low]}")
        if low in names:
            raise ConfigError(f"setting headers: {where}{name} is given twice")
        names.add(low)
        fields[name] = text
    return fields


def shown_name(name: Any) -> str:
    """Return an invalid name as an error message shows it, without what may be a value: ``X-Api-Key: abc``."""
    return repr(re.sub("([:=]).+", r"\1…", name, flags=re.DOTALL)) if isinstance(name, str) else repr(name)


def misfit(value: Any, pattern: re.Pattern[str]) -> str:
    """Return why a value that does not match cannot be sent, without the value: it may be a secret."""
    if not isinstance(value, str):
        return f"must be text, not {type(value).__name__}"
    valid = pattern.match(value)
    return character_at(value, valid.end() if valid else 0)


def merged(base: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of `base`, overridden in place by those of `over`, followed by the other headers of `over`."""
    names = {name.lower(): name for name in over}
    fields = {
        names.get(name.lower(), name): over.get(names.get(name.lower(), ""), value) for name, value in base.items()
    }
    return fields | {name: value for name, value in over.items() if name not in fields}


def merge_layers(base: DefaultHeaders, over: DefaultHeaders) -> dict[str, Any]:
    """Return the setting `headers` of two layers: header by header, for all hosts and for each glob.

    The globs of `over` come first, since the first one that matches a host counts.
    """
    parts = [
        (
            {name: value for name, value in layer.items() if isinstance(value, str)},
            {glob: fields for glob, fields in layer.items() if not isinstance(fields, str)},
        )
        for layer in (base, over)
    ]
    (everywhere, hosts), (everywhere_over, hosts_over) = parts
    both = {glob: merged(hosts.get(glob, {}), fields) for glob, fields in hosts_over.items()}
    return merged(everywhere, everywhere_over) | both | {glob: hosts[glob] for glob in hosts if glob not in both}
