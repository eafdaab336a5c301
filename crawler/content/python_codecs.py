"""Python codecs by WHATWG encoding name, for encoding text: turbohtml has decoders only."""

from __future__ import annotations

from typing import Final

__all__ = ["python_codec", "standard_name"]

_CODECS: Final = {
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "windows-874": "cp874",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "x-user-defined": "latin-1",
    "replacement": "utf-8",
}
_NAMES: Final = {
    "utf-8": "UTF-8",
    "ibm866": "IBM866",
    "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U",
    "big5": "Big5",
    "euc-jp": "EUC-JP",
    "iso-2022-jp": "ISO-2022-JP",
    "shift_jis": "Shift_JIS",
    "euc-kr": "EUC-KR",
}


def python_codec(label: str) -> str:
    """Return the name of the Python codec that is closest to an encoding, given by its canonical label."""
    return _CODECS.get(label, label)


def standard_name(label: str) -> str:
    """Return the name as the WHATWG Encoding Standard writes it: ``UTF-8``, ``Shift_JIS``, ``windows-1252``."""
    return label.upper() if label.startswith("iso-8859-") else _NAMES.get(label, label)
