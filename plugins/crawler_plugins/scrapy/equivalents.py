"""`equivalents`: plugins of the crawl that do what settings and plugins of Scrapy ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from crawler import ConfigError, Plugin

__all__ = ["equivalents", "rendering", "uses_playwright"]

FOLDER: Final = Path(".scrapy")
"""Where Scrapy keeps what belongs to a project."""
PLAYWRIGHT: Final = "scrapy_playwright"
METHODS: Final[dict[str, Callable[..., tuple[str, Any]]]] = {
    "wait_for_selector": lambda selector: ("wait", selector),
    "wait_for_timeout": lambda milliseconds: ("wait", milliseconds / 1000),
    "click": lambda selector: ("actions", f"click '{selector}'"),
    "evaluate": lambda script: ("actions", f"evaluate '{script}'"),
    "fill": lambda selector, text: ("actions", f"type '{selector}' '{text}'"),
    "type": lambda selector, text: ("actions", f"type '{selector}' '{text}'"),
    "press": lambda _selector, key: ("actions", f"press {key}"),
}
"""Methods of a Playwright page, and what the plugin `browser` does for them."""


def equivalents(settings: Any) -> list[Plugin]:
    """Return the plugins for the settings of a project.

    Parameters:
        settings: A `scrapy.settings.Settings`.

    Raises:
        ConfigError: A plugin cannot be used.
    """
    found: list[Plugin] = []
    if settings.getbool("HTTPCACHE_ENABLED"):
        found.append(_cache(settings))
    if uses_playwright(settings):
        from crawler_plugins.browser import Browser  # noqa: PLC0415 - few projects render pages

        found.append(Browser(every="asked"))
    return found


def uses_playwright(settings: Any) -> bool:
    """Return whether the project has the download handler of scrapy-playwright."""
    handlers = settings.getdict("DOWNLOAD_HANDLERS") or {}
    return any(str(handler).startswith(PLAYWRIGHT) for handler in handlers.values())


def rendering(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options of the plugin `browser` for the keys of scrapy-playwright in `meta`; `None` without them.

    Raises:
        ValueError: A key or a method of the page has no equivalent.
    """
    if not meta.get("playwright"):
        return None
    if meta.get("playwright_include_page"):
        raise ValueError("meta['playwright_include_page']: no page of Playwright exists; use playwright_page_methods")
    options: dict[str, Any] = {}
    methods = meta.get("playwright_page_methods") or ()
    for method in methods.values() if isinstance(methods, Mapping) else methods:
        make = METHODS.get(method.method)
        if make is None:
            raise ValueError(f"meta['playwright_page_methods']: the plugin browser has no {method.method}")
        name, value = make(*method.args)
        if name == "actions":
            options.setdefault("actions", []).append(value)
        else:
            options[name] = value
    return options


def _cache(settings: Any) -> Plugin:
    """Return the cache of responses."""
    from crawler_plugins.archive.cache import Cache  # noqa: PLC0415 - few projects keep responses
    from crawler_plugins.archive.http_cache import HttpCache  # noqa: PLC0415

    folder = Path(settings.get("HTTPCACHE_DIR") or "httpcache")
    folder = folder if folder.is_absolute() else FOLDER / folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"HTTPCACHE_DIR: {folder} cannot be created: {error.strerror}") from error
    if str(settings.get("HTTPCACHE_POLICY")).endswith("RFC2616Policy"):
        return HttpCache(folder / "http-cache.sqlite")
    ignored = tuple(int(code) for code in settings.getlist("HTTPCACHE_IGNORE_HTTP_CODES"))
    age = settings.getint("HTTPCACHE_EXPIRATION_SECS")
    return Cache(folder / "cache.sqlite", ignore_statuses=ignored, max_age=age or None)
