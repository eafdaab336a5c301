"""`session_plugins`: the plugins of a crawl that logs in, or that must not log out. Other crawls have none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.sessions.login import Login
from crawler.sessions.logout import LogoutLinks
from crawler.sessions.sessions import Sessions
from crawler.settings import Settings

__all__ = ["session_plugins"]


def session_plugins(spider: Any, settings: Settings) -> list[Plugin]:
    """Return the plugins for the `login` of a spider, and for links that log out.

    Raises:
        ConfigError: The `login` is a URL or a list with something else in it, or a variable of the environment is
            not set.
    """
    logins = _logins(spider.login)
    plugins: list[Plugin] = [Sessions(spider, logins)] if logins else []
    if settings.skip_logout or (settings.skip_logout is None and (logins or _has_cookie(settings.headers))):
        plugins.append(LogoutLinks())
    return plugins


def _logins(given: Any) -> list[Login]:
    """Return the logins of a spider. Something else of that name, such as a callback, is its own affair."""
    if isinstance(given, Login):
        return [given]
    if isinstance(given, str) and "://" in given:
        raise ConfigError('login must be a Login, as in Login("https://site.example/login", {"user": …}), not a URL')
    if not isinstance(given, (list, tuple)) or not any(isinstance(one, Login) for one in given):
        return []
    if not all(isinstance(one, Login) for one in given):
        raise ConfigError(f"login must be a Login or a list of them, not {given!r}")
    return list(given)


def _has_cookie(headers: Mapping[str, Any]) -> bool:
    return any(_has_cookie(value) if isinstance(value, Mapping) else name.lower() == "cookie" and bool(value)
               for name, value in headers.items())  # fmt: skip
