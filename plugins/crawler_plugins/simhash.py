"""`simhash`: a fingerprint of a text; similar texts have fingerprints that differ in few bits.

The fingerprint is that of Charikar, "Similarity estimation techniques from rounding algorithms" (2002): each bit is the
majority of that bit in the hashes of the text's features, which here are each three words in a row. Pages of the web
whose fingerprints differ in at most 3 of 64 bits are near-duplicates by Manku, Jain and Das Sarma (2007).
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from itertools import islice

__all__ = ["MIN_WORDS", "simhash"]

MIN_WORDS = 20
"""Words of the shortest text that has a fingerprint: short texts differ in many bits, or in none."""
MAX_WORDS = 50_000
"""Words at the start of a text that count."""
BITS = 64
MASK = (1 << BITS) - 1
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|\w+")
"""A word, or a character of a script that puts no spaces between words."""
FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Odd constants: the order of three words changes their hash."""


def simhash(text: str) -> int | None:
    """Return the fingerprint of a text, 64 bits; `None` if it has fewer than 20 words."""
    hashes = [_hash(word[0]) for word in islice(WORD.finditer(text.lower()), MAX_WORDS)]
    if len(hashes) < MIN_WORDS:
        return None
    one, two, three = FACTORS
    counters: list[int] = []  # counters[n] holds bit n of the 64 counts
    features = {
        (first * one + second * two + third * three) & MASK
        for first, second, third in zip(hashes, hashes[1:], hashes[2:], strict=False)
    }
    for feature in features:
        carry = (feature ^ (feature >> 32)) & MASK
        for place, bits in enumerate(counters):
            counters[place] = bits ^ carry
            carry &= bits
            if not carry:
                break
        else:
            counters.append(carry)
    return _above(counters, len(features) // 2)


def _above(counters: list[int], limit: int) -> int:
    """Return the bits whose count, in the form of `simhash`, is above a limit: all 64 are compared at once."""
    above, equal = 0, MASK  # by the places so far, from the highest
    counters = counters + [0] * (limit.bit_length() - len(counters))
    for place in reversed(range(len(counters))):
        if limit >> place & 1:
            equal &= counters[place]
        else:
            above |= equal & counters[place]
            equal &= ~counters[place]
    return above


@lru_cache(maxsize=65_536)
def _hash(word: str) -> int:
    """Return a hash that is the same in every process."""
    digest = hashlib.blake2b(word[:100].encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
