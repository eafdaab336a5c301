"""Header fields of a message, in order, looked up without regard to case (RFC 9110 section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

__all__ = ["Headers", "product_token"]

COMPATIBLE: Final = re.compile(r"\s*Mozilla/.*?\bcompatible\s*;\s*([^\s/;()]+)", re.IGNORECASE | re.DOTALL)


@attrs.frozen(eq=False, repr=False, init=False)
class Headers(Mapping[str, str]):
    """An immutable multi-dictionary: `headers["content-type"]`, `headers.get_list("set-cookie")`, `headers.pairs`.

    Parameters:
        fields: a mapping, or (name, value) pairs in the order of the message. Names keep their spelling in `pairs`.
    """

    pairs: tuple[tuple[str, str], ...]
    """Every field line as it stands in the message."""
    _folded: dict[str, str] | None = None

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        if type(fields) is list:  # as it is for each answer: asking for more would cost
            pairs = tuple(fields)
        elif isinstance(fields, Headers):
            pairs = fields.pairs
        else:
            pairs = tuple(fields.items() if isinstance(fields, Mapping) else fields)
        self.__attrs_init__(pairs)

    def _fold(self) -> dict[str, str]:
        """Lower-case name to value; repeated lines joined by a comma (RFC 9110 section 5.3)."""
        if self._folded is None:
            folded: dict[str, str] = {}
            for name, value in self.pairs:
                low = name.lower()
                folded[low] = f"{folded[low]}, {value}" if low in folded else value
            object.__setattr__(self, "_folded", folded)
            return folded
        return self._folded

    def __getitem__(self, name: str) -> str:
        return self._fold()[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, its lines joined by a comma, or `default`."""
        return self._fold().get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fold())

    def __len__(self) -> int:
        return len(self._fold())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fold()

    def get_list(self, name: str) -> list[str]:
        """Every value of a field, one a line: for ``Set-Cookie``, whose values hold commas."""
        low = name.lower()
        return [value for key, value in self.pairs if key.lower() == low]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return self._fold() == Headers(other)._fold()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._fold().items()))

    def __repr__(self) -> str:
        return f"Headers({dict(self._fold())!r})"


def product_token(user_agent: str) -> str:
    """The product token of a ``User-Agent`` (RFC 9309 section 2.2.1).

    It stands before the first space or slash; of ``Mozilla/5.0 (compatible; ExampleBot/0.1; …)``, as many robots are
    called, it is ``ExampleBot``.
    """
    found = COMPATIBLE.match(user_agent)
    return found[1] if found else re.split(r"[\s/]", user_agent.strip(), maxsplit=1)[0]
