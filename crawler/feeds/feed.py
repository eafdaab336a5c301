"""`Feed` and `FeedEntry`: the content of a feed, whatever its format."""

from __future__ import annotations

from datetime import datetime

import attrs

__all__ = ["Enclosure", "Feed", "FeedEntry"]


@attrs.frozen(kw_only=True)
class Enclosure:
    """A file attached to an entry, such as the episode of a podcast."""

    url: str
    """Absolute URL of the file."""
    type: str | None = None
    """Media type; `None` if not given."""
    length: int | None = None
    """Size in bytes; `None` if not given."""


@attrs.frozen(kw_only=True)
class FeedEntry:
    """One entry of a feed. Fields that the feed does not have are `None` or empty."""

    url: str | None = None
    """URL of the entry's page: absolute, canonical and without fragment."""
    id: str | None = None
    """Permanent identifier: ``guid``, ``id`` or ``rdf:about``."""
    title: str | None = None
    """Title as plain text, with white space collapsed."""
    published: datetime | None = None
    """Time of publication, in UTC if the feed names no time zone."""
    updated: datetime | None = None
    """Time of the last change, in UTC if the feed names no time zone."""
    summary: str | None = None
    """Summary: HTML, or plain text if the feed says so."""
    content: str | None = None
    """Full content: HTML, or plain text if the feed says so."""
    author: str | None = None
    """Names of the authors, separated by commas."""
    categories: tuple[str, ...] = ()
    """Categories or tags."""
    enclosures: tuple[Enclosure, ...] = ()
    """Attached files."""


@attrs.frozen(kw_only=True)
class Feed:
    """A feed: RSS, Atom or JSON Feed. Fields that it does not have are `None` or empty."""

    title: str | None = None
    """Title as plain text, with white space collapsed."""
    url: str | None = None
    """URL of the web page that the feed belongs to."""
    entries: list[FeedEntry] = attrs.field(factory=list)
    """The entries, in the order of the feed."""
    next: str | None = None
    """URL of the next page of the feed, with older entries (RFC 5005; ``next_url`` of JSON Feed)."""
    fault: str | None = None
    """Why the feed could not be read completely, in a few words; `None` if it was."""
