"""`Coverage`: count in how many items each field holds a value."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crawler import ConfigError, Crawl, Item, Plugin, Response
from crawler_plugins.item_fields import fields_of, is_empty, type_of

__all__ = ["Coverage"]

PREFIX = "coverage "
log = logging.getLogger("crawler.plugins.coverage")


class Coverage(Plugin):
    """Counts in how many items each field holds a value, by class of item, and logs the shares at the end.

    The counters of the report are ``coverage Book`` (items) and ``coverage Book.title`` (items with a title). Dicts are
    counted as ``item``. A value is anything but `None`, a blank text, and an empty list or dict. List this plugin
    after those that drop items.

    Parameters:
        most: Number of different fields that are counted, at least 1. The others are left out.

    Raises:
        ConfigError: `most` is out of range.
    """

    def __init__(self, *, most: int = 500) -> None:
        if most < 1:
            raise ConfigError(f"coverage: most must be at least 1 field, not {most}")
        self.most = most
        self._known: set[str] = set()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Log the shares when the crawl has ended."""
        self._known = {name for name in crawl.stats.counters if name.startswith(PREFIX) and "." in name}
        yield
        for kind, shares in self.shares().items():
            listed = ", ".join(f"{field} {share:.1%}" for field, share in shares.items())
            log.warning("%s: %d, with %s", kind, crawl.stats.counters[PREFIX + kind], listed or "no fields")

    async def refine(self, item: Item, response: Response) -> None:
        """Count the fields of the item."""
        kind = PREFIX + type_of(item)
        self.crawl.count(kind)
        for field, value in fields_of(item).items():
            name = f"{kind}.{field}"
            if name in self._known or len(self._known) < self.most:
                self._known.add(name)
                self.crawl.count(name, 0 if is_empty(value) else 1)

    def shares(self) -> dict[str, dict[str, float]]:
        """Return the share of items with a value in each field, from 0 to 1, by class of item and field."""
        return {kind: {f: n / total for f, n in fields.items()} for kind, (total, fields) in self._counts().items()}

    def share(self, field: str) -> float | None:
        """Return the share of items with a value in a field, from 0 to 1; `None` if there are no items.

        Parameters:
            field: ``title`` for the items of all classes that have this field, ``Book.title`` for those of one class.
        """
        counted = self._counts()
        kind, _, name = field.partition(".")
        if kind not in counted or not name:
            kind, name = "", field
        counts = [counts for known, counts in counted.items() if kind in ("", known)]
        having = [(total, fields[name]) for total, fields in counts if name in fields]
        items = sum(total for total, _ in having or counts)
        return sum(filled for _, filled in having) / items if items else None

    def _counts(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Return the number of items, and of those with a value in each field, by class of item."""
        counters = self.crawl.stats.counters
        found: dict[str, tuple[int, dict[str, int]]] = {}
        for name in sorted(name for name in counters if name.startswith(PREFIX)):  # a class comes before its fields
            kind, dot, field = name.removeprefix(PREFIX).partition(".")
            if not dot:
                found[kind] = counters[name], {}
            elif kind in found:
                found[kind][1][field] = counters[name]
        return found
