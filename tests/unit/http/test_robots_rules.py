"""`PathRules`: the decision about a path, however many rules there are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.http.robots_rules import NO_MATCH, PathRules, normalize_path

SITE = "https://site.test"
OCTETS = st.text(st.characters(max_codepoint=255), max_size=30)
PIECES = st.sampled_from(["/", "a", "b", "ab", "*", "$", "?", "%2F", "%41", "%", "\xe9", ":", "&"])
PATTERNS = st.lists(PIECES, max_size=7).map("".join)
LINES = st.tuples(st.sampled_from(["Allow", "Disallow"]), PATTERNS)


def path_rules(lines: list[tuple[str, str]]) -> PathRules:
    """Return the rules as read from a file, one character per octet."""
    return PathRules((kind == "Allow", pattern.strip()) for kind, pattern in lines)


@pytest.mark.parametrize(
    ("path", "octets", "allows"),
    [
        ("/", 1, False),
        ("/a", 2, True),
        ("/ab", 2, True),
        ("/a/x/end", 8, False),
        ("/b", 3, True),
        ("/bc", 1, False),
        ("/%61", 2, True),
        ("/robots.txt", 0, True),
    ],
)
def test_the_verdict_names_the_size_of_the_pattern_that_decides(path, octets, allows):
    rules = PathRules([(False, "/"), (True, "/a"), (False, "/a/*/end"), (True, "/b$"), (False, "no path")])
    assert rules.verdict(SITE + path) == (octets, allows)
    assert rules.allows(SITE + path) is allows


def test_without_rules_everything_is_allowed():
    assert PathRules([]).verdict(f"{SITE}/a") == NO_MATCH


@given(OCTETS, st.booleans())
def test_the_spelling_that_is_compared_is_its_own(octets: str, pattern: bool) -> None:
    once = normalize_path(octets, pattern=pattern)
    assert normalize_path(once, pattern=pattern) == once
    assert once.isascii()


def by_the_book(rules: list[tuple[str, str]], path: str) -> bool:
    """Decide as section 2.2.2 describes it, one rule after the other, by regular expressions."""
    best = (0, True)
    for kind, pattern in rules:
        if not pattern.startswith(("/", "*")):
            continue
        whole = pattern.endswith("$")
        text = normalize_path(pattern.removesuffix("$"), pattern=True)
        expression = ".*".join(map(re.escape, text.split("*"))) + (r"\Z" if whole else "")
        if re.match(expression, normalize_path(path), re.DOTALL):
            best = max(best, (len(text) + whole, kind == "Allow"))
    return best[1]


PATHS = st.lists(st.sampled_from(["/", "a", "b", "ab", "%41", "%2F", "$", "*", ":"]), max_size=7).map("".join)


@given(st.lists(LINES, max_size=60), PATHS)
def test_the_rules_decide_as_the_reference_matcher(rules: list[tuple[str, str]], path: str) -> None:
    assert path_rules(rules).allows(f"{SITE}/{path}") is by_the_book(rules, f"/{path}")


@given(st.lists(LINES, min_size=40, max_size=90, unique=True), PATHS)
def test_many_patterns_with_stars_are_found_by_their_pieces(rules: list[tuple[str, str]], path: str) -> None:
    starred = [(kind, f"/*{pattern}aab*ba") for kind, pattern in rules]
    assert path_rules(starred).allows(f"{SITE}/{path}aab/ba") is by_the_book(starred, f"/{path}aab/ba")


@pytest.mark.parametrize(
    "patterns",
    [
        [f"/section{number}/" for number in range(10_000)],
        [f"/section{number}/*.html$" for number in range(10_000)],
        [f"/*{number:05}*x" for number in range(10_000)],
    ],
    ids=["plain", "heads", "middles"],
)
def test_a_check_looks_at_few_of_ten_thousand_rules(patterns: list[str]) -> None:
    looked = 0

    class Counting(str):
        __slots__ = ()

        def startswith(self, *args) -> bool:
            nonlocal looked
            looked += 1
            return super().startswith(*args)

    rules = PathRules((False, pattern) for pattern in patterns)
    for path in ("/section77/a.html", "/00077/x", "/other/page"):
        rules._decide(Counting(path))
    assert looked < 100
    assert not rules.allows(SITE + "/section77/00077-x/a.html")


def test_patterns_made_to_be_slow_are_matched_in_one_pass() -> None:
    slow = PathRules([(False, f"/{'*a' * count}*b") for count in range(1, 500)] + [(False, f"/{'*a' * 100_000}b")])
    assert slow.allows(f"{SITE}/{'a' * 4000}")
    assert not slow.allows(f"{SITE}/{'a' * 4000}b")
    nested = PathRules([(False, "/" + "a" * count) for count in range(900)] + [(True, "/")])
    assert not nested.allows(f"{SITE}/{'a' * 450}b")


@pytest.mark.parametrize(
    "patterns",
    [
        [f"/*{number:x}" for number in range(0x1000)],
        [f"/{'*a' * (1_000 + number)}*b*a" for number in range(5)],
        [f"/*{number % 50:02}*{number // 50 % 50:02}*x" for number in range(10_000)],
    ],
    ids=["short", "long", "pairs"],
)
def test_a_path_that_needs_too_many_comparisons_is_not_allowed(patterns: list[str]) -> None:
    """No file in use comes near the bound."""
    looked = 0

    class Counting(str):
        __slots__ = ()

        def find(self, *args) -> int:
            nonlocal looked
            looked += 1
            return super().find(*args)

    path = "/" + "".join(f"{number:02}" for number in reversed(range(50))) + "a" * 2_000 + "bx"
    allowed = PathRules((False, pattern) for pattern in patterns)._decide(Counting(path))[1]
    assert looked <= 4000
    assert not allowed
