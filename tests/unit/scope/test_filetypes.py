"""The setting `skip_extensions`: endings of the path of a URL."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler import ConfigError
from crawler.scope.filetypes import SETS, FileTypes


@each(
    ("path", "found"),
    [
        ("", False),
        ("a.pdf", True),
        ("A.PDF", True),
        ("a.tar.gz", True),
        ("a.gz.tar", False),
        ("a.pdf/c", False),
        ("a.pdf/", False),
        ("a.pdf?b=c.png", True),
        ("a?b=c.pdf", False),
        ("a.", False),
        ("pdf", False),
        (".pdf", True),
        ("a.pdf.html", False),
        ("v1.2.long-words-that-are-no-ending-at-all-pdf", False),
    ],
)
def test_the_ending_of_a_path_counts(path, found):
    assert FileTypes(["pdf", ".GZ"]).match(f"https://example.com/{path}") is found


def test_a_host_has_no_file_type():
    assert not FileTypes(["com"]).match("https://example.com/")


def test_words_and_endings():
    assert FileTypes(["pdf", ".DOC", "media"]).endings == {"pdf", "doc"} | SETS["media"]
    assert {"jpg", "mp4", "woff2"} <= SETS["media"]
    assert {"zip", "gz", "deb"} <= SETS["archives"]
    assert not {"html", "htm", "php", "xml", "txt", "pdf", "ts", "js"} & (SETS["media"] | SETS["archives"])


@pytest.mark.parametrize("word", ["*.pdf", "a b", ".", "a/b", "pdf,doc"])
def test_an_invalid_file_ending_is_refused(word):
    with pytest.raises(ConfigError) as caught:
        FileTypes([word])
    assert str(caught.value) == (f"setting skip_extensions: not a file extension: {word!r} (write pdf, or media)")
