"""`ReceivedHeaders`: the header fields of a response, decoded when they are first looked at.

A crawl asks for few fields of a response, and the responses of one server mostly have the same ones in the same order.
So the names are looked up together, as what is known of the last message with the same names; a value is decoded when
it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from crawler.headers import LINE_SPACE, Headers

__all__ = ["ReceivedHeaders"]

MAX_LAYOUTS: Final = 1024
"""Sequences of names that are remembered."""
MAX_LAYOUT_SIZE: Final = 4096
"""Bytes of the names in such a sequence. A longer one is looked at each time."""
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
    if sum(map(len, names)) <= MAX_LAYOUT_SIZE:
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
