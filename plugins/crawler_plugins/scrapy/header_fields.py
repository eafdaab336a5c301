"""`scrapy_headers`: header fields of the crawl as those of Scrapy; `header_pairs`: the reverse."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from scrapy.http import Headers

__all__ = ["header_pairs", "scrapy_headers"]


def scrapy_headers(pairs: Iterable[tuple[str, str]]) -> Any:
    """Return header fields as Scrapy has them: the bytes that were sent, with names in its form.

    Parameters:
        pairs: Names and values, the latter decoded as Latin-1.
    """
    found: dict[bytes, list[bytes]] = Headers()
    for name, value in pairs:
        dict.setdefault(found, _name_of(name), []).append(value.encode("latin-1"))
    return found


@lru_cache(maxsize=1000)
def _name_of(name: str) -> bytes:
    normal: bytes = Headers().normkey(name.encode("latin-1"))
    return normal


def header_pairs(headers: Any) -> list[tuple[str, str]]:
    """Return the header fields of Scrapy as text."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, values in headers.items() for value in values]
