"""`skip_extensions`: what the path of a URL ends with."""

from __future__ import annotations

import pytest

from crawler import ConfigError
from crawler.scope.filetypes import SETS, extension, extensions


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("", ""),
        ("a.pdf", "pdf"),
        ("A.PDF", "pdf"),
        ("a.tar.gz", "gz"),
        ("a.b/c", ""),
        ("a.pdf/", ""),
        ("a.pdf?b=c.png", "pdf"),
        ("a?b=c.png", ""),
        ("a.", ""),
        (".htaccess", "htaccess"),
        ("v1.2.very-long-words-that-are-no-ending", ""),
    ],
)
def test_the_ending_of_a_path(path, ending):
    assert extension(f"https://example.com/{path}") == ending


def test_words_and_endings():
    assert extensions(["pdf", ".DOC", "media"]) == {"pdf", "doc"} | SETS["media"]
    assert {"jpg", "mp4", "woff2"} <= SETS["media"]
    assert {"zip", "gz", "deb"} <= SETS["archives"]
    assert not {"html", "htm", "php", "xml", "txt", "pdf", "ts", "js"} & (SETS["media"] | SETS["archives"])


@pytest.mark.parametrize("word", ["*.pdf", "a b", ".", "a/b", "pdf,doc"])
def test_what_is_no_ending_is_refused(word):
    with pytest.raises(ConfigError) as caught:
        extensions([word])
    assert str(caught.value) == (f"setting skip_extensions: not a file extension: {word!r} (write pdf, or media)")
