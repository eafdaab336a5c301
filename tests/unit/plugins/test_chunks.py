"""The plugin `chunks`."""

from __future__ import annotations

from itertools import pairwise

import pytest
from crawler_plugins.chunks import Chunks, estimate_tokens
from hypothesis import given
from hypothesis import strategies as st

from crawler import ConfigError, Settings
from crawler.hooks.load import construct, load_plugin
from crawler.spiders import SiteSpider
from crawler.testing import FakeSite, collect

PAGE = "<title>T</title><main><h1>Guide</h1><p>Intro.</p><h2>Install <a href=/x>it</a></h2><p>Run it.</p></main>"


def words(text):
    return len(text.split())


async def test_each_item_gets_the_chunks_of_its_markdown(autojump_clock):
    found = await collect(SiteSpider("https://site.test/", "markdown"), FakeSite({"/": PAGE}), plugins=[Chunks()])
    assert found.items[0]["chunks"] == [
        {"headings": ["Guide"], "text": "# Guide\n\nIntro.", "tokens": 4},
        {"headings": ["Guide", "Install it"], "text": "## Install [it](https://site.test/x)\n\nRun it.", "tokens": 12},
    ]


async def test_items_without_markdown_get_the_chunks_of_the_page(autojump_clock):
    settings = Settings(max_depth=0)
    found = await collect(
        SiteSpider("https://site.test/"), FakeSite({"/": PAGE}), plugins=[Chunks(field="c")], settings=settings
    )
    assert [chunk["headings"][-1] for chunk in found.items[0]["c"]] == ["Guide", "Install it"]


def test_a_long_section_is_cut_and_its_chunks_overlap():
    text = "# A\n\n" + " ".join(f"word{n}." for n in range(100))
    chunks = list(Chunks(20, overlap=5, tokenizer=words).split(text))
    assert all(chunk["tokens"] <= 20 for chunk in chunks)
    for before, after in pairwise(chunks):
        assert before["text"].split()[-5:] == after["text"].split()[:5]
    assert {word for chunk in chunks for word in chunk["text"].split()} == set(text.split())


def test_paragraphs_are_kept_whole_if_they_fit():
    paragraphs = [f"Paragraph {n} has exactly these eight words here." for n in range(6)]
    chunks = list(Chunks(17, overlap=0, tokenizer=words).split("\n\n".join(paragraphs)))
    assert [chunk["text"].count("Paragraph") for chunk in chunks] == [2, 2, 2]


@given(st.text(alphabet="ab \n#`.é漢\t", max_size=400), st.integers(8, 30), st.integers(0, 4))
def test_nothing_is_lost_and_no_chunk_is_too_large(text, size, overlap):
    chunks = list(Chunks(size, overlap=overlap).split(text))
    assert all(0 < chunk["tokens"] == estimate_tokens(chunk["text"]) <= size for chunk in chunks)
    if overlap == 0:
        assert "".join("".join(chunk["text"] for chunk in chunks).split()) == "".join(text.split())


def test_empty_text_has_no_chunks_and_a_long_word_is_cut():
    assert list(Chunks().split(" \n\n")) == []
    assert "".join(chunk["text"] for chunk in Chunks(8, overlap=0).split("x" * 1000)) == "x" * 1000


def test_tokens_are_estimated_by_bytes():
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde", "漢字漢字", "\ud800")] == [0, 1, 1, 2, 3, 1]


def test_chunks_is_installed_and_its_options_are_converted_from_text():
    texts = {"size": "100", "overlap": "10", "tokenizer": "crawler_plugins.chunks:estimate_tokens"}
    made = construct(load_plugin("chunks"), texts, what="plugin chunks")
    assert (made.size, made.overlap, made._count) == (100, 10, estimate_tokens)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 7}, "at least 8"),
        ({"overlap": 251}, "from 0 to half of size, 250"),
        ({"overlap": -1}, "from 0"),
        ({"field": ""}, "names of fields"),
        ({"tokenizer": "no_such_module:f"}, "cannot be imported"),
        ({"tokenizer": "os:no_such_name"}, "cannot be imported"),
        ({"tokenizer": "os"}, "must be a function"),
        ({"tokenizer": 5}, "must be a function"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Chunks(**options)
