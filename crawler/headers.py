"""`Headers`: the header fields of a message, in order, with names regardless of case (RFC 9110 section 5.1).

`ReceivedHeaders` are decoded when they are first looked at. A crawl asks for few fields of a response, and responses
of one server mostly have the same ones in the same order, so the names are looked up together, as what is known of the
last message with the same names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
from msgspec import Struct

from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import redact_field

__all__ = ["Fields", "Headers", "ReceivedHeaders", "may_cross_origins", "names_of", "pairs_of", "product_token"]

PORTABLE: Final = frozenset(
    {
        "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "content-digest",
        "content-encoding", "content-language", "content-length", "content-location", "content-type", "digest", "dnt",
        "expect", "last-modified", "pragma", "priority", "range", "repr-digest", "save-data", "sec-gpc", "te",
        "trailer", "transfer-encoding", "upgrade-insecure-requests", "user-agent",
    }
)  # fmt: skip
"""Fields that say what a client accepts, or describe a body, and so mean the same to every origin."""

LINE_SPACE: Final = " \t\r\n"
"""The characters around the value of a header line."""
FOLD: Final = (" ", "\t")
"""The first character of a line that continues the value of the line before."""
COMPATIBLE: Final = lazy_pattern(r"\s*Mozilla/.*?\bcompatible\s*;\s*([^\s/;()]+)", re.IGNORECASE | re.DOTALL)


@attrs.frozen(eq=False, repr=False, init=False)
class Headers(Mapping[str, str]):
    """An immutable multi-dictionary: `headers["content-type"]`, `headers.get_list("set-cookie")`, `headers.pairs`.

    Parameters:
        fields: A mapping, or (name, value) pairs in the order of the message.
    """

    pairs: tuple[tuple[str, str], ...]
    """Every field line, with its name in the spelling of the message."""
    _folded: dict[str, str] | None = None

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        if type(fields) is list:  # the case of every response: further checks would cost
            pairs = tuple(fields)
        elif isinstance(fields, Headers):
            pairs = fields.pairs
        else:
            pairs = tuple(fields.items() if isinstance(fields, Mapping) else fields)
        self.__attrs_init__(pairs)

    @classmethod
    def from_lines(cls, lines: Iterable[bytes]) -> Headers:
        """Return the fields of header lines as received. Lines that are not fields are skipped, as in browsers.

        Parameters:
            lines: The lines, each with the line feed at its end.
        """
        pairs: list[tuple[str, str]] = []
        for line in b"".join(lines).decode("latin-1").split("\n"):
            name, colon, value = line.partition(":")
            if name.startswith(FOLD):  # a folded line (RFC 9112 section 5.2)
                if pairs:
                    name, start = pairs.pop()
                    pairs.append((name, f"{start} {line.strip(LINE_SPACE)}"))
            elif colon and (name := name.rstrip(" \t")):
                pairs.append((name, value.strip(LINE_SPACE)))
        return cls(pairs)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every field line, in lower case."""
        return tuple([name.lower() for name, _ in self.pairs])

    def encode(self) -> list[tuple[bytes, bytes]]:
        """Return the names and values as bytes."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.pairs]

    def _fold(self) -> dict[str, str]:
        """Return values by lower-case name, those of repeated lines joined with commas (RFC 9110 section 5.3)."""
        if self._folded is None:
            folded = {name.lower(): value for name, value in self.pairs}
            if len(folded) < len(self.pairs):
                values: dict[str, list[str]] = {name: [] for name in folded}
                for name, value in self.pairs:
                    values[name.lower()].append(value)
                folded = {name: ", ".join(lines) for name, lines in values.items()}
            object.__setattr__(self, "_folded", folded)
            return folded
        return self._folded

    def __getitem__(self, name: str) -> str:
        return self._fold()[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, its lines joined with commas, or `default` if there is none."""
        return (self._folded or self._fold()).get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fold())

    def __len__(self) -> int:
        return len(self._fold())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in (self._folded or self._fold())

    def get_list(self, name: str) -> list[str]:
        """Return the value of each line of a field, as for ``Set-Cookie``, whose values contain commas."""
        lowered = name.lower()
        return [value for key, value in self.pairs if key.lower() == lowered]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return self._fold() == Headers(other)._fold()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._fold().items()))

    def __repr__(self) -> str:
        shown = {name: redact_field(name, value) for name, value in self._fold().items()}
        return f"Headers({shown!r})"


