"""A web page of a running crawl: what it does and why it waits, with controls, and a JSON API."""

from __future__ import annotations

from crawler_plugins.web.web_plugin import Web

__all__ = ["Web"]
