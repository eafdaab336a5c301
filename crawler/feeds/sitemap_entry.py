"""`SitemapEntry`: what a sitemap tells of one page, with Google's extensions for images, videos and news."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import attrs

__all__ = ["SitemapEntry", "SitemapImage", "SitemapNews", "SitemapVideo"]


@attrs.frozen(kw_only=True)
class SitemapImage:
    """An image of a page (Google's image extension)."""

    url: str
    """Where it is."""
    caption: str | None = None
    """What is said of it."""
    title: str | None = None
    """Its title."""
    geo_location: str | None = None
    """Where it was taken."""
    license: str | None = None
    """The URL of its license, as written."""


@attrs.frozen(kw_only=True)
class SitemapNews:
    """What makes a page an article of news (Google's news extension)."""

    name: str | None = None
    """The publication."""
    language: str | None = None
    """Its language."""
    title: str | None = None
    """The title of the article."""
    published: datetime | None = None
    """When it came out."""
    keywords: str | None = None
    """Words, separated by commas."""
    genres: str | None = None
    """Kinds, separated by commas."""
    stock_tickers: str | None = None
    """Companies, separated by commas."""
    access: str | None = None
    """``Subscription`` or ``Registration``; `None`: it is free."""


@attrs.frozen(kw_only=True)
class SitemapVideo:
    """A video of a page (Google's video extension)."""

    url: str | None = None
    """Where the file is (``content_loc``)."""
    player: str | None = None
    """The URL of a player for it (``player_loc``)."""
    thumbnail: str | None = None
    """The URL of a picture of it (``thumbnail_loc``)."""
    title: str | None = None
    """Its title."""
    description: str | None = None
    """What it shows."""
    duration: int | None = None
    """Seconds."""
    published: datetime | None = None
    """When it came out."""
    expires: datetime | None = None
    """When it will be gone."""
    fields: dict[str, str] = attrs.field(factory=dict)
    """What else is told, as written: ``rating``, ``view_count``, ``family_friendly``, ``category``, ``live``, …"""
    tags: tuple[str, ...] = ()
    """What it is about."""


@attrs.frozen(kw_only=True)
class SitemapEntry:
    """One entry of a sitemap."""

    url: str
    """Absolute and canonical, without fragment."""
    kind: Literal["page", "sitemap"] = "page"
    """What is there: a page, or another sitemap (the entry of an index)."""
    lastmod: datetime | None = None
    """When it was last changed: the beginning of that day, month or year if no more is told; `None`: nobody knows."""
    changefreq: str | None = None
    """``always hourly daily weekly monthly yearly never``."""
    priority: float | None = None
    """0 to 1, among the pages of the site; a page of which nothing is told has 0.5 (sitemaps.org)."""
    alternates: dict[str, str] = attrs.field(factory=dict)
    """The URL of the same page by language, as ``hreflang`` names it."""
    images: tuple[SitemapImage, ...] = ()
    """Its images."""
    videos: tuple[SitemapVideo, ...] = ()
    """Its videos."""
    news: SitemapNews | None = None
    """What it is as news."""
    _until: datetime | None = attrs.field(default=None, repr=False, eq=False)

    def changed_since(self, moment: datetime) -> bool:
        """Whether it may have been changed at `moment` or later; so may one without `lastmod`.

        One that was changed on some day may have been changed in the evening.
        """
        last = max(self.lastmod, self._until) if self.lastmod and self._until else self.lastmod
        return last is None or last >= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
