"""How the pages of an API follow one another. Pure: what a page says decides whether there is a next one, and which."""

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
"""How the next page is named: by a ``Link`` header, its number, the number of items before it, a cursor or a URL that
the page itself holds, the cursor of a GraphQL connection."""
WITH_PATH: Final = ("cursor", "url")
PARAMETERS: Final = {"page": "page", "offset": "offset", "cursor": "cursor", "graphql": "after"}
"""What the parameter of the next page is usually called."""


@attrs.frozen
class Position:
    """Where a page stands among the pages of an API; it goes along with its request."""

    number: int = 1
    """Of the page, from 1, in the order in which they are asked for."""
    value: int | str | None = None
    """The page number, offset or cursor that it was asked for by; `None`: none."""
    full: int = 0
    """Items of a full page, as the first one showed; 0: not known."""
    last: str = ""
    """A digest of the items of the page before."""
    alone: bool = False
    """It was asked for together with those behind it."""


@attrs.frozen
class PageContent:
    """What a page showed."""

    body: Any
    """The value of its JSON."""
    items: list[Any]
    """Its items."""
    url: str
    """Its URL."""
    next_link: str | None
    """Where its ``Link`` header says that the next page is (RFC 8288)."""

    def digest(self) -> str:
        """What is the same for the same items; empty for none."""
        return hashlib.blake2b(msgspec.json.encode(self.items), digest_size=12).hexdigest() if self.items else ""


def parse_next(text: str) -> tuple[Kind, str]:
    """The kind and the path of ``cursor:meta.next``.

    Raises:
        ValueError: it is no way to a next page.
    """
    kind, colon, path = text.partition(":")
    if kind not in get_args(Kind):
        hint = did_you_mean(kind, get_args(Kind)) or f" ({', '.join(get_args(Kind))})"
        raise ValueError(f"no way to the next page is called {kind!r}{hint}")
    if kind in WITH_PATH and not path:
        raise ValueError(f"{kind} needs the place where it stands in a page, as in {kind}:meta.next")
    if colon and kind not in (*WITH_PATH, "graphql"):
        raise ValueError(f"{kind} takes no path; param= names its parameter")
    found: Kind = kind  # type: ignore[assignment]
    return found, path


@attrs.frozen(kw_only=True)
class Paging:
    """How to get from one page to the next."""

    kind: Kind
    """How the next page is named."""
    where: Callable[[Any], Any] | None = None
    """Gives the cursor or URL that stands in a page."""
    more: Callable[[Any], Any] | None = None
    """Gives what says whether there are more pages."""
    total: Callable[[Any], Any] | None = None
    """Gives the number of all items."""
    first: int = 1
    """Number of the first page, or first offset."""
    until: Literal["short", "empty"] = "short"
    """The last page: one with fewer items than the first one, or one without any."""
    max_pages: int | None = None
    """Pages that are asked for at most."""

    def start(self) -> Position:
        """Where the first page stands."""
        return Position(value=self.first if self.kind in ("page", "offset") else None)

    def is_repeat(self, seen: PageContent, position: Position) -> bool:
        """Whether a page has the items of the one before."""
        return bool(seen.items) and seen.digest() == position.last

    def missing(self, seen: PageContent) -> str:
        """What the first page should tell of those behind it and does not; empty: nothing."""
        told = {"more": self.more, "total": self.total}
        return next((name for name, find in told.items() if find is not None and find(seen.body) is None), "")

    def next_positions(self, seen: PageContent, position: Position) -> list[Position]:
        """Where the next page stands; empty: there is none.

        Raises:
            ValueError: the page says something odd of its next one.
        """
        if position.alone or (self.max_pages is not None and position.number >= self.max_pages):
            return []
        if self.more is not None:
            more = self.more(seen.body)
            if more is None and self.kind == "graphql":
                raise ValueError("it has no pageInfo: the query has to ask for pageInfo { hasNextPage endCursor }")
            if not _true(more):
                return []
        value = self._counted(seen, position) if self.kind in ("page", "offset") else self._named(seen, position)
        if value is None:
            if self.kind == "graphql":
                raise ValueError("it has a next page but no endCursor: the query has to ask for it in pageInfo")
            return []
        return [Position(position.number + 1, value, position.full or len(seen.items), seen.digest())]

    def remaining(self, seen: PageContent) -> Iterable[Position]:
        """Where all pages stand that follow the first one, by the number of all items that it tells.

        Raises:
            ValueError: it tells none.
        """
        full, total = len(seen.items), self._total(seen)
        if total is None:
            raise ValueError("the page does not tell how many items there are in all, which parallel pages need")
        left = total - (self._skipped * full if self.kind == "page" else self._skipped)
        many = math.ceil(left / full) if full else 0
        if self.max_pages is not None:
            many = min(many, self.max_pages)
        stride = full if self.kind == "offset" else 1
        digest = seen.digest()
        for number in range(2, many + 1):
            yield Position(number, self.first + (number - 1) * stride, full, digest, number < many)

    def _counted(self, seen: PageContent, position: Position) -> int | None:
        """The number of the next page, or the next offset."""
        got, value = len(seen.items), position.value
        if not got or not isinstance(value, int):
            return None
        if self.kind == "offset":
            done = value - self.first + self._skipped + got
        else:
            done = (self._skipped + position.number - 1) * (position.full or got) + got
        total = self._total(seen)
        if total is not None:
            if done >= total:
                return None
        elif self.more is None and self.until == "short" and got < position.full:
            return None
        return value + (got if self.kind == "offset" else 1)

    @property
    def _skipped(self) -> int:
        """Pages, or items, that stand before the first one that is asked for; counting begins with 0 or 1."""
        return self.first - 1 if self.kind == "page" and self.first > 0 else self.first if self.first > 1 else 0

    def _named(self, seen: PageContent, position: Position) -> str | int | None:
        """The cursor or URL of the next page."""
        value = seen.next_link if self.where is None else self.where(seen.body)
        if value is None or value is False or value == "":
            return None
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ValueError(f"what leads to the next page is no text or number: {value!r:.80}")  # noqa: TRY004 - of a server
        if self.kind in ("link", "url"):
            target = urls.join(seen.url, str(value))
            if target is None:
                raise ValueError(f"what leads to the next page is no web URL: {value!r:.80}")
            return target
        return value

    def _total(self, seen: PageContent) -> int | None:
        value = None if self.total is None else self.total(seen.body)
        if isinstance(value, str) and value.isdecimal() and len(value) < 16:
            value = int(value)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"the number of all items is none: {value!r:.80}")
        return value


def _true(value: Any) -> bool:
    return value.strip().lower() not in ("", "0", "false", "no") if isinstance(value, str) else bool(value)


def with_query(url: str, parameters: dict[str, Any]) -> str:
    """A URL with some parameters of its query set; the others stay as they are written."""
    base, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and unquote_plus(part.partition("=")[0]) not in parameters]
    new = [f"{quote(name, '')}={quote(str(value), '')}" for name, value in parameters.items()]
    return "?".join(filter(None, (base, "&".join(kept + new))))
