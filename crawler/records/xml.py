"""Records of XML: all elements of one name (XML 1.0, Namespaces in XML 1.0).

The document is parsed incrementally by expat, and only the current element is kept. Documents that declare entities are
refused, and nothing external is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from crawler.records.source import PAUSE, BrokenRecord, Pause

__all__ = ["element_to_dict", "qualified_name", "xml_records"]

MAX_DEPTH: Final = 200
"""Maximum depth of elements in a record. A deeper record is broken."""
MAX_ELEMENTS: Final = 500_000
"""Maximum number of elements in a record, which is converted in one step. A larger record is broken."""
MAX_TEXT: Final = 32 * 1024 * 1024
"""Maximum number of characters of text in a record, as of a record of JSON. A larger record is broken."""
MAX_TAG: Final = 1024 * 1024
"""Bytes of one tag or comment. expat reads an incomplete one again with each chunk."""
ENDS_EARLY: Final = frozenset({3, 5, 6, 20})
"""Errors of expat: no element found, unclosed token, partial character, unclosed CDATA section."""
NAME: Final = r"[^\s<>&/{}:=\"']+"


def qualified_name(tag: str, namespaces: Mapping[str, str]) -> str:
    """Return a name as `xml_records` takes it: ``g:price`` becomes ``{URI}price``; others are returned unchanged."""
    if re.fullmatch(rf"(?:\{{[^{{}}]*\}})?{NAME}", tag):
        return tag
    if not re.fullmatch(f"{NAME}:{NAME}", tag):
        raise ValueError(f"not an element name: {tag!r}")
    prefix, _, local = tag.partition(":")
    if prefix not in namespaces:
        raise ValueError(f"the prefix {prefix!r} has no namespace; add it to namespaces")
    return f"{{{namespaces[prefix]}}}{local}"


def xml_records(chunks: Iterable[str], tag: str) -> Iterator[Element | BrokenRecord | Pause]:
    """Yield the elements called `tag`, in document order. Elements inside a record are not records themselves.

    `PAUSE` follows the records of each chunk.
    """
    reader = _Reader(tag)
    for chunk in chunks:
        reader.read(chunk.encode())
        yield from reader.take()
        yield PAUSE
    reader.read(b"", last=True)
    yield from reader.take()


def element_to_dict(element: Element) -> dict[str, Any]:
    """Convert an element to a dict, by the local names of its children. Repeated ones become a list.

    A child without children and attributes becomes its text, stripped. Attributes are ``@name``, and text next to
    children or attributes is ``#text``.
    """
    found: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name = _local(child.tag)
        value: Any = element_to_dict(child) if len(child) or child.attrib else (child.text or "").strip()
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    parts = (element.text, *(child.tail for child in element))
    if text := " ".join(part.strip() for part in parts if part and part.strip()):
        found["#text"] = text
    return found


def _local(name: str) -> str:
    return name.rpartition("}")[2]


class _Reader:
    """Parses chunk by chunk. After an error a new parser resumes at the start of the next record."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._anywhere = not tag.startswith("{")
        self._start = re.compile(rb"<(?:[^\s<>&/:=\"']{1,256}:)?%b(?=[\s/>])" % re.escape(_local(tag)).encode())
        self._prefixes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._found: list[Element | BrokenRecord] = []
        self._seen = 0
        self._lost = b""
        self._searching = self._resumed = self._begun = self._has_text = False
        self._open()

    def take(self) -> list[Element | BrokenRecord]:
        """Return the records since the last call."""
        found, self._found = self._found, []
        return found

    def read(self, data: bytes, *, last: bool = False) -> None:
        """Parse the next chunk, in UTF-8."""
        at = 0
        self._has_text = self._has_text or not (data.isspace() or not data)
        while True:
            if self._searching:
                if self._lost:
                    data, at, self._lost = self._lost + data[at:], 0, b""
                begins = self._start.search(data, at)
                if begins is None:
                    # Bytes of the beginning of a tag that may be split between two chunks.
                    self._lost = data[max(data.rfind(b"<"), len(data) - 4096, at) :]
                    return
                at = begins.start()
                self._resume()
            try:
                self._parser.Parse(memoryview(data)[at:], last)
            except expat.ExpatError as error:
                self._report(expat.errors.messages.get(error.code, str(error.code)), is_early=error.code in ENDS_EARLY)
                stopped = at + max(self._parser.ErrorByteIndex - self._fed, 1)
                at, self._searching = min(stopped, len(data)), True
                if last and at == len(data):
                    return
            else:
                self._fed += len(data) - at
                if self._fed - self._parser.CurrentByteIndex > MAX_TAG and not last:
                    self._report(f"a tag of more than {MAX_TAG} bytes")
                    self._searching = True
                return

    def _open(self) -> None:
        self._builder: TreeBuilder | None = None
        self._depth = self._elements = self._size = self._fed = 0
        self._wrong, self._begun = "", False
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartNamespaceDeclHandler = self._declare
        parser.EntityDeclHandler = _refuse
        parser.SkippedEntityHandler = self._skipped
        self._parser = parser

    def _resume(self) -> None:
        """Start a new parser, with the namespace prefixes that were declared before."""
        self._open()
        self._searching, self._resumed = False, True
        names = {f"xmlns:{prefix}" if prefix else "xmlns": uri for prefix, uri in self._prefixes.items()}
        root = f"<_ {' '.join(f'{name}={quoteattr(uri)}' for name, uri in names.items())}>".encode()
        self._parser.Parse(root, False)
        self._fed = len(root)

    def _report(self, reason: str, *, is_early: bool = False) -> None:
        """Report an error inside a record or its tag as a broken record, but not the end of a resumed document."""
        if self._builder is None and self._begun:  # it resumed at a tag, which was complete
            return
        is_cut = is_early and self._has_text and (self._builder is not None or not self._resumed)
        if self._builder is not None or self._resumed:
            self._seen += self._builder is None
            where = f"record {self._seen}"
        else:
            where = "the document"
        self._found.append(BrokenRecord(f"{where}: {reason}", is_cut=is_cut))

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if self._builder is None:
            name = self._name(name)
            if name != self._tag and not (self._anywhere and _local(name) == self._tag):
                return
            self._builder = TreeBuilder()
            self._seen += 1
            self._begun = self._resumed
        self._depth += 1
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            self._wrong = f"more than {MAX_ELEMENTS} elements"
        elif self._depth > MAX_DEPTH:
            self._wrong = f"elements nested more than {MAX_DEPTH} deep"
        else:
            self._builder.start(self._name(name), {self._name(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        if self._builder is None:
            return
        self._depth -= 1
        if self._depth < MAX_DEPTH and self._elements <= MAX_ELEMENTS:
            self._builder.end(self._name(name))
        if self._depth == 0:
            wrong = self._wrong
            self._found.append(BrokenRecord(f"record {self._seen}: {wrong}") if wrong else self._builder.close())
            self._builder, self._wrong, self._elements, self._size = None, "", 0, 0

    def _text(self, text: str) -> None:
        if self._builder is None or self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            return
        self._size += len(text)
        if self._size > MAX_TEXT:
            self._wrong = f"more than {MAX_TEXT} characters"
        else:
            self._builder.data(text)

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if self._builder is None and len(self._prefixes) < MAX_DEPTH:
            self._prefixes[prefix or ""] = uri or ""

    def _skipped(self, name: str, _is_parameter: object) -> None:
        if self._builder is not None:
            self._wrong = f"the entity {name!r} is not defined"

    def _name(self, name: str) -> str:
        """Convert expat's ``uri}local`` to ``{uri}local``."""
        if "}" not in name or name.startswith("{"):
            return name
        known = self._names.get(name)
        if known is None:
            if len(self._names) > 10_000:
                self._names.clear()
            known = self._names[name] = f"{{{name}"
        return known


def _refuse(name: str, *_: object) -> None:
    raise ValueError(f"the document declares the entity {name!r}; documents with entities are refused")
