"""`XmlStream`: an incremental XML parser on top of expat that repairs common errors and resists hostile documents.

Repaired are white space or text before the document, bare ``&`` and ``<``, the names of HTML's entities, and characters
that XML forbids. An entry with any other error is left out; the entries before and after it count. Documents that
declare entities or default attributes are refused, and nothing external is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.entities import html5
from typing import Final
from xml.parsers import expat

__all__ = ["XmlStream"]

MAX_TAG: Final = 1024 * 1024
"""Maximum size of one tag or comment, in bytes."""
MAX_RESTARTS: Final = 1000
"""Maximum number of errors after which parsing resumes."""
WRAPPER: Final = b"<_>"
"""A start tag in place of those around the entries, for a parser that resumes."""
MAX_NAMES: Final = 10_000
"""Maximum number of different names in one document, all of which expat keeps in memory."""
TRUNCATED: Final = frozenset({3, 5, 20})
"""Errors of expat for documents that end early: no element found, unclosed token, unclosed CDATA section."""
PREDEFINED: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
"""Entities that XML defines."""

_REPAIR: Final = re.compile(
    r"&(?:\#(?:[0-9]{1,7}|x[0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{0,31});)?"
    r"|<(?![A-Za-z_:/!?\u00c0-\U0010ffff])"
    "|[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
)
_LITERAL: Final = re.compile(r"<!--|<!\[CDATA\[|<\?")
_ENDS: Final = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_CONTROL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTRY: Final = re.compile(rb"<(?:[\w.-]{1,50}:)?(?:url|sitemap|item|entry)[\s/>]", re.IGNORECASE)
_UNFINISHED: Final = re.compile(r"&[#A-Za-z0-9]{0,33}\Z|<(?:!(?:-|\[[CDAT]{0,5}\[?)?)?\Z")
_ROOT: Final = re.compile(
    r"<(?:\?xml\s|!doctype\s|(?:[\w.-]{1,50}:)?(?:urlset|sitemapindex|rss|feed|rdf)[\s>])", re.IGNORECASE
)
_BEGIN: Final = re.compile(r"<(?=[A-Za-z_!?])")


class _Refused(Exception):
    """Ends the parse of a document that is refused."""


class XmlStream:
    """Parses text that arrives in chunks, and calls back for each element."""

    def __init__(
        self,
        on_start: Callable[[str, Mapping[str, str]], None],
        on_end: Callable[[str], None],
        on_text: Callable[[str], None],
        on_broken: Callable[[], None],
    ) -> None:
        self.fault: str | None = None
        """The first error, in a few words; `None` if there was none."""
        self.ended = False
        """Whether the parse has ended."""
        self.depth = 0
        """Number of open elements."""
        self.entry_level = 0
        """Number of elements around an entry; 0 before the first entry. The callbacks, which know the format, set
        it."""
        self._on_start, self._on_end, self._on_text, self._on_broken = on_start, on_end, on_text, on_broken
        self._names: dict[str, str] = {}
        self._begun = False
        self._held = ""
        self._end = ""
        self._restarts = 0
        self._searching = False
        self._parser = self._new_parser()
        self._rest = b""
        self._at = 0

    def feed(self, text: str) -> None:
        """Parse the next chunk of text."""
        if self.ended:
            return
        self._held += text
        if not self._begun:
            # The document begins in the first 4096 characters.
            begin = _ROOT.search(self._held, 0, 4096) or _BEGIN.search(self._held)
            if begin is None:
                self._held = self._held[-8:]
                return
            self._begun, self._held = True, self._held[begin.start() :]
        self._parse(self._repaired(last=False), last=False)

    def close(self) -> None:
        """Parse what is left: there are no more chunks."""
        if not self.ended:
            self._parse(self._repaired(last=True) if self._begun else "", last=True)
            self.ended = True

    def stop(self, fault: str) -> None:
        """Parse nothing more."""
        self.fault, self.ended = self.fault or fault, True

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8", None, self._names)
        parser.buffer_text = True
        parser.EntityDeclHandler = _refuse_entity
        parser.AttlistDeclHandler = _refuse_attributes
        if self._begun:
            parser.Parse(WRAPPER)
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._on_text
        return parser

    def _parse(self, text: str, *, last: bool) -> None:
        data = text.encode()
        while True:
            self._rest += data
            if self._searching and not self._find_entry():
                return
            data = self._rest if self._searching else data
            self._searching = False
            try:
                self._parser.Parse(data, last)
            except expat.ExpatError as error:
                if self.ended:
                    return
                truncated = last and error.code in TRUNCATED
                message = f"broken XML ({expat.errors.messages.get(error.code, 'unknown')}, line {error.lineno})"
                self.fault = self.fault or ("truncated XML" if truncated else message)
                if truncated or not self.entry_level or self._restarts >= MAX_RESTARTS:
                    self.ended = True
                    return
                # Resume after the error, where the next entry begins.
                self._rest = self._rest[max(0, self._parser.ErrorByteIndex - self._at) + 1 :]
                self._searching, data = True, b""
            except _Refused as error:
                self.stop(str(error))
                return
            else:
                done = self._parser.CurrentByteIndex
                self._rest, self._at = self._rest[max(0, done - self._at) :], max(done, self._at)
                if len(self._rest) > MAX_TAG:
                    self.stop("an unclosed tag")
                elif len(self._names) > MAX_NAMES:
                    self.stop("too many names")
                return

    def _find_entry(self) -> bool:
        """Return whether the next entry has begun. If so, a new parser is ready for it."""
        entry = _ENTRY.search(self._rest)
        if entry is None:
            # The start tag of an entry may begin in what is kept of a chunk, and the next chunk complete it.
            self._rest = self._rest[-100:]
            return False
        self._on_broken()
        self._restarts += 1
        self.depth = self.entry_level
        self._parser = self._new_parser()
        self._rest, self._at = self._rest[entry.start() :], len(WRAPPER)
        return True

    def _open(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        if self.depth > 100:  # no real feed is as deep
            raise _Refused("elements nested too deeply")
        self._on_start(name, attributes)

    def _close(self, name: str) -> None:
        self.depth -= 1
        self._on_end(name)
        if not self.depth:
            self.ended = True  # ignore what follows the document

    def _repaired(self, *, last: bool) -> str:
        """Return the text at hand, repaired, and hold back what the next chunk may complete."""
        text, done = self._held, []
        at = 0
        while at < len(text):
            if self._end:
                end = text.find(self._end, at)
                if end < 0:
                    stop = len(text) if last else max(at, len(text) - len(self._end) + 1)
                    done.append(_CONTROL.sub("", text[at:stop]))
                    at = stop
                    break
                end += len(self._end)
                done.append(_CONTROL.sub("", text[at:end]))
                at, self._end = end, ""
                continue
            literal = _LITERAL.search(text, at)
            stop = literal.start() if literal else len(text)
            if literal is None and not last and (unfinished := _UNFINISHED.search(text, max(at, stop - 40))):
                stop = unfinished.start()
            done.append(_REPAIR.sub(_repair, text[at:stop]))
            at = stop
            if literal is None:
                break
            self._end = _ENDS[literal[0]]
            done.append(literal[0])
            at = literal.end()
        self._held = text[at:]
        return "".join(done)


def _repair(found: re.Match[str]) -> str:
    text, name = found[0], found[1]
    if text == "&":
        return "&amp;"
    if text == "<":
        return "&lt;"
    if name is not None:
        if name in PREDEFINED:
            return text
        characters = html5.get(f"{name};")
        return f"&amp;{name};" if characters is None else "".join(f"&#{ord(character)};" for character in characters)
    if text[0] != "&":
        return ""
    number = int(text[3:-1], 16) if text[2] == "x" else int(text[2:-1])
    allowed = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0xFFFF < number < 0x110000
    return text if allowed else "\ufffd"


def _refuse_entity(*_: object) -> None:
    raise _Refused("XML with entity declarations")


def _refuse_attributes(*_: object) -> None:
    raise _Refused("XML with attribute declarations")
