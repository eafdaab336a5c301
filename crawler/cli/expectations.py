"""Expectations in the docstring of a callback: lines that begin with ``@``, like Scrapy's contracts.

::

    def parse(self, response):
        \"\"\"Parse a list of quotes.

        @url https://quotes.example/page/1/
        @page pages/quotes.html
        @returns items 10
        @returns requests 0 1
        @scrapes text author
        \"\"\"
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field

from crawler.errors import ConfigError
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from crawler.cli.one_callback import Outcome
    from crawler.spiders import Spider

__all__ = ["Expectation", "expectations_of", "problems_of"]

LINE: Final = re.compile(r"^[ \t]*@(\w+)(.*)$", re.MULTILINE)
NAMES: Final = ("url", "page", "returns", "scrapes", "cb_kwargs")
KINDS: Final = {"item": "items", "items": "items", "request": "requests", "requests": "requests"}


class Range(Struct, frozen=True):
    """How many items or requests are expected."""

    minimum: int
    maximum: int | None

    def __contains__(self, number: int) -> bool:
        return number >= self.minimum and (self.maximum is None or number <= self.maximum)

    def __str__(self) -> str:
        if self.maximum is None:
            return f"{self.minimum} or more"
        return str(self.minimum) if self.minimum == self.maximum else f"{self.minimum} to {self.maximum}"


class Expectation(Struct, kw_only=True):
    """The expectations of one callback."""

    callback: str
    """Name of the method."""
    url: str = ""
    """The page that it handles."""
    page: str = ""
    """A file with the body of that page, relative to the file of the spider; empty: the page is fetched."""
    cb_kwargs: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the callback."""
    counts: dict[str, Range] = field(default_factory=dict)
    """Expected number of ``items`` and ``requests``."""
    fields: tuple[str, ...] = ()
    """Fields that each item has."""

    def file(self, spider: Spider) -> Path | None:
        """Return the file of the page; `None` if the page is fetched."""
        if not self.page:
            return None
        return Path(inspect.getfile(type(spider))).parent / self.page


def expectations_of(spider: Spider) -> Iterator[Expectation]:
    """Yield the expectations in the docstrings of a spider's methods.

    A docstring without any known line has none: tools for documentation use such lines as well (``@param``).
    """
    for name in dir(type(spider)):
        method = getattr(type(spider), name)
        doc = inspect.getdoc(method) if inspect.isfunction(method) else None
        lines = [(word, rest.strip()) for word, rest in LINE.findall(doc or "")]
        if any(word in NAMES for word, _ in lines):
            yield _expectation(name, lines)


def _expectation(callback: str, lines: list[tuple[str, str]]) -> Expectation:
    found = Expectation(callback=callback)
    for name, text in lines:
        try:
            _take(found, name, text)
        except ConfigError as error:
            raise ConfigError(f"{callback}: @{name} {text}: {error}") from None
    if not found.url:
        raise ConfigError(f"{callback}: its docstring has no @url, the page that it is checked with")
    return found


def _take(found: Expectation, name: str, text: str) -> None:
    """Add one line to an expectation."""
    if name == "url":
        found.url = text
    elif name == "page":
        found.page = text
    elif name == "scrapes":
        found.fields += tuple(text.split())
    elif name == "cb_kwargs":
        try:
            found.cb_kwargs = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ConfigError(f"not a JSON object: {error}") from None
    elif name == "returns":
        kind, *numbers = text.split()
        if kind not in KINDS or len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
            raise ConfigError("write items or requests, then the minimum and the maximum: @returns items 1 10")
        minimum = int(numbers[0]) if numbers else 1
        maximum = int(numbers[1]) if len(numbers) > 1 else None
        if maximum is not None and maximum < minimum:
            raise ConfigError("the maximum is below the minimum")
        found.counts[KINDS[kind]] = Range(minimum, maximum)
    else:
        raise ConfigError(f"no such expectation{did_you_mean(name, NAMES)}; there are {', '.join(NAMES)}")


def problems_of(expected: Expectation, outcome: Outcome) -> Iterator[str]:
    """Yield each expectation that is not met, in words."""
    if outcome.failure is not None:
        yield str(outcome.failure.error)
        return
    for kind, range_ in expected.counts.items():
        number = len(outcome.items) if kind == "items" else len(outcome.requests)
        if number not in range_:
            yield f"{number} {kind}, expected {range_}"
    for name in expected.fields:
        missing = sum(item.get(name) in (None, "", []) for item in outcome.items)
        if missing:
            yield f"field {name!r} is missing or empty in {missing} of {len(outcome.items)} items"
    if expected.fields and not outcome.items:
        yield f"no item, expected items with {', '.join(expected.fields)}"
