"""`BodyStream`: the text of a body in chunks, decompressed and decoded as the WHATWG Encoding Standard specifies."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from crawler.content.encoding import decode, detect_encoding
from crawler.content.gunzip import Gunzipped

__all__ = ["BodyStream", "decode_stream"]


class BodyStream:
    """The text of a body, to be iterated once.

    A body that was compressed by gzip once or twice is decompressed, whatever its name or media type say. Iteration
    never raises for invalid content; see `fault`.
    """

    def __init__(self, body: bytes | Iterable[bytes], content_type: str | None, max_bytes: int) -> None:
        self._outer = Gunzipped(body)
        self._inner = Gunzipped(self._outer)
        self._content_type = content_type
        self._max_bytes = max_bytes
        self._is_cut = False

    @property
    def fault(self) -> str | None:
        """Why the text ended early, in a few words; `None` if it is complete. Known after the iteration."""
        cut = f"larger than {self._max_bytes} bytes" if self._is_cut else None
        return cut or self._outer.fault or self._inner.fault

    def __iter__(self) -> Iterator[str]:
        chunks = self._capped(self._inner)
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= 1024:  # enough to find the encoding
                break
        yield from decode_stream(chain((head,), chunks), self._encoding(head))

    def _encoding(self, head: bytes) -> str:
        if head[:2] in (b"<\0", b"\0<"):  # UTF-16 without a byte order mark (XML 1.0 appendix F)
            return "utf-16le" if head[0] else "utf-16be"
        return detect_encoding(head, self._content_type)

    def _capped(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        left = self._max_bytes
        for chunk in chunks:
            if len(chunk) > left:
                self._is_cut = True
                yield chunk[:left]
                return
            left -= len(chunk)
            yield chunk


CHUNK_SIZE: Final = 64 * 1024
"""Characters per chunk of a text that was decoded as a whole."""
STATEFUL: Final = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "iso-2022-jp", "shift_jis", "replacement"})
"""Encodings in which the meaning of a byte depends on those before it, but not on those before its line."""
MAX_UNSPLIT: Final = 1024 * 1024
"""Bytes of such a text that are decoded at once, if it has line ends; eight times as many, if it has none."""
INCREMENTAL: Final = frozenset({"utf-8", "utf-16le", "utf-16be"})
"""Encodings that Python's incremental decoders decode as the WHATWG Encoding Standard specifies."""


def decode_stream(chunks: Iterable[bytes], label: str) -> Iterator[str]:
    """Yield the text of a file, without a byte order mark. Undecodable bytes become U+FFFD."""
    if label in STATEFUL:
        for piece in _whole_lines(chunks):
            text = decode(piece, label)
            yield from (text[at : at + CHUNK_SIZE] for at in range(0, len(text), CHUNK_SIZE))
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


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a text in pieces that end with a line, unless a line is very long."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) < MAX_UNSPLIT:
            continue
        end = held.rfind(b"\n") + 1 or (len(held) if len(held) >= 8 * MAX_UNSPLIT else 0)
        if end:
            yield bytes(held[:end])
            del held[:end]
    yield bytes(held)
