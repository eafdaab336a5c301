"""Pages in many encodings, with correct, wrong and missing labels."""

from __future__ import annotations

import codecs
from typing import Final

from support.faults.case import FaultCase, response

__all__ = ["TEXTS"]

JAPANESE: Final = "<title>日本語</title>こんにちは、カタカナ"
CHINESE: Final = "<title>中文</title>你好世界"
RUSSIAN: Final = "<title>Русский</title>Привет, мир"
FRENCH: Final = "<title>Français</title>déjà vu – 5 € “ça”"
ENCODED: Final = (
    ("text-utf8", "UTF-8, declared in the header", "; charset=utf-8", FRENCH, "utf-8"),
    ("text-utf8-quoted", "UTF-8, declared in quotes and capitals", '; CHARSET="UTF8"', FRENCH, "utf-8"),
    ("text-shift-jis", "Shift_JIS, declared in the header", "; charset=Shift_JIS", JAPANESE, "cp932"),
    ("text-euc-jp", "EUC-JP, declared as x-euc-jp", "; charset=x-euc-jp", JAPANESE, "euc-jp"),
    ("text-gb18030", "gb18030, declared in the header", "; charset=gb18030", CHINESE, "gb18030"),
    ("text-gb2312", "gbk, declared as gb2312", "; charset=gb2312", CHINESE, "gbk"),
    ("text-windows-1252", "windows-1252, declared as iso-8859-1", "; charset=iso-8859-1", FRENCH, "cp1252"),
    ("text-windows-1251", "windows-1251, declared in the header", "; charset=windows-1251", RUSSIAN, "cp1251"),
    ("text-koi8-r", "KOI8-R, declared in the header", "; charset=koi8-r", RUSSIAN, "koi8-r"),
    ("text-utf16le", "UTF-16 LE, declared in the header", "; charset=utf-16le", FRENCH, "utf-16le"),
    ("text-utf16be", "UTF-16 BE, declared in the header", "; charset=utf-16be", FRENCH, "utf-16be"),
)
BOMS: Final = (
    ("text-utf8-bom", "UTF-8 with a byte order mark, against the header", codecs.BOM_UTF8, "utf-8"),
    ("text-utf16le-bom", "UTF-16 LE with a byte order mark, against the header", codecs.BOM_UTF16_LE, "utf-16le"),
    ("text-utf16be-bom", "UTF-16 BE with a byte order mark, against the header", codecs.BOM_UTF16_BE, "utf-16be"),
)
METAS: Final = (
    ("text-meta", "an encoding declared by meta charset alone", '<meta charset="windows-1251">', RUSSIAN, "cp1251"),
    (
        "text-meta-http-equiv", "an encoding declared by meta http-equiv",
        '<meta http-equiv="Content-Type" content="text/html; charset=shift_jis">', JAPANESE, "cp932",
    ),
    (
        "text-meta-late", "meta charset after the first 1024 bytes, for which browsers parse the page again",
        f"<!-- {'-' * 1024} --><script>'<meta charset=koi8-r>'</script><meta charset=windows-1251>", RUSSIAN, "cp1251",
    ),
    (
        "text-meta-utf16", "meta charset utf-16, which cannot be true and means UTF-8",
        '<meta charset="utf-16">', FRENCH, "utf-8",
    ),
)  # fmt: skip


def _html(label: str, body: bytes) -> bytes:
    return response(f"Content-Type: text/html{label}", body=body)


TEXTS: Final = (
    *(
        FaultCase(name=name, about=about, status=200, text=text, answer=_html(label, text.encode(codec)))
        for name, about, label, text, codec in ENCODED
    ),
    *(
        FaultCase(
            name=name, about=about, status=200, text=FRENCH,
            answer=_html("; charset=windows-1251", mark + FRENCH.encode(codec)),
        )
        for name, about, mark, codec in BOMS
    ),
    *(
        FaultCase(name=name, about=about, status=200, text=meta + text, answer=_html("", (meta + text).encode(codec)))
        for name, about, meta, text, codec in METAS
    ),
    FaultCase(
        name="text-wrong-meta", about="header and meta disagree: the header applies", status=200,
        text='<meta charset="koi8-r">' + RUSSIAN,
        answer=_html("; charset=windows-1251", ('<meta charset="koi8-r">' + RUSSIAN).encode("cp1251")),
    ),
    FaultCase(
        name="text-no-charset", about="UTF-8 without a declaration", status=200, text=FRENCH * 20,
        answer=_html("", (FRENCH * 20).encode()),
    ),
    FaultCase(
        name="text-unknown-charset", about="an unknown encoding", status=200, text=FRENCH * 20,
        answer=_html("; charset=klingon-1", (FRENCH * 20).encode()),
    ),
    FaultCase(
        name="text-broken-utf8", about="invalid bytes in UTF-8", status=200, text="<p>a�b�c",
        answer=_html("; charset=utf-8", b"<p>a\xffb\xc3c"),
    ),
    FaultCase(
        name="text-truncated-utf8", about="UTF-8 that ends inside a character", status=200, text="<p>a�",
        answer=_html("; charset=utf-8", b"<p>a\xe2\x82"),
    ),
    FaultCase(
        name="text-nul", about="NUL bytes in the text", status=200, text="<p>a\0b",
        answer=_html("; charset=utf-8", b"<p>a\0b"),
    ),
    FaultCase(
        name="text-binary", about="an image labelled as HTML", status=200,
        answer=_html("", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4),
    ),
    FaultCase(
        name="text-no-type", about="HTML without a Content-Type", status=200, text="<title>untyped</title>",
        answer=response(body="<title>untyped</title>"),
    ),
    FaultCase(
        name="text-bad-type", about="an invalid Content-Type", status=200, text="<title>mistyped</title>",
        answer=response("Content-Type: ;;;=/html;charset", body="<title>mistyped</title>"),
    ),
)  # fmt: skip
"""The cases with text encodings."""
