"""`decode_stream`: bytes that come in pieces as text, by the decoders of the WHATWG Encoding Standard."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Final

from crawler.content.encoding import decode

__all__ = ["decode_stream"]

CHUNK_SIZE: Final = 64 * 1024
"""Characters that are given together."""
STATEFUL: Final = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "iso-2022-jp", "shift_jis", "replacement"})
"""Encodings in which a piece cannot be told from what stands before it; they are decoded in one go."""
INCREMENTAL: Final = frozenset({"utf-8", "utf-16le", "utf-16be"})
"""Encodings that Python decodes as the WHATWG Encoding Standard does, also piece by piece."""


def decode_stream(chunks: Iterable[bytes], label: str) -> Iterator[str]:
    """The text of a file in pieces, without a byte order mark; what cannot be decoded is U+FFFD.

    Parameters:
        pieces: its bytes.
        label: a WHATWG name of its encoding.
    """
    if label in STATEFUL:
        whole = decode(b"".join(chunks), label)
        yield from (whole[at : at + CHUNK_SIZE] for at in range(0, len(whole), CHUNK_SIZE))
        return
    if label not in INCREMENTAL:
        for chunk in chunks:
            yield decode(chunk, label)
        return
    decoder = codecs.getincrementaldecoder(label)("replace")
    first = True
    for chunk in chunks:
        text = decoder.decode(chunk)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield text
    if last := decoder.decode(b"", final=True):
        yield last
