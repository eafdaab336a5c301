"""Sections of Markdown under the path of their headings, and pieces that fit into a budget."""

from __future__ import annotations

import time

from crawler_plugins.markdown_pieces import pieces, sections


def test_the_path_of_headings():
    text = "before\n# A\na\n### A.1\nb\n## A.2\n# B\n"
    assert [(path, section.splitlines()[0]) for path, section in sections(text)] == [
        ([], "before"),
        (["A"], "# A"),
        (["A", "A.1"], "### A.1"),
        (["A", "A.2"], "## A.2"),
        (["B"], "# B"),
    ]


def test_headings_lose_their_markup():
    assert next(sections("# A **b** `c_d` [e](x) \\*"))[0] == ["A b c_d e *"]


def test_code_has_no_headings():
    text = "# A\n````\n# no\n```\n# no\n````\n# B\n~~~\n# no"
    assert [path for path, _ in sections(text)] == [["A"], ["B"]]


def test_the_best_place_to_cut_is_chosen():
    assert "".join(pieces("aa bb\n\ncc. dd ee\nff", 6, len)) == "aa bb\n\ncc. dd ee\nff"
    assert list(pieces("aa bb\n\ncc dd", 7, len)) == ["aa bb\n\n", "cc dd"]
    assert list(pieces("aaaaa", 2, len)) == ["aa", "a", "aa"]


def test_hostile_headings_take_linear_time_and_no_memory():
    started = time.thread_time()
    path, _ = next(sections("# " + "[" * 500_000))
    assert len(path[0]) <= 500
    assert time.thread_time() - started < 1
