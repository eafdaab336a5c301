"""`parse_xml`: the tree of an XML document, whether it is well-formed or not.

A document that is not well-formed is repaired: elements that are not closed end with the element around them, end tags
without an element are left out, and ``&`` and ``<`` that begin no markup are text. Nothing external is loaded. Entities
that a document declares are not replaced, so that no document is larger in memory than it was sent.
"""

from __future__ import annotations

import html
import logging
import re
from collections import Counter
from html.entities import html5
from typing import Final

import turbohtml
from turbohtml import Document

from crawler.html.tree import cut_tags

__all__ = ["is_declaration", "parse_xml"]

_START: Final = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_PART: Final = rf"[{_START}][{_START}.0-9\xb7\u0300-\u036f\u203f\u2040-]*+"
_NAME: Final = rf"{_PART}(?::{_PART})?+"
"""XML 1.0 section 2.3, and Namespaces in XML 1.0 section 4: a name with at most one prefix."""
_SECTION: Final = re.compile(r"<(?:!--.*?(?:-->|\Z)|\?.*?(?:\?>|\Z)|!\[CDATA\[(?P<data>.*?)(?:\]\]>|\Z))", re.DOTALL)
_MARKUP: Final = re.compile(
    rf"""{_SECTION.pattern}
    | <!DOCTYPE[^<>\[]*+(?:\[.*?(?:\]\s*+>|\Z)|>)?+
    | <![A-Za-z][^<>]*+>?+
    | </(?P<end>{_NAME})[^<>]*+>?+
    | <(?P<start>{_NAME})(?P<attributes>(?:[^<>"']|"[^"<]*+"|'[^'<]*+'|["'])*+)>?+""",
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE: Final = re.compile(r"""([^\s=/"']++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"']++))?+""")
_WHOLE_NAME: Final = re.compile(_NAME)
_REFERENCE: Final = re.compile(r"&(?:\#[0-9]{1,7}|\#x[0-9a-fA-F]{1,6}|(?P<name>[A-Za-z][A-Za-z0-9]{0,31}));")
_FORBIDDEN: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARK: Final = "crawler-declares"
"""The attribute that stands for the declarations of namespaces of an element until the document is parsed."""
MAX_TAGS: Final = 5_000_000
"""Tags of a document that are parsed: their tree takes up to 1 GB."""
log = logging.getLogger("crawler.html")


def parse_xml(text: str) -> Document:
    """Parse an XML document. CDATA sections become text. A document without any element has an empty tree."""
    if text.count("<") > MAX_TAGS:
        log.warning("a document has %d tags: the first %d count", text.count("<"), MAX_TAGS)
        text = cut_tags(text, MAX_TAGS)
    text = text.strip("\ufeff \t\r\n")
    try:
        return turbohtml.parse_xml(_SECTION.sub(_without_cdata, text) if "<![CDATA[" in text else text)
    except turbohtml.HTMLParseError:
        return _Repair().parse(text)


def is_declaration(name: str) -> bool:
    """Return whether an attribute of this name declares a namespace."""
    return name == "xmlns" or name.startswith("xmlns:")


def _without_cdata(section: re.Match[str]) -> str:
    return section[0] if section["data"] is None else html.escape(section["data"], quote=False)


class _Repair:
    """Writes a document again so that it is well-formed. The declarations of its namespaces are set afterwards."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._open: list[str] = []
        self._opened: Counter[str] = Counter()
        self._prefixes: dict[str, None] = {}
        self._declarations: list[dict[str, str]] = []

    def parse(self, text: str) -> Document:
        at = 0
        for markup in _MARKUP.finditer(text):
            self._text(text[at : markup.start()])
            at = markup.end()
            if markup["start"]:
                self._start(markup["start"], markup["attributes"])
            elif markup["end"]:
                self._end(markup["end"])
            elif markup["data"] and self._open:
                self._written.append(html.escape(_allowed(markup["data"]), quote=False))
            if self._written and not self._open:
                break  # the document has ended
        else:
            self._text(text[at:])
        return self._document()

    def _text(self, text: str) -> None:
        if self._open and text:
            self._written.append(html.escape(_allowed(_resolved(text)), quote=False))

    def _start(self, name: str, rest: str) -> None:
        attributes: dict[str, str] = {}
        declarations: dict[str, str] = {}
        is_empty = rest.endswith("/")
        rest = rest[:-1] if is_empty else rest
        for key, value in _ATTRIBUTE.findall(rest):
            if key == _MARK or not _WHOLE_NAME.fullmatch(key):
                continue
            value = value[1:-1] if value[:1] in ("'", '"') else value
            (declarations if is_declaration(key) else attributes).setdefault(key, _allowed(_resolved(value)))
        if declarations:
            attributes[_MARK] = str(len(self._declarations))
            self._declarations.append(declarations)
        name = name.removeprefix("xmlns:")
        self._prefixes |= dict.fromkeys(one.partition(":")[0] for one in (name, *attributes) if ":" in one)
        tag = name + "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
        if not self._written:
            self._written += "<", tag, ">"  # `_document` declares the prefixes here
        else:
            self._written.append(f"<{tag}>")
        self._open.append(name)
        self._opened[name] += 1
        if is_empty:
            self._end(name)

    def _end(self, name: str) -> None:
        name = name.removeprefix("xmlns:")
        while self._opened[name]:
            last = self._open.pop()
            self._opened[last] -= 1
            self._written.append(f"</{last}>")
            if last == name:
                return

    def _document(self) -> Document:
        if not self._written:
            document = turbohtml.parse_xml("<_/>")
            document.children[0].extract()
            return document
        declared = [prefix for prefix in self._prefixes if prefix != "xml"]
        self._written[1] += "".join(f' xmlns:{prefix}="{prefix}"' for prefix in declared)
        ends = (f"</{name}>" for name in reversed(self._open))
        document = turbohtml.parse_xml("".join((*self._written, *ends)))
        root = document.root
        assert root is not None
        for prefix in declared:
            del root.attrs[f"xmlns:{prefix}"]
        for element in document.select(f"[{_MARK}]"):
            element.attrs.update(self._declarations[int(str(element.attrs.pop(_MARK)))])
        return document


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub("", text)


def _resolved(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    name = reference["name"]
    return html.unescape(reference[0]) if name is None else html5.get(f"{name};", reference[0])
