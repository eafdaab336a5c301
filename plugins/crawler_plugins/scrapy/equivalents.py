"""`equivalents`: plugins of the crawl that do what plugins of Scrapy ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from crawler import Plugin

__all__ = ["equivalents", "rendering", "uses_playwright"]

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
    if not uses_playwright(settings):
        return []
    from crawler_plugins.browser import Browser  # noqa: PLC0415 - few projects render pages

    return [Browser(every="asked")]


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
