"""Pagination of an API: from the content of a page to the position of the next. Everything here is pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, get_args
from urllib.parse import quote, unquote_plus

import attrs
import msgspec

from crawler import urls
from crawler.suggest import did_you_mean

__all__ = ["Kind", "PageContent", "Paging", "Position", "parse_next", "with_query"]

Kind = Literal["link", "page", "offset", "cursor", "url", "graphql"]
"""How the next page is found: by a ``Link`` header field; by page number; by the number of items before it; by a cursor
or URL in the page; by the cursor of a GraphQL connection."""
WITH_PATH: Final = ("cursor", "url")
PARAMETERS: Final = {"page": "page", "offset": "offset", "cursor": "cursor", "graphql": "after"}
"""Usual name of the parameter for the next page."""


@attrs.frozen
class Position:
    """The position of a page among the pages of an API. It travels with the request of the page."""

    number: int = 1
    """Number of the page from 1, in the order of the requests."""
    value: int | str | None = None
    """Page number, offset or cursor of the request; `None` without one."""
    full: int = 0
    """Items of a full page, which is the first one; 0 if unknown."""
    last: str = ""
    """Digest of the items of the previous page."""
    alone: bool = False
    """Whether the pages after this one were requested together with it."""


@attrs.frozen
class PageContent:
    """The content of a page."""

    body: Any
    """The JSON value."""
    items: list[Any]
    """The items."""
    url: str
    """The URL of the page."""
    next_link: str | None
    """Target of ``rel=next`` in its ``Link`` header field (RFC 8288); `None` without one."""

    def digest(self) -> str:
        """Return a digest of the items; empty if there are none."""
        return hashlib.blake2b(msgspec.json.encode(self.items), digest_size=12).hexdigest() if self.items else ""


def parse_next(text: str) -> tuple[Kind, str]:
    """Return kind and path of a description such as ``cursor:meta.next``."""
    kind, colon, path = text.partition(":")
    if kind not in get_args(Kind):
        hint = did_you_mean(kind, get_args(Kind)) or f" ({', '.join(get_args(Kind))})"
        raise ValueError(f"unknown kind of paging {kind!r}{hint}")
    if kind in WITH_PATH and not path:
        raise ValueError(f"{kind} needs its path in a page, as in {kind}:meta.next")
    if colon and kind not in (*WITH_PATH, "graphql"):
        raise ValueError(f"{kind} takes no path; param= names its parameter")
    found: Kind = kind  # type: ignore[assignment]
    return found, path


@attrs.frozen(kw_only=True)
class Paging:
    """How to get from one page to the next."""

    kind: Kind
    """How the next page is found."""
    where: Callable[[Any], Any] | None = None
    """Returns the cursor or URL in a page."""
    more: Callable[[Any], Any] | None = None
    """Returns whether there are more pages, as a page says."""
    total: Callable[[Any], Any] | None = None
    """Returns the total number of items, as a page says."""
    first: int = 1
    """Number of the first page, or first offset."""
    until: Literal["short", "empty"] = "short"
    """The last page is one with fewer items than the first page (``short``), or one without items (``empty``)."""
    max_pages: int | None = None
    """Maximum number of pages; `None` means no limit."""

    def start(self) -> Position:
        """Return the position of the first page."""
        return Position(value=self.first if self.kind in ("page", "offset") else None)

    def is_repeat(self, page: PageContent, position: Position) -> bool:
        """Return whether a page has the same items as the previous one."""
        return bool(page.items) and page.digest() == position.last

    def missing(self, page: PageContent) -> str:
        """Return the name of the value that the first page should have and does not; empty if none is missing."""
        expected = {"more": self.more, "total": self.total}
        return next((name for name, find in expected.items() if find is not None and find(page.body) is None), "")

    def next_positions(self, page: PageContent, position: Position) -> list[Position]:
        """Return the position of the next page in a list; empty if this is the last page."""
        if position.alone or (self.max_pages is not None and position.number >= self.max_pages):
            return []
        if self.more is not None:
            more = self.more(page.body)
            if more is None and self.kind == "graphql":
                raise ValueError("it has no pageInfo: the query must select pageInfo { hasNextPage endCursor }")
            if not _true(more):
                return []
        value = self._counted(page, position) if self.kind in ("page", "offset") else self._named(page, position)
        if value is None:
            if self.kind == "graphql":
                raise ValueError("it has a next page but no endCursor: the query must select it in pageInfo")
            return []
        return [Position(position.number + 1, value, position.full or len(page.items), page.digest())]

    def remaining(self, page: PageContent) -> Iterable[Position]:
        """Yield the positions of all pages after the first one, by the total number of items."""
        full, total = len(page.items), self._total(page)
        if total is None:
            raise ValueError("the page does not have the total number of items, which parallel pages need")
        left = total - (self._skipped * full if self.kind == "page" else self._skipped)
        many = math.ceil(left / full) if full else 0
        if self.max_pages is not None:
            many = min(many, self.max_pages)
        stride = full if self.kind == "offset" else 1
        digest = page.digest()
        for number in range(2, many + 1):
            yield Position(number, self.first + (number - 1) * stride, full, digest, number < many)

    def _counted(self, page: PageContent, position: Position) -> int | None:
        """Return the number of the next page, or the next offset."""
        got, value = len(page.items), position.value
        if not got or not isinstance(value, int):
            return None
        if self.kind == "offset":
            done = value - self.first + self._skipped + got
        else:
            done = (self._skipped + position.number - 1) * (position.full or got) + got
        total = self._total(page)
        if total is not None:
            if done >= total:
                return None
        elif self.more is None and self.until == "short" and got < position.full:
            return None
        return value + (got if self.kind == "offset" else 1)

    @property
    def _skipped(self) -> int:
        """Number of pages or items before the first one that is requested. Counting begins with 0 or 1."""
        return self.first - 1 if self.kind == "page" and self.first > 0 else self.first if self.first > 1 else 0

    def _named(self, page: PageContent, position: Position) -> str | int | None:
        """Return the cursor or URL of the next page."""
        value = page.next_link if self.where is None else self.where(page.body)
        if value is None or value is False or value == "":
            return None
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ValueError(f"the next page is named by neither text nor a number: {value!r:.80}")  # noqa: TRY004
        if self.kind in ("link", "url"):
            target = urls.join(page.url, str(value))
            if target is None:
                raise ValueError(f"the URL of the next page is not a web URL: {value!r:.80}")
            return target
        return value

    def _total(self, page: PageContent) -> int | None:
        value = None if self.total is None else self.total(page.body)
        if isinstance(value, str) and value.isdecimal() and len(value) < 16:
            value = int(value)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"the total number of items is invalid: {value!r:.80}")
        return value


def _true(value: Any) -> bool:
    return value.strip().lower() not in ("", "0", "false", "no") if isinstance(value, str) else bool(value)


def with_query(url: str, parameters: dict[str, Any]) -> str:
    """Return a URL with some parameters of its query set. Others are kept as written."""
    base, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in parameters]
    new = [f"{quote(name, '')}={quote(str(value), '')}" for name, value in parameters.items()]
    return "?".join(filter(None, (base, "&".join(kept + new))))
