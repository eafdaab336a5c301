"""The plugin ``browser``: pages that need JavaScript, rendered by Chromium over its DevTools protocol."""

from crawler_plugins.browser.browser_plugin import Browser

__all__ = ["Browser"]
