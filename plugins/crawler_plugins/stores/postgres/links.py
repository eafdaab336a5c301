"""`Links`: requests as the columns that the functions of the database take."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from typing import Any

from crawler import Request
from crawler.store import Pending, lane_name, pack
from crawler_plugins.stores.postgres import binary

__all__ = ["LaneNumbers", "Links", "key_of"]


def digest(text: str) -> bytes:
    """Return 8 bytes of the hash of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def key_of(request: Request) -> bytes:
    """Return the key of a request as the database keeps it: 8 bytes for its origin, and 8 for the whole."""
    return digest(request.url[: request.url.index("/", 8)]) + digest(request.key)


class LaneNumbers:
    """The numbers of lanes, which are hashes of their names, and which of them the database has.

    Parameters:
        size: Names that are remembered, about.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._numbers: dict[str, int] = {}
        self._stored: set[str] = set()

    def __getitem__(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if len(self._numbers) >= self._size:
                self._numbers.clear()
            number = self._numbers[name] = int.from_bytes(digest(name), "big", signed=True)
        return number

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return those that the database may not have, each once."""
        return [name for name in dict.fromkeys(names) if name not in self._stored]

    def add_stored(self, names: Sequence[str]) -> None:
        """Note that the database has lanes."""
        if len(self._stored) + len(names) > self._size:
            self._stored.clear()
        self._stored.update(names)


class Links:
    """Requests to be added, in order.

    Parameters:
        lanes: The numbers of their lanes.
        known: Keys of requests that are known.
    """

    def __init__(self, lanes: LaneNumbers, known: Container[str]) -> None:
        self._lanes = lanes
        self._known = known
        self.requests: list[Request] = []
        self.names: list[str] = []
        """The lane of each."""
        self.outcomes: list[int] = []
        """The place of the outcome that each belongs to, from 1."""
        self._keys: list[bytes | None] = []

    def add(self, requests: Sequence[Request], outcome: int = 0) -> int:
        """Add requests, and return the number of those that are known already, which are left out."""
        before = len(self.requests)
        for request in requests:
            if request.dont_filter:
                self._keys.append(None)
            elif request.key in self._known:
                continue
            else:
                self._keys.append(key_of(request))
            self.requests.append(request)
            self.names.append(lane_name(request))
            self.outcomes.append(outcome)
        return len(requests) - (len(self.requests) - before)

    def new_lanes(self) -> tuple[list[str], list[bytes]]:
        """Return the names of lanes that the database may not have, and the two parameters that add them."""
        names = self._lanes.missing(self.names)
        return names, [binary.bigints([self._lanes[name] for name in names]), binary.texts(names)]

    def parameters(self) -> list[bytes]:
        """Return the columns: key, lane, tier, URL, depth, callback, rest."""
        packed = [pack(request, name) for request, name in zip(self.requests, self.names, strict=True)]
        columns: list[Sequence[Any]] = list(zip(*packed, strict=True)) or [()] * 4
        return [
            binary.uuids(self._keys),
            binary.bigints([self._lanes[name] for name in self.names]),
            binary.bigints([-request.priority for request in self.requests]),
            binary.texts(columns[0]),
            binary.integers(columns[1]),
            binary.texts(columns[2]),
            binary.byteas(columns[3]),
        ]

    def pending(self, places: Sequence[int], numbers: Sequence[int]) -> list[Pending]:
        """Return the requests that were added on lanes of this owner.

        Parameters:
            places: Their places among the requests, from 1.
            numbers: Their numbers.
        """
        return [
            Pending((-self.requests[place - 1].priority, number), self.requests[place - 1], self.names[place - 1])
            for place, number in zip(places, numbers, strict=True)
        ]
