"""`Settings`: every option of a crawl with its unit and range, and the values that options take.

A `Settings` is frozen, and knows which of its fields were given: `base | over` overrides those only. Everything here is
pure; values of the environment come from `crawler.environment`.
"""

from __future__ import annotations

from crawler.settings.settings import Settings

__all__ = ["Settings"]
