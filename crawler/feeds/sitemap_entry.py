"""`SitemapEntry`: one entry of a sitemap, with Google's extensions for images, videos and news."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import attrs

__all__ = ["SitemapEntry", "SitemapImage", "SitemapNews", "SitemapVideo"]


@attrs.frozen(kw_only=True)
class SitemapImage:
    """An image of a page (Google's image extension)."""

    url: str
    """Absolute URL of the image."""
    caption: str | None = None
    """Caption."""
    title: str | None = None
    """Title."""
    geo_location: str | None = None
    """Place where it was taken."""
    license: str | None = None
    """URL of its license, as written."""


@attrs.frozen(kw_only=True)
class SitemapNews:
    """The news article of a page (Google's news extension)."""

    name: str | None = None
    """Name of the publication."""
    language: str | None = None
    """Language of the publication."""
    title: str | None = None
    """Title of the article."""
    published: datetime | None = None
    """Time of publication."""
    keywords: str | None = None
    """Keywords, separated by commas."""
    genres: str | None = None
    """Genres, separated by commas."""
    stock_tickers: str | None = None
    """Stock tickers, separated by commas."""
    access: str | None = None
    """``Subscription`` or ``Registration``; `None` if access is free."""


@attrs.frozen(kw_only=True)
class SitemapVideo:
    """A video of a page (Google's video extension)."""

    url: str | None = None
    """Absolute URL of the file (``content_loc``)."""
    player: str | None = None
    """Absolute URL of a player (``player_loc``)."""
    thumbnail: str | None = None
    """Absolute URL of a preview image (``thumbnail_loc``)."""
    title: str | None = None
    """Title."""
    description: str | None = None
    """Description."""
    duration: int | None = None
    """Length in seconds."""
    published: datetime | None = None
    """Time of publication."""
    expires: datetime | None = None
    """Time from which it is no longer available."""
    fields: dict[str, str] = attrs.field(factory=dict)
    """Other fields as written: ``rating``, ``view_count``, ``family_friendly``, ``category``, ``live``, …"""
    tags: tuple[str, ...] = ()
    """Tags."""


@attrs.frozen(kw_only=True)
class SitemapEntry:
    """One entry of a sitemap."""

    url: str
    """Absolute URL, canonical and without fragment."""
    kind: Literal["page", "sitemap"] = "page"
    """``page``, or ``sitemap`` for an entry of a sitemap index."""
    lastmod: datetime | None = None
    """Time of the last change: the first moment if only a day, month or year is given; `None` if not given."""
    changefreq: str | None = None
    """``always``, ``hourly``, ``daily``, ``weekly``, ``monthly``, ``yearly`` or ``never``; `None` if not given."""
    priority: float | None = None
    """Priority among the pages of the site, from 0 to 1; `None` if not given, which means 0.5 (sitemaps.org)."""
    alternates: dict[str, str] = attrs.field(factory=dict)
    """URLs of the page in other languages, by ``hreflang``."""
    images: tuple[SitemapImage, ...] = ()
    """Images of the page."""
    videos: tuple[SitemapVideo, ...] = ()
    """Videos of the page."""
    news: SitemapNews | None = None
    """The page as a news article; `None` if it is not one."""
    _until: datetime | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def changed_by(self) -> datetime | None:
        """The last moment that `lastmod` stands for: the end of the day if only a day is given; `None` without it."""
        return max(self.lastmod, self._until) if self.lastmod and self._until else self.lastmod

    def changed_since(self, moment: datetime) -> bool:
        """Return whether the page may have changed at `moment` or later.

        A page without `lastmod` may have changed at any time; one that changed on some day, until the end of that day.

        Parameters:
            moment: A time, in UTC if it has no time zone.
        """
        last = self.changed_by
        return last is None or last >= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
