"""From bytes to text: media types, character encodings by the WHATWG standard, and streams of a body.

Everything here is pure. No input raises an error: an unknown label or a wrong byte has a defined result.
"""

from __future__ import annotations

from crawler.content.encoding import decode, detect_encoding, encode_query, replace_surrogates
from crawler.content.labels import canonical_label
from crawler.content.media_type import is_binary, is_html, is_xhtml, is_xml

__all__ = [
    "canonical_label",
    "decode",
    "detect_encoding",
    "encode_query",
    "is_binary",
    "is_html",
    "is_xhtml",
    "is_xml",
    "replace_surrogates",
]
