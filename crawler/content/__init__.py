"""What the bytes of a body are: media type, character encoding, and the text that they decode to."""

from __future__ import annotations

from crawler.content.encoding import canonical_label, decode, detect_encoding, encode_query, replace_surrogates
from crawler.content.media_type import is_binary, is_html, is_xhtml

__all__ = [
    "canonical_label",
    "decode",
    "detect_encoding",
    "encode_query",
    "is_binary",
    "is_html",
    "is_xhtml",
    "replace_surrogates",
]
