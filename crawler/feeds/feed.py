"""`Feed` and `FeedEntry`: what a feed says, whatever its format."""

from __future__ import annotations

from datetime import datetime

import attrs

__all__ = ["Enclosure", "Feed", "FeedEntry"]


@attrs.frozen(kw_only=True)
class Enclosure:
    """A file that belongs to an entry: the episode of a podcast."""

    url: str
    """Where it is."""
    type: str | None = None
    """Its media type."""
    length: int | None = None
    """Its size in bytes."""


@attrs.frozen(kw_only=True)
class FeedEntry:
    """One entry of a feed. What the feed does not tell is `None` or empty."""

    url: str | None = None
    """The page of the entry: absolute, canonical, without fragment."""
    id: str | None = None
    """What names it for good: ``guid``, ``id``, ``rdf:about``."""
    title: str | None = None
    """Its title as text, white space collapsed."""
    published: datetime | None = None
    """When it came out; UTC where no time zone is told."""
    updated: datetime | None = None
    """When it was last changed."""
    summary: str | None = None
    """A short form of the content: HTML, or text where the feed says that it is text."""
    content: str | None = None
    """The content: HTML, or text where the feed says that it is text."""
    author: str | None = None
    """Who wrote it; several are separated by commas."""
    categories: tuple[str, ...] = ()
    """What it is about."""
    enclosures: tuple[Enclosure, ...] = ()
    """Files that belong to it."""


@attrs.frozen(kw_only=True)
class Feed:
    """A feed: RSS, Atom or JSON Feed."""

    title: str | None = None
    """Its title as text, white space collapsed."""
    url: str | None = None
    """The page that it is the feed of."""
    entries: list[FeedEntry] = attrs.field(factory=list)
    """Its entries, in their order."""
    next: str | None = None
    """The URL of its next page, with older entries (RFC 5005; JSON Feed)."""
    fault: str | None = None
    """Why not all of it could be read, in a few words."""
