"""Bytes in chunks decode to the same text as in one piece, in every encoding of the web, and no bytes raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.content.decode_stream import decode_stream
from crawler.content.encoding import decode
from crawler.content.labels import _LABELS
from crawler.feeds.read import read_feed
from crawler.feeds.sitemap import sitemaps

LABELS = sorted(set(_LABELS.values()))
ODD = st.sampled_from([b"\x1b$B", b"\x1b(", b"\xa5", b"\x81", b"\x84\x31\x95\x33", b"\xef\xbb\xbf", b"\xd8\x00", b"\0"])


@pytest.mark.parametrize("label", LABELS)
@given(st.lists(ODD | st.binary(max_size=8), max_size=8))
def test_pieces_do_not_matter(label: str, pieces: list[bytes]) -> None:
    assert "".join(decode_stream(pieces, label)) == decode(b"".join(pieces), label)


@each("label", LABELS)
def test_a_sitemap_or_a_feed_of_broken_characters_raises_nothing(label: str) -> None:
    body, kind = b"\x1b(\xa5\x08<" * 500, f"text/xml; charset={label}"
    assert list(sitemaps(body, "https://site.test/", content_type=kind)) == []
    read_feed(body, "https://site.test/", content_type=kind)
