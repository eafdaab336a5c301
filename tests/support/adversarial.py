"""Strings on which a regular expression or a parser that backtracks takes more than linear time."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import Any, Final

__all__ = ["pattern_strings", "repeated"]

_CANDIDATES: Final = "a1 \t\n-_.,;:=/\\\"'<>&%#?!@()[]{}*+~^|$`Az0é\0"
"""Characters that a class may match, after those that the pattern names."""
_TAILS: Final = ("", "\0", "!")
"""Ends that most repetitions do not match."""
_MAX_WORDS: Final = 6
_MAX_UNITS: Final = 14


def repeated(unit: str, size: int) -> str:
    """Return `unit` repeated to about `size` characters."""
    return unit * max(1, size // max(1, len(unit)))


def pattern_strings(pattern: re.Pattern[Any], size: int) -> list[Any]:
    """Return strings for one pattern: repetitions of each of its parts, behind what leads there, with a mismatch.

    Parameters:
        pattern: A compiled pattern, of text or bytes.
        size: Length of each string, in characters.
    """
    found, prefixes, units = _parts(pattern)
    runs = [repeated(unit, size) for unit in units]
    strings = {prefix + run + tail: None for prefix, run, tail in product(prefixes[:4], runs, _TAILS)}
    pairs = list(permutations(units, 2))
    strings |= {repeated(one, size // 2) + repeated(other, size // 2) + "\0": None for one, other in pairs}
    strings |= {repeated(one + other, size) + "\0": None for one, other in permutations(units[: _MAX_UNITS // 2], 2)}
    strings |= {repeated(prefix, size): None for prefix in prefixes if prefix}
    strings |= {prefix + repeated(unit, size) + "\0": None for prefix, unit in found if unit}
    if isinstance(pattern.pattern, str):
        return list(strings)
    return [string.encode("latin-1", "replace") for string in strings]


@functools.cache
def _parts(pattern: re.Pattern[Any]) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Return the repetitions of a pattern, each behind what leads to it, what leads to one, and what it repeats."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = re._parser.parse(source, pattern.flags & ~re.UNICODE)  # type: ignore[attr-defined]
    words = _Words(tree)
    found = list(dict.fromkeys(words.repetitions(tree, "")))
    prefixes = list(dict.fromkeys(["", *(prefix for prefix, _ in found)]))[:_MAX_UNITS]
    units = [unit for unit in dict.fromkeys([*(unit for _, unit in found), *words.of(tree)]) if unit][:_MAX_UNITS]
    return found, prefixes, units


class _Words:
    """A few strings that the parts of a parsed pattern match.

    Parameters:
        tree: The parsed pattern.
    """

    def __init__(self, tree: Any) -> None:
        self._alphabet = "".join(dict.fromkeys([*_literals(tree), *_CANDIDATES]))

    def repetitions(self, tree: Any, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield a string that leads to each repetition of a part, and one that the repeated pattern matches."""
        for node in tree:
            for inner in _inner(node):
                yield from self.repetitions(inner, prefix)
            if str(node[0]).endswith("REPEAT"):
                for word in self.of(node[1][2]):
                    yield prefix, word
            prefix += next(iter(self._of_node(node)), "")

    def of(self, tree: Any) -> list[str]:
        """Return strings that a part matches: the first one of each node, then one node varied at a time."""
        choices = [self._of_node(node) or [""] for node in tree]
        first = [choice[0] for choice in choices]
        words = {"".join(first): None}
        for place, choice in enumerate(choices):
            words |= {"".join([*first[:place], word, *first[place + 1 :]]): None for word in choice[1:]}
        return list(words)[:_MAX_WORDS]

    def _of_node(self, node: Any) -> list[str]:
        name, value = str(node[0]), node[1]
        if name == "LITERAL":
            return [chr(value)]
        if name in ("IN", "ANY", "NOT_LITERAL"):
            fits = [
                one
                for one in self._alphabet
                if name == "ANY" or (_is_in(one, value) if name == "IN" else ord(one) != value)
            ]
            return fits[:2] + [one for one in fits[2:] if one in "a "][:1]
        if name.endswith("REPEAT"):
            body = self.of(value[2])
            return [word * max(1, value[0]) for word in body] + ([""] if not value[0] else [])
        if name.startswith("ASSERT"):
            return [""]
        return [word for inner in _inner(node) for word in self.of(inner)][:_MAX_WORDS]


def _literals(tree: Any) -> Iterator[str]:
    """Yield the characters that a parsed pattern names."""
    for node in tree:
        name, value = str(node[0]), node[1]
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(value)
        elif name == "RANGE":
            yield chr(value[0])
        for inner in [value] if name == "IN" else _inner(node):
            yield from _literals(inner)


def _inner(node: Any) -> Sequence[Any]:
    """Return the patterns inside a node."""
    name, value = str(node[0]), node[1]
    if name == "BRANCH":
        return list(value[1])
    if name.endswith("REPEAT"):
        return [value[2]]
    if name == "SUBPATTERN":
        return [value[3]]
    if name == "ATOMIC_GROUP":
        return [value]
    return [value[1]] if name.startswith("ASSERT") else []


def _is_in(character: str, items: Any) -> bool:
    """Return whether a character class matches a character."""
    negated = found = False
    for name, value in items:
        match str(name):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found = found or ord(character) == value
            case "RANGE":
                found = found or value[0] <= ord(character) <= value[1]
            case _:
                is_category = {"DIGIT": str.isdigit, "SPACE": str.isspace, "WORD": _is_word}[str(value).split("_")[-1]]
                found = found or is_category(character) != ("_NOT_" in str(value))
    return found != negated


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
