"""`decode_stream`: bytes that arrive in chunks, decoded as the WHATWG Encoding Standard specifies."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Final

from crawler.content.encoding import decode

__all__ = ["decode_stream"]

CHUNK_SIZE: Final = 64 * 1024
"""Characters per chunk of a text that was decoded as a whole."""
STATEFUL: Final = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "iso-2022-jp", "shift_jis", "replacement"})
"""Encodings in which the meaning of a byte depends on those before it. They are decoded as a whole."""
INCREMENTAL: Final = frozenset({"utf-8", "utf-16le", "utf-16be"})
"""Encodings that Python's incremental decoders decode as the WHATWG Encoding Standard specifies."""


def decode_stream(chunks: Iterable[bytes], label: str) -> Iterator[str]:
    """Yield the text of a file, without a byte order mark. Undecodable bytes become U+FFFD."""
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
