"""`content_scores`: how likely each block of a page is content, by decision trees that were trained on real pages.

``tests/bench/train_content.py`` trained them on the development part of a public set of pages of seven types. The file
has the odds of tags and names, and trees: a feature, a threshold, the tree for smaller values and the one for larger.
No tree has more than eight leaves, so each is a byte of a number: a value of a feature rules out some leaves of all
trees at once (QuickScorer, Lucchese et al. 2015), and the first leaf that is left in a byte is the one of its tree.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from math import exp
from operator import getitem
from typing import Any, Final

import attrs

from crawler.html.blocks import Block, Part, features

__all__ = ["content_scores", "threshold"]

LEAVES: Final = 8
"""Leaves of a tree."""


@attrs.frozen
class _Model:
    odds: dict[str, float]
    features: list[tuple[int, list[float], list[int]]]
    """For each feature that a tree asks for: its number, thresholds, and the leaves that stay between two of them."""
    values: list[list[float]]
    """For each tree: the value of the first leaf of each set of leaves."""


def content_scores(blocks: list[Block], parts: list[Part], url: str) -> list[float]:
    """Return the probability of each block to be content."""
    model = _model()
    found, size = [], len(model.values)
    for row in features(blocks, parts, model.odds, url):
        leaves = -1
        for number, thresholds, stay in model.features:
            leaves &= stay[bisect_left(thresholds, row[number])]
        found.append(1 / (1 + exp(-sum(map(getitem, model.values, leaves.to_bytes(size, "little"))))))
    return found


def threshold(sizes: Sequence[int], scores: Sequence[float]) -> float:
    """Return the least probability of blocks that are chosen: the choice with the largest F1 that can be expected."""
    expected = sum([size * score for size, score in zip(sizes, scores, strict=True)])
    chosen = right = best = least = 0.0
    for score, size in sorted(zip(scores, sizes, strict=True), reverse=True):
        chosen += size
        right += size * score
        if (f1 := 2 * right / (chosen + expected)) > best:
            best, least = f1, score
    return least


@lru_cache(maxsize=1)
def _model() -> _Model:
    data = json.loads(files("crawler.html").joinpath("content_model.json").read_bytes())
    ruled_out: dict[int, dict[float, int]] = {}
    values = []
    for number, tree in enumerate(data["trees"]):
        leaves: list[float] = []
        _read(tree, leaves, ruled_out, LEAVES * number)
        values.append([leaves[_first(byte)] if _first(byte) < len(leaves) else 0.0 for byte in range(256)])
    everything = (1 << LEAVES * len(values)) - 1
    asked = []
    for feature, by_threshold in sorted(ruled_out.items()):
        thresholds, stay = sorted(by_threshold), [everything]
        for one in thresholds:
            stay.append(stay[-1] & ~by_threshold[one])
        asked.append((feature, thresholds, stay))
    return _Model(data["odds"], asked, values)


def _read(node: Any, leaves: list[float], ruled_out: dict[int, dict[float, int]], start: int) -> int:
    """Read a tree, and return the set of its leaves. A value above a threshold rules out those below it."""
    if not isinstance(node, list):
        leaves.append(node)
        return 1 << start + len(leaves) - 1
    feature, least, smaller, larger = node
    left = _read(smaller, leaves, ruled_out, start)
    masks = ruled_out.setdefault(feature, {})
    masks[least] = masks.get(least, 0) | left
    return left | _read(larger, leaves, ruled_out, start)


def _first(byte: int) -> int:
    return (byte & -byte).bit_length() - 1 if byte else LEAVES
