"""`XmlStream`: XML parsed as it comes, by expat; mended where people get it wrong, harmless where it is hostile.

What is mended: white space or noise before the document, ``&`` and ``<`` that stand for themselves, the names of HTML's
entities, characters that XML does not allow. At the first thing that cannot be mended reading ends; what came before
counts. What is refused: a document that declares entities or default attributes; nothing external is ever read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.entities import html5
from typing import Final
from xml.parsers import expat

__all__ = ["XmlStream"]

DEEPEST: Final = 100
"""Elements inside of each other."""
LONGEST: Final = 1024 * 1024
"""Characters of one tag or comment."""
NOISE: Final = 4096
"""Characters in which an XML declaration is looked for, behind what a server may have said before it."""
NAMES: Final = 10_000
"""Different names of elements and attributes in one document: expat keeps each."""
EARLY: Final = frozenset({3, 5, 20})
"""Errors of expat: no element found, unclosed token, unclosed CDATA section."""
PREDEFINED: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})

_MEND: Final = re.compile(
    r"&(?:\#(?:[0-9]{1,7}|x[0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{0,31});)?"
    r"|<(?![A-Za-z_:/!?\u00c0-\U0010ffff])"
    "|[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
)
_LITERAL: Final = re.compile(r"<!--|<!\[CDATA\[|<\?")
_ENDS: Final = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_CONTROL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_UNFINISHED: Final = re.compile(r"&[#A-Za-z0-9]{0,33}\Z|<(?:!(?:-|\[[CDAT]{0,5}\[?)?)?\Z")
_DECLARATION: Final = re.compile(r"<\?xml\s")
_BEGIN: Final = re.compile(r"<(?=[A-Za-z_!?])")


class _Refused(Exception):
    """Ends the parse: the document does what it may not."""


class XmlStream:
    """Feed it text; it calls back for each element.

    Parameters:
        opened: gets the name of an element, as it is written, and its attributes.
        closed: gets the name of an element that ends.
        said: gets a piece of text.
    """

    def __init__(
        self,
        opened: Callable[[str, Mapping[str, str]], None],
        closed: Callable[[str], None],
        said: Callable[[str], None],
    ) -> None:
        self.fault: str | None = None
        """Why nothing more is read, in a few words."""
        self.depth = 0
        """Elements that are open."""
        self._opened, self._closed = opened, closed
        self._names: dict[str, str] = {}
        self._began = False
        self._ended = False
        self._held = ""
        self._end = ""
        self._fed = 0
        parser = self._parser = expat.ParserCreate("utf-8", None, self._names)
        parser.buffer_text = True
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = said
        parser.EntityDeclHandler = _refuse_entity
        parser.AttlistDeclHandler = _refuse_attributes

    def feed(self, text: str) -> None:
        """Takes the next piece."""
        if self.fault is not None or self._ended:
            return
        self._held += text
        if not self._began:
            begin = _DECLARATION.search(self._held, 0, NOISE) or _BEGIN.search(self._held)
            if begin is None:
                self._held = self._held[-8:]
                return
            self._began, self._held = True, self._held[begin.start() :]
        self._parse(self._mended(last=False), last=False)

    def close(self) -> None:
        """There is nothing more."""
        if self.fault is None and not self._ended:
            self._parse(self._mended(last=True) if self._began else "", last=True)

    def _parse(self, text: str, *, last: bool) -> None:
        data = text.encode()
        self._fed += len(data)
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            if not self._ended and self.fault is None:
                self.fault = f"broken XML ({expat.errors.messages.get(error.code, 'unknown')}, line {error.lineno})"
                if last and error.code in EARLY:
                    self.fault = "XML that ends early"
        except _Refused as error:
            self.fault = str(error)
        else:
            if not last and self._fed - self._parser.CurrentByteIndex > LONGEST:
                self.fault = "a tag without end"
            elif len(self._names) > NAMES:
                self.fault = "too many names"

    def _open(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _Refused("elements too deep in each other")
        self._opened(name, attributes)

    def _close(self, name: str) -> None:
        self.depth -= 1
        self._closed(name)
        if not self.depth:
            self._ended = True  # what may follow tells nothing

    def _mended(self, *, last: bool) -> str:
        """What of the text at hand can be judged, mended; the rest is held."""
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
            done.append(_MEND.sub(_mend, text[at:stop]))
            at = stop
            if literal is None:
                break
            self._end = _ENDS[literal[0]]
            done.append(literal[0])
            at = literal.end()
        self._held = text[at:]
        return "".join(done)


def _mend(found: re.Match[str]) -> str:
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
    raise _Refused("XML that declares entities")


def _refuse_attributes(*_: object) -> None:
    raise _Refused("XML that declares attributes")
