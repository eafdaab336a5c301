"""The setting `proxies`: proxy URLs, and the hosts that use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import ada_url

from crawler.environment import is_reference
from crawler.errors import ConfigError
from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import add_secrets, describe, hide_userinfo

__all__ = ["DIRECT", "PROXY_PORTS", "label", "proxy_url", "routes_of"]

DIRECT: Final = "direct"
"""Written in place of a proxy URL: connect directly."""
PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Default port by the scheme of a proxy URL."""
VISIBLE: Final = lazy_pattern(r"[!-~]+")


def proxy_url(text: str) -> str:
    """Return the URL of a proxy, unchanged."""
    scheme = text.partition("://")[0].lower()
    try:
        url = ada_url.URL(text) if scheme in PROXY_PORTS and VISIBLE.fullmatch(text) else None
    except ValueError:
        url = None
    if url is None or not url.hostname or url.pathname not in ("", "/") or url.search or url.hash:
        raise ValueError(f"not the URL of an http, https, socks5 or socks5h proxy: {_shown(text)}")
    add_secrets(text)
    return text


def label(url: str) -> str:
    """Return the host and port of a proxy URL, the part that may be shown."""
    parsed = ada_url.URL(url)
    return f"{parsed.hostname}:{parsed.port or PROXY_PORTS[parsed.protocol[:-1]]}"


def routes_of(value: Any) -> dict[str, tuple[str, ...]]:
    """Convert the setting `proxies` to a mapping of host globs to proxies. A URL or a list of them is for all hosts."""
    if isinstance(value, Mapping):
        return {_glob(glob): _proxies(given, f"{glob}: ") for glob, given in value.items()}
    if isinstance(value, (str, Sequence)):
        return {"*": _proxies(value, "")} if value else {}
    raise ConfigError(
        f"setting proxies: must be a URL, a list of them, or a mapping of globs to them, not {_shown(value)}"
    )


def _shown(value: Any) -> str:
    """Return a value for an error message, without user name and password."""
    return repr(hide_userinfo(value)) if isinstance(value, str) else describe(value)


def _glob(glob: Any) -> str:
    if not isinstance(glob, str) or not glob:
        raise ConfigError(f"setting proxies: a glob of hosts must be text, not {glob!r}")
    if "/" in glob:
        raise ConfigError(f"setting proxies: a glob must name hosts, not URLs: {glob!r}")
    return glob


def _proxies(given: Any, where: str) -> tuple[str, ...]:
    found = (given,) if isinstance(given, str) else given
    wrong = () if isinstance(found, Sequence) and found else (given,)
    for one in wrong or [one for one in found if not isinstance(one, str)]:
        raise ConfigError(f"setting proxies: {where}must be a URL, a list of them, or direct, not {_shown(one)}")
    try:
        # A reference to the environment is checked when it is resolved.
        return tuple(one if one == DIRECT or is_reference(one) else proxy_url(one) for one in dict.fromkeys(found))
    except ValueError as error:
        raise ConfigError(f"setting proxies: {where}{error}") from None
