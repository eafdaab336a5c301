"""`PathRules`: which paths the allow and disallow lines of one group of a robots.txt match (RFC 9309 section 2.2).

Rule 1: a check takes microseconds, however many rules there are. Those without a star are found by bisection; those
with stars are tried in one pass each, without backtracking, and where they are many, only those that have a piece in
common with the path. A file that is made to be slow costs time in proportion to its size, never more.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

__all__ = ["PathRules", "Verdict", "same_path"]

PLAIN: Final = frozenset(string.ascii_letters + string.digits + "-._~/?&=+;")
"""What stands for itself: what RFC 3986 section 2.3 leaves unreserved, and what separates parts of a path or query."""
UNRESERVED: Final = PLAIN - set("/?&=+;")
CODES: Final = {chr(octet): f"%{octet:02X}" for octet in range(256)} | {
    f"%{octet:02X}": chr(octet) if chr(octet) in UNRESERVED else f"%{octet:02X}" for octet in range(256)
}
"""How everything else is compared: an octet by its escape, an escape that was not needed by its octet."""
ODD: Final = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~/?&=+;-]", re.DOTALL)
ODD_IN_PATTERN: Final = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~/?&=+;*-]", re.DOTALL)
ORIGIN: Final = re.compile(r"[^/?#]*//[^/?#]*")

FEW: Final = 32
"""Rules with stars that are simply tried one after the other."""
GRAM: Final = 4
"""Octets of the pieces by which many are told apart."""

Verdict: TypeAlias = tuple[int, bool]
"""Octets of a pattern, and whether it allows: the greatest that matches decides."""
NO_MATCH: Final[Verdict] = (0, True)


@attrs.define(eq=False)
class _Starred:
    """A pattern with a star that is not its end."""

    verdict: Verdict
    head: str
    """What the path begins with."""
    middle: tuple[str, ...]
    """What follows somewhere behind it, in this order."""
    tail: str
    """What the path ends with; empty: with anything."""
    least: int
    """Octets that a path must have."""

    def matches(self, path: str) -> bool:
        """Whether it does, each piece taken where it first occurs: no later place could do better."""
        if not (path.startswith(self.head) and path.endswith(self.tail)):
            return False
        if len(self.middle) > 2 and (len(path) < self.least or self.middle[-1] not in path):
            return False
        at = len(self.head)
        for piece in self.middle:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return len(path) - len(self.tail) >= at


class PathRules:
    """The rules of one group.

    The longest pattern that matches decides, allow among equals; where none does, the path is allowed.

    Parameters:
        rules: whether it allows, and a pattern as it stands in the file, one character an octet.
    """

    def __init__(self, rules: Iterable[tuple[bool, str]]) -> None:
        prefixes: dict[str, Verdict] = {}
        self._whole: dict[str, Verdict] = {}
        starred: dict[tuple[str, bool], bool] = {}
        for allow, pattern in rules:
            if not pattern.startswith(("/", "*")):
                continue  # no path begins otherwise
            whole = pattern.endswith("$")
            text = same_path(pattern[:-1] if whole else pattern, pattern=True)
            pieces = text.split("*")
            verdict = (len(text) + whole, allow)
            if any(pieces[1:]):
                starred[text, whole] = starred.get((text, whole), False) or allow
            elif whole and len(pieces) == 1:
                self._whole[text] = max(verdict, self._whole.get(text, NO_MATCH))
            else:
                prefixes[pieces[0]] = max(verdict, prefixes.get(pieces[0], NO_MATCH))
        self._take_prefixes(prefixes)
        self._take_starred(starred)

    def _take_prefixes(self, prefixes: dict[str, Verdict]) -> None:
        self._prefixes = sorted(prefixes)
        self._verdicts: list[Verdict] = []
        """Of each prefix: the best of it and of those that it begins with itself."""
        self._parents: list[int] = []
        """Of each prefix: the longest other one that it begins with; -1: none."""
        above: list[int] = []
        for index, prefix in enumerate(self._prefixes):
            while above and not prefix.startswith(self._prefixes[above[-1]]):
                above.pop()
            parent = above[-1] if above else -1
            self._parents.append(parent)
            self._verdicts.append(max(prefixes[prefix], self._verdicts[parent] if above else NO_MATCH))
            above.append(index)

    def _take_starred(self, starred: dict[tuple[str, bool], bool]) -> None:
        made = []
        for (text, whole), allow in starred.items():
            head, *middle = text.split("*")
            tail = middle.pop() if whole else ""
            pieces = tuple(piece for piece in middle if piece)
            least = len(text) - text.count("*")
            made.append(_Starred((len(text) + whole, allow), head, pieces, tail, least))
        self._starred = sorted(made, key=lambda rule: rule.verdict, reverse=True)
        self._by_gram: dict[str, list[int]] = {}
        self._any_gram: list[int] = []
        if len(made) > FEW:
            self._index()

    def _index(self) -> None:
        """Files each rule with stars under the rarest of three pieces of its longest part."""
        grams: tuple[str, ...]
        choices: list[tuple[str, ...]] = []
        for rule in self._starred:
            part = max((rule.head, *rule.middle, rule.tail), key=len)
            middle = (len(part) - GRAM) // 2
            grams = (part[-GRAM:], part[middle : middle + GRAM], part[:GRAM])
            choices.append(grams if len(part) >= GRAM else ())
        common = Counter(gram for grams in choices for gram in grams)
        for index, grams in enumerate(choices):
            if grams:
                self._by_gram.setdefault(min(grams, key=common.__getitem__), []).append(index)
            else:
                self._any_gram.append(index)

    def allows(self, url: str) -> bool:
        """Whether a URL may be fetched.

        Parameters:
            url: absolute.
        """
        return self.verdict(url)[1]

    def verdict(self, url: str) -> Verdict:
        """The rule that decides about a URL: octets of its pattern, 0: none does; and whether it allows.

        Parameters:
            url: absolute.
        """
        path = _path(url)
        if path == "/robots.txt":
            return NO_MATCH
        path = same_path(path)
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
        for rule in self._candidates(path) if self._starred else ():
            if rule.verdict <= best:
                break
            if rule.matches(path):
                return rule.verdict
        return best

    def _candidates(self, path: str) -> Iterable[_Starred]:
        """The rules with stars that may match, the longest first."""
        if len(self._starred) <= FEW:
            return self._starred
        grams = self._by_gram.keys() & {path[at : at + GRAM] for at in range(len(path) - GRAM + 1)}
        found = self._any_gram + [index for gram in grams for index in self._by_gram[gram]]
        found.sort()
        return map(self._starred.__getitem__, found)


def same_path(octets: str, *, pattern: bool = False) -> str:
    """The form in which two spellings of a path, with its query, are equal (RFC 9309 section 2.2.2).

    An escape of an unreserved character becomes that character; an octet that is no ASCII, or no separator, becomes an
    escape; escapes are in upper case. ``%2F`` is not ``/``, nor are the separators of queries their escapes.

    Parameters:
        octets: a path and query, one character an octet.
        pattern: whether ``*`` stands for itself, not for its escape.
    """
    return (ODD_IN_PATTERN if pattern else ODD).sub(_code, octets)


def _code(odd: re.Match[str]) -> str:
    return CODES[odd[0] if len(odd[0]) == 1 else odd[0].upper()]


def _path(url: str) -> str:
    """Path and query of an absolute URL, one character an octet."""
    start = url.find("/", 8)
    mark = url.find("?", 8)
    if start < 0 or 0 <= mark < start or "#" in url or not url.isascii():  # no URL in its canonical form
        rest = ORIGIN.sub("", url.partition("#")[0], count=1)
        rest = rest if rest.startswith("/") else f"/{rest}"
        return rest.encode("utf-8", "replace").decode("latin-1")
    return url[start:]


def _spellings(path: str) -> Iterable[str]:
    """A path, and where its query has slashes or question marks, it with those written in one of their two ways.

    Behind the first question mark they separate nothing: there ``/`` and ``%2F`` are the same (RFC 9309 section 2.2.2,
    the second row of the table).
    """
    head, mark, query = path.partition("?")
    if not query or not ("/" in query or "?" in query or "%2F" in query or "%3F" in query):
        return (path,)
    written = query.replace("%2F", "/").replace("%3F", "?")
    encoded = query.replace("/", "%2F").replace("?", "%3F")
    return {path, head + mark + written, head + mark + encoded}