Fields: TypeAlias = Headers | list[tuple[str, str]] | tuple[tuple[str, str], ...]
"""Header fields, perhaps as mere pairs of name and value."""


def pairs_of(fields: Fields) -> Sequence[tuple[str, str]]:
    """Return the pairs of name and value."""
    return fields.pairs if isinstance(fields, Headers) else fields


def names_of(fields: Fields) -> tuple[str, ...]:
    """Return the name of every field line, in lower case."""
    if isinstance(fields, (list, tuple)):  # not `Headers`: to ask for an abstract class takes several calls
        return tuple([name.lower() for name, _ in fields])
    return fields.names


def may_cross_origins(name: str, allowed: Collection[str] = ()) -> bool:
    """Return whether a redirect to another origin may carry a field of a request (RFC 9110 section 15.4).

    Any other field may hold a secret, whatever its name is.
    """
    return name.lower() in PORTABLE or name.lower() in allowed


def product_token(user_agent: str) -> str:
    """Return the product token of a ``User-Agent``, which robots.txt files name (RFC 9309 section 2.2.1).

    It ends at the first space or slash. Many robots call themselves ``Mozilla/5.0 (compatible; ExampleBot/0.1; …)``:
    their token is ``ExampleBot``.
    """
    found = COMPATIBLE.match(user_agent)
    return found[1] if found else re.split(r"[\s/]", user_agent.strip(), maxsplit=1)[0]


MAX_LAYOUTS: Final = 1024
"""Sequences of names that are remembered."""
LINE_SPACE_BYTES: Final = LINE_SPACE.encode()


class _Layout(Struct, frozen=True):
    """The facts about a sequence of names."""

    names: tuple[str, ...] | None
    """The names in lower case, one of each line. `None`: a name is repeated, or a line is no field of its own."""
    places: dict[str, int]
    """The number of the line of each name."""


_layouts: Final[dict[tuple[bytes, ...], _Layout]] = {}


class ReceivedHeaders(Headers):
    """The header fields of a response."""

    __slots__ = ("_layout", "_lines", "_pairs")

    _layout: _Layout
    _lines: Sequence[bytes]
    _pairs: tuple[tuple[str, str], ...] | None

    def __init__(self, lines: Sequence[bytes]) -> None:
        names = tuple([line.partition(b":")[0] for line in lines])
        _set_lines(self, lines)
        _set_layout(self, _layouts.get(names) or _learn(names))
        _set_pairs(self, None)
        _set_folded(self, None)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every field line, with its name in the spelling of the message."""
        pairs = self._pairs
        if pairs is None:
            pairs = Headers.from_lines(self._lines).pairs
            _set_pairs(self, pairs)
        return pairs

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every field line, in lower case."""
        return super().names if self._layout.names is None else self._layout.names

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, its lines joined with commas, or `default` if there is none."""
        layout = self._layout
        if layout.names is None:
            return super().get(name, default)
        place = layout.places.get(name.lower())
        if place is None:
            return default
        return self._lines[place].partition(b":")[2].strip(LINE_SPACE_BYTES).decode("latin-1")

    def __contains__(self, name: object) -> bool:
        layout = self._layout
        if layout.names is None:
            return super().__contains__(name)
        return isinstance(name, str) and name.lower() in layout.places


_set_lines: Final = ReceivedHeaders.__dict__["_lines"].__set__
_set_layout: Final = ReceivedHeaders.__dict__["_layout"].__set__
_set_pairs: Final = ReceivedHeaders.__dict__["_pairs"].__set__
_set_folded: Final = Headers.__dict__["_folded"].__set__


def _learn(names: tuple[bytes, ...]) -> _Layout:
    """Return the layout of a sequence of names, and remember it."""
    layout = _look_at(names)
    if sum(map(len, names)) <= 4096:  # bytes of the names in such a sequence. A longer one is looked at each time.
        if len(_layouts) >= MAX_LAYOUTS:
            _layouts.clear()
        _layouts[names] = layout
    return layout


def _look_at(names: tuple[bytes, ...]) -> _Layout:
    lowered = tuple([name.decode("latin-1").rstrip(" \t").lower() for name in names])
    places = {name: place for place, name in enumerate(lowered)}
    is_plain = len(places) == len(names) and not any(
        not low or name[:1] in b" \t" or b"\n" in name for low, name in zip(lowered, names, strict=True)
    )
    return _Layout(lowered, places) if is_plain else _Layout(None, {})
