"""Scores of blocks by the trained trees, and the choice with the largest F1 that can be expected."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from crawler.html import content_model, parse
from crawler.html.blocks import FEATURES, read_blocks

PAGE = (
    "<h1>Floods</h1><p>In spring the river rose, and the town was flooded.</p><footer><a href=x>Terms</a></footer>" * 9
)


def test_scores_are_those_of_the_trees(monkeypatch: pytest.MonkeyPatch):
    rows = [[value + at % 3 for at in range(len(FEATURES))] for value in (-9.0, -0.5, 0.0, 0.3, 1.0, 14.0, 99.0)]
    monkeypatch.setattr(content_model, "features", lambda *_: rows)
    trees = json.loads(files("crawler.html").joinpath("content_model.json").read_text())["trees"]
    for row, score in zip(rows, content_model.content_scores([], [], ""), strict=True):
        total = 0.0
        for node in trees:
            while isinstance(node, list):
                node = node[2 if row[node[0]] <= node[1] else 3]
            total += node
        assert score == pytest.approx(1 / (1 + 2.718281828459045**-total))


def test_prose_is_more_likely_to_be_content_than_a_footer():
    body = parse(PAGE.encode(), "utf-8").select_one("body")
    assert body is not None
    blocks, parts = read_blocks(body)
    scores = content_model.content_scores(blocks, parts, "https://site.example/")
    by_text = {block.text[:6]: score for block, score in zip(blocks, scores, strict=True)}
    assert by_text["In spr"] > 0.5 > by_text["Terms"]


@pytest.mark.parametrize(
    ("sizes", "scores", "least"),
    [([10, 10], [1.0, 0.0], 1.0), ([10, 10], [0.9, 0.8], 0.8), ([100, 1], [0.1, 0.9], 0.1), ([], [], 0.0)],
)
def test_the_choice_has_the_largest_f1_that_can_be_expected(sizes, scores, least):
    assert content_model.threshold(sizes, scores) == least
