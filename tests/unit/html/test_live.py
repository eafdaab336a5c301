"""Elements outside of inert content: the same as by a selector, and in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.html.live import INERT, select_live
from crawler.html.tree import parse_text

PIECES = st.sampled_from([
    "<a href=x>", "</a>", "<div>", "</div>", "<template>", "<template shadowrootmode=open>", "</template>",
    "<noscript>", "</noscript>", "<svg>", "</svg>", "<meta name=a content=b>", "<p>", "text",
])  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
@pytest.mark.parametrize(
    ("query", "outside"),
    [("a,meta", INERT), ("a", "template"), ("meta[name]", "template,noscript"), ("div a,p", INERT)],
)
def test_a_live_selection_equals_a_query_that_tests_the_ancestors(query: str, outside: str, text: str) -> None:
    document = parse_text(text)
    exclusion = "".join(f":not({one} *)" for one in outside.split(","))
    expected = document.select(",".join(one + exclusion for one in query.split(",")))
    assert select_live(document, query, outside) == expected
