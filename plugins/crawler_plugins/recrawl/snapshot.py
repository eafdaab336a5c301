"""`Snapshot`: the facts about a page from its visits, and the conditions and the time of the next one. Pure: no I/O.

The rate of change is the estimator of Cho and Garcia-Molina, “Estimating frequency of change” (2003). Of a page that
was visited `n` times again, in `T` seconds, and had changed `x` times, it is

    rate = -ln((n - x + 0.5) / (n + 0.5)) · n / T   changes per second.

The page is due after `1 / rate` seconds, but not later than after `T`: what was watched for a day is not left alone for
a month. So the time between two visits doubles while a page stays the same.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["Change", "Snapshot", "is_page", "parse_http_date", "parse_lastmod", "usable_date", "usable_etag"]

Change: TypeAlias = Literal["new", "changed", "unchanged", "gone"]
"""The result of a visit."""
EARLY: Final = 0.9
"""Share of the time between two visits after which a page is due: runs at the same hour of the day vary a little."""
MAX_UNMODIFIED: Final = 20
"""Responses 304 in a row after which a page is fetched without conditions: its server may be wrong."""
MAX_MISSING: Final = 10
"""Responses 404 in a row after which a page is forgotten."""
GONE: Final = 410
ETAG: Final = re.compile(r"[!-~\x80-\xff]{1,1000}")
"""An entity tag that can be sent back, quoted and weak ones included (RFC 9110 section 8.8.3)."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The state of a page after its visits. Before a definitive response, its status is 0."""

    status: int = 0
    """HTTP status of the last definitive response, a success, a redirect, 404 or 410; 0 without one."""
    at: float = 0.0
    """Time of that response, in seconds since the epoch."""
    since: float = 0.0
    """Time of the first visit that found such a page, redirect or error."""
    visits: int = 0
    """Number of visits since then."""
    changes: int = 0
    """Number of them that found another content."""
    etag: str = ""
    """Its ``ETag``; empty without one."""
    modified: str = ""
    """Its ``Last-Modified``; empty without one that can be used."""
    digest: bytes = b""
    """Digest of its content."""
    unmodified: int = 0
    """Number of responses 304 in a row."""
    is_listed: bool = False
    """Whether a sitemap says when it changes."""
    has_actions: bool = False
    """Whether its callback yields requests that a 304 must not suppress, since they are not kept."""

    @property
    def is_forgotten(self) -> bool:
        """Return whether the page is no longer visited, unless another page links to it."""
        return self.status == GONE or (self.status == 404 and self.visits >= MAX_MISSING - 1)

    def conditions(self) -> list[tuple[str, str]]:
        """Return the header fields that ask whether the page has changed (RFC 9110 section 13.1)."""
        if not is_page(self.status) or self.has_actions or self.unmodified >= MAX_UNMODIFIED:
            return []
        fields = (("If-None-Match", self.etag), ("If-Modified-Since", self.modified))
        return [(name, value) for name, value in fields if value]

    def interval(self, minimum: float, maximum: float) -> float:
        """Return the seconds from the last visit to the next one.

        Parameters:
            minimum: Lower bound, in seconds.
            maximum: Upper bound, in seconds. It is that of a page in a sitemap that says when it changes.
        """
        if self.is_listed:
            return maximum
        watched = self.at - self.since
        n, x = self.visits, self.changes
        rate = -math.log((n - x + 0.5) / (n + 0.5)) * n / watched if watched > 0 else 0.0
        wait = min(1 / rate, watched) if rate > 0 else watched
        return min(max(wait, minimum), maximum)

    def is_due(self, now: float, minimum: float, maximum: float) -> bool:
        """Return whether the page is to be visited. Parameters: `now` in seconds since the epoch, and of `interval`."""
        return self.status == 0 or now >= self.at + EARLY * self.interval(minimum, maximum)

    def change(self, after: Snapshot) -> Change | None:
        """Return what a visit has found; `None` for a redirect or an error that was not a page before."""
        if is_page(after.status):
            if not is_page(self.status):
                return "new"
            return "unchanged" if after.digest == self.digest else "changed"
        return "gone" if is_page(self.status) else None

    def after(self, *, status: int, at: float, digest: bytes, etag: str, modified: str, is_listed: bool) -> Snapshot:
        """Return the snapshot after a visit.

        Parameters:
            status: HTTP status; 304 means that nothing has changed.
            at: Time of the visit, in seconds since the epoch.
            digest: Digest of the content, or of the target of a redirect.
            etag: The entity tag; empty without one.
            modified: The time of the last change; empty without a usable one.
            is_listed: Whether a sitemap says when it changes.
        """
        unmodified = status == 304
        if unmodified:
            status, digest = self.status, self.digest
            etag, modified = etag or self.etag, modified or self.modified
        is_same_kind = self.status == status or (is_page(self.status) and is_page(status))
        return Snapshot(
            status=status,
            at=at,
            since=self.since if is_same_kind else at,
            visits=self.visits + 1 if is_same_kind else 0,
            changes=self.changes + (digest != self.digest) if is_same_kind else 0,
            etag=etag,
            modified=modified,
            digest=digest,
            unmodified=self.unmodified + 1 if unmodified else 0,
            is_listed=is_listed,
        )


def is_page(status: int) -> bool:
    """Return whether a response with a status has a page."""
    return 200 <= status < 300


def usable_etag(text: str | None) -> str:
    """Return an entity tag that can be sent back; an empty string without one."""
    return text if text is not None and ETAG.fullmatch(text) else ""


def usable_date(text: str | None, now: float) -> str:
    """Return a ``Last-Modified`` that can be sent back as it is; an empty string without one.

    One in the future cannot: servers ignore it, or answer 304 until then (RFC 9110 sections 8.8.2.1 and 13.1.3).

    Parameters:
        text: The value of the field; `None` if it is missing.
        now: The time by the server's clock, in seconds since the epoch.
    """
    found = parse_http_date(text)
    return text if text is not None and found is not None and found <= now else ""


def parse_http_date(text: str | None) -> float | None:
    """Return a date of a header field in seconds since the epoch; `None` without a valid one."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_lastmod(text: object, now: float) -> float | None:
    """Return the ``lastmod`` of a sitemap in seconds since the epoch; `None` without a believable one.

    Parameters:
        text: ``Request.meta["lastmod"]``, in ISO 8601; UTC without a time zone.
        now: Seconds since the epoch. More than a day later is not believed.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        found = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return found if found <= now + 86_400.0 else None
