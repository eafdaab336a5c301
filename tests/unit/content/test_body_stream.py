"""The text of a body in chunks: decompressed, decoded, up to a limit; damaged bodies are read up to the damage."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.content import decode, detect_encoding
from crawler.content.body_stream import BodyStream, decode_stream
from crawler.content.labels import _LABELS
from crawler.feeds.read import read_feed
from crawler.feeds.sitemap import sitemaps

LIMIT = 1_000_000


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)  # without the time, which would differ between processes


def read(body, content_type: str | None = None, limit: int = LIMIT) -> tuple[str, str | None]:
    stream = BodyStream(body, content_type, limit)
    return "".join(stream), stream.fault


@pytest.mark.parametrize(
    "body",
    [
        "añ€".encode(),
        "\ufeffañ€".encode(),
        gzipped("añ€".encode()),
        gzipped(gzipped("añ€".encode())),
        gzipped("añ".encode()) + gzipped("€".encode()),
        gzipped("añ€".encode()) + b"\0" * 600,
        gzipped("añ€".encode()) + b"garbage",
    ],
)
def test_plain_and_compressed_bodies_have_the_same_text(body):
    assert read(body) == ("añ€", None)
    assert read([body[at : at + 1] for at in range(len(body))]) == ("añ€", None)
    assert read(memoryview(body)) == ("añ€", None)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"\xe9", "text/xml; charset=latin1", "é"),
        (b"<?xml version='1.0' encoding='latin1'?>\xe9", "text/xml", "<?xml version='1.0' encoding='latin1'?>é"),
        ("<é".encode("utf-16-le"), None, "<é"),
        ("<é".encode("utf-16-be"), None, "<é"),
        ("あ".encode("shift_jis") * 2, "text/plain; charset=sjis", "ああ"),
        (b"", None, ""),
    ],
)
def test_the_encoding(body, content_type, text):
    assert read(body, content_type) == (text, None)
    assert read([body[at : at + 1] for at in range(len(body))], content_type) == (text, None)


@pytest.mark.parametrize("compress", [bytes, gzipped])
def test_no_more_than_the_limit_is_read(compress):
    assert read(compress(b"x" * 100), limit=100) == ("x" * 100, None)
    assert read(compress(b"x" * 101), limit=100) == ("x" * 100, "larger than 100 bytes")


def test_damaged_gzip_yields_the_data_before_the_damage():
    body = "".join(f"{number * number} " for number in range(20_000))
    packed = gzipped(body.encode())
    text, fault = read(packed[:-500])
    assert (body.startswith(text), len(text) > 50_000, fault) == (True, True, "truncated gzip")
    text, fault = read(packed[:20_000] + b"\xff" * 500 + packed[20_500:])
    assert (body.startswith(text[:10_000]), fault) == (True, "broken gzip")
    assert read(b"\x1f\x8b" + b"\xff" * 50) == ("", "broken gzip")


BODIES = st.binary(max_size=300)


@given(
    BODIES | BODIES.map(gzip.compress) | BODIES.map(lambda body: zlib.compress(body, wbits=31)[:-9]), st.integers(1, 50)
)
def test_the_cuts_between_chunks_make_no_difference(body, size):
    assert read([body[at : at + size] for at in range(0, len(body), size)]) == read(body)


@given(BODIES.filter(lambda body: not body.startswith((b"\x1f\x8b", b"<\0", b"\0<"))))
def test_the_text_is_that_of_the_whole_body(body):
    assert read(body)[0] == decode(body, detect_encoding(body, None))


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
