"""Records of JSON: one a line (JSON Lines), or the elements of an array in a document.

Rule: a document is read a part at a time. What is in memory is one record, up to `MAX_RECORD`, and as much beyond it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from crawler.content.json_values import LARGE, TOKEN, collector_paused, decode_json, stops_within
from crawler.records.source import PAUSE, BrokenRecord, Pause

__all__ = ["json_array_records", "json_lines_records"]

DECODER: Final = json.JSONDecoder()
SPACE: Final = re.compile(r"[ \t\r\n]*+")
MAX_RECORD: Final = 32 * 1024 * 1024
"""Maximum length of a line or an element, in characters: it is decoded in one step."""
MIN_PART: Final = 64 * 1024
"""Characters of a document that are read at once, at least."""
UNINTERRUPTED: Final = 10_000
"""Tokens or members that are read between two pauses."""
DECODE_ERRORS: Final = (ValueError, RecursionError)
"""Exceptions of a decoder, also for numbers of thousands of digits and for deep nesting."""


class TooLongError(Exception):
    """Raised when a value is longer than `MAX_RECORD`."""


def json_lines_records(chunks: Iterable[str]) -> Iterator[Any]:
    """Yield the value of each line of JSON Lines. Record separators of RFC 7464 are accepted.

    Empty lines are skipped. A line that is not JSON becomes a `BrokenRecord`. `PAUSE` follows the records of each
    chunk.
    """
    number = size = 0
    held: list[str] = []
    for chunk in itertools.chain(chunks, (None,)):
        yield PAUSE
        *lines, rest = ("\n" if chunk is None else chunk).split("\n")
        if lines:
            lines[0] = "".join([*held, lines[0]])
            held, size = [], 0
        if size <= MAX_RECORD:  # what a line has beyond the maximum is not kept
            held.append(rest)
        size += len(rest)
        for line in lines:
            number += 1
            text = line.strip(" \t\r\x1e")
            if text:
                try:
                    record = _decode_line(text)
                except (*DECODE_ERRORS, msgspec.DecodeError) as error:
                    is_cut = chunk is None and len(text) <= MAX_RECORD and stops_within(text.lstrip("\x1e"))
                    record = BrokenRecord(f"line {number}: {error}", is_cut=is_cut)
                yield record


def _decode_line(line: str) -> Any:
    if len(line) > MAX_RECORD:
        raise ValueError(f"more than {MAX_RECORD} characters")
    return decode_json(line)


def json_array_records(chunks: Iterable[str], path: Sequence[str] = ()) -> Iterator[Any]:
    """Yield the elements of a JSON array, decoded one at a time.

    An element that cannot be decoded becomes a `BrokenRecord`, and reading continues after the next comma; but it ends
    with an element that is too long. What follows the array is not read.
    """
    document = _Document(chunks)
    try:
        has_begun = bool((yield from document.next_sign()))
        yield from document.go_to_array(path)
    except TooLongError as error:
        raise ValueError(f"the document has {error} before its records") from None
    except ValueError as error:
        if not has_begun or not document.stops():
            raise
        yield BrokenRecord(str(error), is_cut=True)
        return
    if (yield from document.next_sign(1)) == "]":
        return
    for number in itertools.count(1):
        try:
            try:
                record = yield from document.value()
                sign = yield from document.next_sign()
                if sign not in ("", ",", "]"):
                    raise ValueError(f"expected a comma, found {sign!r}")
            except DECODE_ERRORS as error:
                sign = yield from document.skip_rest()
                is_cut = not sign and not document.lacks_quote()
                record = BrokenRecord(f"element {number}: {getattr(error, 'msg', error)}", is_cut=is_cut)
            yield record
            if sign != ",":
                break
            yield from document.next_sign(1)
        except TooLongError as error:
            yield BrokenRecord(f"the array is not read beyond element {number}: {error}")
            return
    if not sign and not isinstance(record, BrokenRecord):
        yield BrokenRecord(f"the array is truncated after element {number}", is_cut=True)


class _Document:
    """A JSON text that is read from its beginning to its end, and forgotten where it was read."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = iter(chunks)
        self._text = ""
        self._at = 0

    def _read_on(self) -> Generator[Pause, None, bool]:
        """Read until there is twice as much to decode as now; return whether there was more."""
        size = len(self._text) - self._at
        if size > MAX_RECORD:
            raise TooLongError(f"a value of more than {MAX_RECORD} characters")
        wanted = max(size, MIN_PART)
        parts: list[str] = []
        for chunk in self._chunks:
            parts.append(chunk)
            wanted -= len(chunk)
            if wanted <= 0:
                break
            yield PAUSE
        if parts:
            self._text, self._at = "".join((self._text[self._at :], *parts)), 0
        return bool(parts)

    def stops(self) -> bool:
        """Return whether everything was read, and does not end with a bracket."""
        return self._at >= len(self._text) and not self._text.rstrip().endswith(("]", "}"))

    def lacks_quote(self) -> bool:
        """Return whether the document ends with a bracket inside of a string."""
        return self._text.rstrip().endswith(("]", "}")) and not stops_within(f"[{self._text}")

    def next_sign(self, skipped: int = 0) -> Generator[Pause, None, str]:
        """Go to the next character that is not white space, and return it; empty at the end."""
        self._at += skipped
        while True:
            space = SPACE.match(self._text, self._at)
            self._at = self._at if space is None else space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not (yield from self._read_on()):
                return ""

    def value(self) -> Generator[Pause, None, Any]:
        """Go to the end of the value that begins here, and return it, or raise why it cannot be decoded."""
        while True:
            try:
                found, end = self._decode()
                fault, is_whole = None, end < len(self._text)  # else it may be the beginning of a number
            except DECODE_ERRORS as error:
                end = yield from _end_of_value(self._text, self._at)
                found, fault, is_whole = None, error, end < len(self._text)
            rest = len(self._text) - end
            if is_whole or not (yield from self._read_on()):
                self._at = len(self._text) - rest
                if fault is not None:
                    raise fault
                return found

    def skip_rest(self) -> Generator[Pause, None, str]:
        """Go to the comma or bracket that ends the value here, and return it; empty at the end."""
        while True:
            end = yield from _end_of_value(self._text, self._at)
            if end < len(self._text) or not (yield from self._read_on()):
                self._at = end
                return self._text[end : end + 1]

    def go_to_array(self, path: Sequence[str]) -> Generator[Pause, None, None]:
        """Go to the array at `path`."""
        sign = yield from self.next_sign()
        for key in path:
            sign = yield from self._go_to_member(key, sign)
        if sign != "[":
            where = f"at {'.'.join(path)}" if path else "at the top of the document"
            found = "an object" if sign == "{" else "another value" if sign else "nothing"
            hint = "; name the path to its records (items)" if found == "an object" else ""
            raise ValueError(f"expected an array {where}, found {found}{hint}")

    def _go_to_member(self, key: str, sign: str) -> Generator[Pause, None, str]:
        """Go to the value of a key of the object here, and return its first character."""
        missing = f"the document has no {key!r} on the path to its records"
        if sign != "{":
            raise ValueError(missing)
        for number in itertools.count(1):
            if number % UNINTERRUPTED == 0:
                yield PAUSE
            if (yield from self.next_sign(1)) != '"':
                raise ValueError(missing)
            try:
                name = yield from self.value()
                is_member = (yield from self.next_sign()) == ":"
                sign = yield from self.next_sign(1)
                if name == key and is_member:
                    return sign
                yield from self.value()
            except DECODE_ERRORS as error:
                raise ValueError(f"{missing}: {getattr(error, 'msg', error)}") from None
            if (yield from self.next_sign()) != ",":
                break
        raise ValueError(missing)

    def _decode(self) -> tuple[Any, int]:
        """Return the value that begins here, and its end."""
        if len(self._text) < LARGE:
            return DECODER.raw_decode(self._text, self._at)
        with collector_paused():
            return DECODER.raw_decode(self._text, self._at)


def _end_of_value(text: str, at: int) -> Generator[Pause, None, int]:
    """Return the position of the comma or bracket that ends an element, by counting brackets outside strings."""
    depth = 0
    for number, token in enumerate(TOKEN.finditer(text, at), 1):
        if number % UNINTERRUPTED == 0:
            yield PAUSE
        sign = token[0]
        if sign.startswith('"'):
            if not token["closed"]:
                break
            continue
        if depth == 0 and sign in ",]":
            return token.start()
        depth = max(0, depth + (sign in "[{") - (sign in "]}"))
    return len(text)
