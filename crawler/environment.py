"""``env:NAME`` in place of a value: a reference to an environment variable, which is read when a crawl starts.

Only configuration is read in this way: settings, arguments of spiders, options of plugins, `Spider.auth`. Requests are
not, since their values may come from pages, which could name any variable.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final

from crawler.errors import ConfigError
from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import add_secrets

__all__ = ["is_reference", "resolve", "resolve_credentials", "resolve_values"]

PREFIX: Final = "env:"
SCHEME: Final = lazy_pattern(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+ +)(env:.*)", re.DOTALL)
"""A scheme of authentication, and a reference in place of its credentials: ``Bearer env:API_TOKEN``."""


def is_reference(value: Any) -> bool:
    """Return whether a value is ``env:NAME``."""
    return isinstance(value, str) and value.startswith(PREFIX)


def resolve(value: str, where: str) -> str:
    """Return a value, or for ``env:NAME`` the value of that environment variable."""
    if not is_reference(value):
        return value
    name = value.removeprefix(PREFIX)
    if not os.environ.get(name):
        raise ConfigError(f"{where}: the environment variable {name!r} is not set")
    add_secrets(os.environ[name], "secret")
    return os.environ[name]


def resolve_credentials(value: str, where: str) -> str:
    """Return the value of an ``Authorization`` field or another one, as `resolve` does.

    ``Bearer env:NAME`` works too.
    """
    found = SCHEME.fullmatch(value)
    return resolve(value, where) if found is None else found[1] + resolve(found[2], where)


def resolve_values(value: Any, where: str) -> Any:
    """Return a value in which each text, in lists and mappings too, is resolved; the same object without references."""
    if isinstance(value, str):
        return resolve(value, where)
    if isinstance(value, dict):
        parts = {key: resolve_values(part, where) for key, part in value.items()}
        return parts if any(parts[key] is not value[key] for key in parts) else value
    if type(value) in (list, tuple):
        items = [resolve_values(part, where) for part in value]
        return type(value)(items) if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
