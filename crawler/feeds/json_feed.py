"""JSON Feed, versions 1 and 1.1 (jsonfeed.org)."""

from __future__ import annotations

from typing import Any

import msgspec

from crawler.content.json_values import decode_json, stops_within
from crawler.feeds.dates import parse_date
from crawler.feeds.feed import Enclosure, Feed, FeedEntry
from crawler.urls import join

__all__ = ["read_json_feed"]


def read_json_feed(text: bytes, url: str, *, is_all: bool = True) -> Feed | None:
    """Parse a JSON Feed; `None` if the text, which may be less than the file, is not one."""
    try:
        found = decode_json(text)
    except (msgspec.DecodeError, RecursionError):
        is_feed = is_all and (b"jsonfeed.org" in text or b'"items"' in text)
        return Feed(fault="truncated JSON") if is_feed and stops_within(text.decode("utf-8", "replace")) else None
    if not isinstance(found, dict):
        return None
    items = found.get("items")
    if "jsonfeed.org" not in (_text(found, "version") or "") and not isinstance(items, list):
        return None
    return Feed(
        title=_line(_text(found, "title")),
        url=_url(url, found, "home_page_url"),
        entries=[_entry(item, url) for item in _objects(items)],
        next=_url(url, found, "next_url"),
    )


def _entry(item: dict[str, Any], url: str) -> FeedEntry:
    authors = [*_objects(item.get("authors")), *_objects([item.get("author")])]
    attachments = [(_url(url, one, "url"), one) for one in _objects(item.get("attachments"))]
    tags = item.get("tags")
    return FeedEntry(
        url=_url(url, item, "url") or _url(url, item, "external_url"),
        id=_text(item, "id"),
        title=_line(_text(item, "title")),
        published=parse_date(_text(item, "date_published") or ""),
        updated=parse_date(_text(item, "date_modified") or ""),
        summary=_text(item, "summary"),
        content=_text(item, "content_html") or _text(item, "content_text"),
        author=", ".join(dict.fromkeys(name for author in authors if (name := _text(author, "name")))) or None,
        categories=tuple(tag for tag in tags if isinstance(tag, str) and tag) if isinstance(tags, list) else (),
        enclosures=tuple(
            Enclosure(url=target, type=_text(one, "mime_type"), length=_size(one.get("size_in_bytes")))
            for target, one in attachments
            if target is not None
        ),
    )


def _objects(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _text(found: dict[str, Any], name: str) -> str | None:
    """Return a text, or a number as text, as an ``id`` may be (jsonfeed.org: "coerce that value to a string")."""
    value = found.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value.strip() else None


def _line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())


def _url(base: str, found: dict[str, Any], name: str) -> str | None:
    value = _text(found, name)
    return None if value is None else join(base, value.strip())


def _size(value: Any) -> int | None:
    return (
        int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**63 else None
    )
