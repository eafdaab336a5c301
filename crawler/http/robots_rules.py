"""`PathRules`: matches paths against the allow and disallow lines of one group of a robots.txt (RFC 9309 section 2.2).

Rule 1: a check takes microseconds, however many rules there are. Patterns without a star are found by bisection. Those
with stars are matched in one pass each, without backtracking; where they are many, only those that share a piece with
the path are tried. A malicious file costs time in proportion to its size, and a millisecond for each URL.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct

from crawler.lazy_pattern import lazy_pattern

__all__ = ["PathRules", "Verdict", "normalize_path"]

LITERAL: Final = frozenset(string.ascii_letters + string.digits + "-._~/?&=+;")
"""Characters compared as they are: those unreserved by RFC 3986 section 2.3, and separators in paths and queries."""
UNRESERVED: Final = LITERAL - set("/?&=+;")
CODES: Final = {chr(octet): f"%{octet:02X}" for octet in range(256)} | {
    f"%{octet:02X}": chr(octet) if chr(octet) in UNRESERVED else f"%{octet:02X}" for octet in range(256)
}
"""The form in which other characters are compared: an octet as its escape, an unnecessary escape as its octet."""
OTHER: Final = lazy_pattern(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~/?&=+;-]", re.DOTALL)
OTHER_IN_PATTERN: Final = lazy_pattern(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~/?&=+;*-]", re.DOTALL)
ORIGIN: Final = lazy_pattern(r"[^/?#]*+//[^/?#]*+")

MAX_UNINDEXED: Final = 32
"""Rules with stars that are tried one after the other, without an index."""
GRAM_SIZE: Final = 4
"""Octets of the pieces in the index."""

Verdict: TypeAlias = tuple[int, bool]
"""Octets of a pattern, and whether it allows. Of the patterns that match, the greatest verdict decides."""
NO_MATCH: Final[Verdict] = (0, True)


class _Starred(Struct, eq=False):
    """A pattern with a star before its end."""

    verdict: Verdict
    head: str
    """The beginning of the path."""
    middle: tuple[str, ...]
    """Pieces that follow somewhere after it, in this order."""
    tail: str
    """The end of the path; empty for any."""
    min_size: int
    """Minimum length of the path, in octets."""

    def may_match(self, path: str) -> bool:
        """Return whether the pattern may match, without comparing most of its pieces."""
        if not (path.startswith(self.head) and path.endswith(self.tail)):
            return False
        return len(self.middle) <= 2 or (len(path) >= self.min_size and self.middle[-1] in path)

    def matches(self, path: str) -> bool:
        """Return whether the pattern matches, if it may. The first match of a piece is always the best one."""
        at = len(self.head)
        for piece in self.middle:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return len(path) - len(self.tail) >= at


class PathRules:
    """The rules of one group.

    The longest pattern that matches decides, among equals one that allows. Without a match a path is allowed.
    """

    def __init__(self, rules: Iterable[tuple[bool, str]]) -> None:
        prefixes: dict[str, Verdict] = {}
        self._whole: dict[str, Verdict] = {}
        starred: dict[tuple[str, bool], bool] = {}
        for allow, pattern in rules:
            if not pattern.startswith(("/", "*")):
                continue  # it can match no path
            whole = pattern.endswith("$")
            text = normalize_path(pattern[:-1] if whole else pattern, pattern=True)
            pieces = text.split("*")
            verdict = (len(text) + whole, allow)
            if any(pieces[1:]):
                starred[text, whole] = starred.get((text, whole), False) or allow
            elif whole and len(pieces) == 1:
                self._whole[text] = max(verdict, self._whole.get(text, NO_MATCH))
            else:
                prefixes[pieces[0]] = max(verdict, prefixes.get(pieces[0], NO_MATCH))
        self._add_prefixes(prefixes)
        self._add_starred(starred)

    def _add_prefixes(self, prefixes: dict[str, Verdict]) -> None:
        self._prefixes = sorted(prefixes)
        self._verdicts: list[Verdict] = []
        """For each prefix, the greatest verdict of it and of the prefixes that it starts with."""
        self._parents: list[int] = []
        """For each prefix, the index of the longest other prefix that it starts with; -1 for none."""
        above: list[int] = []
        for index, prefix in enumerate(self._prefixes):
            while above and not prefix.startswith(self._prefixes[above[-1]]):
                above.pop()
            parent = above[-1] if above else -1
            self._parents.append(parent)
            self._verdicts.append(max(prefixes[prefix], self._verdicts[parent] if above else NO_MATCH))
            above.append(index)

    def _add_starred(self, starred: dict[tuple[str, bool], bool]) -> None:
        made = []
        for (text, whole), allow in starred.items():
            head, *middle = text.split("*")
            tail = middle.pop() if whole else ""
            pieces = tuple(piece for piece in middle if piece)
            min_size = len(text) - text.count("*")
            made.append(_Starred((len(text) + whole, allow), head, pieces, tail, min_size))
        self._starred = sorted(made, key=lambda rule: rule.verdict, reverse=True)
        self._by_gram: dict[str, list[int]] = {}
        self._any_gram: list[int] = []
        if len(made) > MAX_UNINDEXED:
            self._index()

    def _index(self) -> None:
        """Index each rule with stars by the rarest of three pieces of its longest part."""
        grams: tuple[str, ...]
        choices: list[tuple[str, ...]] = []
        for rule in self._starred:
            part = max((rule.head, *rule.middle, rule.tail), key=len)
            middle = (len(part) - GRAM_SIZE) // 2
            grams = (part[-GRAM_SIZE:], part[middle : middle + GRAM_SIZE], part[:GRAM_SIZE])
            choices.append(grams if len(part) >= GRAM_SIZE else ())
        common = Counter(gram for grams in choices for gram in grams)
        for index, grams in enumerate(choices):
            if grams:
                self._by_gram.setdefault(min(grams, key=common.__getitem__), []).append(index)
            else:
                self._any_gram.append(index)

    def allows(self, url: str) -> bool:
        """Return whether an absolute URL may be fetched."""
        return self.verdict(url)[1]

    def verdict(self, url: str) -> Verdict:
        """Return the octets of the pattern that decides about an absolute URL, 0 without one, and whether it allows."""
        path = _path(url)
        if path == "/robots.txt":
            return NO_MATCH
        path = normalize_path(path)
        if "?" in path:
            return max(map(self._decide, _spellings(path)))
        return self._decide(path)

    def _decide(self, path: str) -> Verdict:
        best = self._whole.get(path, NO_MATCH)
        index = bisect_right(self._prefixes, path) - 1
        while index >= 0 and not path.startswith(self._prefixes[index]):
            index = self._parents[index]
        if index >= 0:
            best = max(best, self._verdicts[index])
        # To compare a path with 4000 pieces of rules with stars takes a millisecond. If a file needs more, made for the
        # purpose, the path is not allowed.
        left = 4000
        for rule in self._candidates(path) if self._starred else ():
            if rule.verdict <= best:
                break
            may_match = rule.may_match(path)
            left -= len(rule.middle) if may_match else 1
            if left < 0:
                return len(path), False
            if may_match and rule.matches(path):
                return rule.verdict
        return best

    def _candidates(self, path: str) -> Iterable[_Starred]:
        """Return the rules with stars that may match, the longest first."""
        if len(self._starred) <= MAX_UNINDEXED:
            return self._starred
        grams = self._by_gram.keys() & {path[at : at + GRAM_SIZE] for at in range(len(path) - GRAM_SIZE + 1)}
        found = self._any_gram + [index for gram in grams for index in self._by_gram[gram]]
        found.sort()
        return map(self._starred.__getitem__, found)


def normalize_path(octets: str, *, pattern: bool = False) -> str:
    """Return a path with its query in the form that equivalent spellings share (RFC 9309 section 2.2.2).

    An escape of an unreserved character becomes that character. An octet that is neither unreserved nor a separator
    becomes an escape. Escapes are in upper case. ``%2F`` differs from ``/``, and the separators of queries differ from
    their escapes.
    """
    return (OTHER_IN_PATTERN if pattern else OTHER).sub(_code, octets)


def _code(found: re.Match[str]) -> str:
    return CODES[found[0] if len(found[0]) == 1 else found[0].upper()]


def _path(url: str) -> str:
    """Return path and query of an absolute URL, one character per octet."""
    start = url.find("/", 8)
    mark = url.find("?", 8)
    if start < 0 or 0 <= mark < start or "#" in url or not url.isascii():  # the URL is not canonical
        rest = url.partition("#")[0]
        origin = ORIGIN.match(rest)
        rest = rest[origin.end() :] if origin else rest
        rest = rest if rest.startswith("/") else f"/{rest}"
        return rest.encode("utf-8", "replace").decode("latin-1")
    return url[start:]


def _spellings(path: str) -> Iterable[str]:
    """Return the path, and if its query has slashes or question marks, it with all of them plain and all escaped.

    They separate nothing after the first question mark: there ``/`` equals ``%2F`` (RFC 9309 section 2.2.2, the second
    row of the table).
    """
    head, mark, query = path.partition("?")
    if not query or not ("/" in query or "?" in query or "%2F" in query or "%3F" in query):
        return (path,)
    plain = query.replace("%2F", "/").replace("%3F", "?")
    encoded = query.replace("/", "%2F").replace("?", "%3F")
    return {path, head + mark + plain, head + mark + encoded}
