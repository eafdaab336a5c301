"""`CompactKeys`: the known keys of a crawl that knows millions, at about 20 bytes a key."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Final

__all__ = ["CompactKeys", "RecentKeys"]


class RecentKeys(set[str]):
    """A set of the last `size` keys that were added. Add keys with `update` only."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._order: deque[str] = deque()

    def clear(self) -> None:
        """Forget all keys."""
        super().clear()
        self._order.clear()

    def update(self, *groups: Iterable[str]) -> None:
        """Add committed keys; beyond `size` the oldest are dropped."""
        order = self._order
        for keys in groups:
            for key in keys:
                if key not in self:
                    self.add(key)
                    order.append(key)
        while len(order) > self._size:
            self.discard(order.popleft())


DIGEST_SIZE: Final = 16
"""Bytes of a digest. Two of a billion keys have the same one with a probability of 1.5e-21, so none is lost."""
BUCKET_SIZE: Final = 48
"""Digests in a bucket, on average."""


class CompactKeys:
    """A container of keys. It keeps those that came first and last, and digests of all others.

    The digests are in buckets, which are split one after another as they fill (linear hashing): no call takes long.
    """

    def __init__(self, first: set[str], recent: int = 131_072) -> None:  # keys that are kept as they are
        self._first = first
        self._recent = RecentKeys(recent)
        self._buckets = [bytearray()]
        self._half = 1  # number of buckets when the current round of splits began
        self._digests = 0

    def __len__(self) -> int:
        return len(self._first) + self._digests

    def __contains__(self, key: object) -> bool:
        if key in self._recent or key in self._first:
            return True
        digest = _digest(str(key))
        return digest in self._buckets[self._index(digest)]

    def add(self, key: str) -> None:
        """Add a key that is not in the container."""
        self._recent.update((key,))
        digest = _digest(key)
        self._buckets[self._index(digest)] += digest
        self._digests += 1
        if self._digests > BUCKET_SIZE * len(self._buckets):
            self._split()

    def _index(self, digest: bytes) -> int:
        """Return the number of the bucket of a digest."""
        number = int.from_bytes(digest[:6])
        index = number % (2 * self._half)
        return index if index < len(self._buckets) else index - self._half  # that bucket is not split yet

    def _split(self) -> None:
        """Divide the next bucket in two."""
        number = len(self._buckets) - self._half
        old = self._buckets[number]
        digests = [bytes(old[at : at + DIGEST_SIZE]) for at in range(0, len(old), DIGEST_SIZE)]
        self._buckets.append(bytearray())
        self._buckets[number] = bytearray()
        for digest in digests:
            self._buckets[self._index(digest)] += digest
        if len(self._buckets) == 2 * self._half:
            self._half *= 2


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=DIGEST_SIZE).digest()
