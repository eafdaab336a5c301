"""Records of JSON: one a line (JSON Lines), or the elements of an array in a document."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from crawler.content.json_values import LARGE, collector_paused, decode_json
from crawler.records.source import PAUSE, BrokenRecord, Pause

__all__ = ["json_array_records", "json_lines_records"]

DECODER: Final = json.JSONDecoder()
SPACE: Final = re.compile(r"[ \t\r\n]*+")
TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?P<closed>")?|[][{},]', re.DOTALL)
"""Tokens that decide where a JSON value ends: strings, brackets and commas."""
MAX_LINE: Final = 32 * 1024 * 1024
"""Maximum length of a line, in characters: it is decoded in one step."""
UNINTERRUPTED: Final = 10_000
"""Tokens or members that are read between two pauses."""
MAX_QUICK_ERRORS: Final = 100
"""Number of errors after which elements are delimited before they are decoded."""
DECODE_ERRORS: Final = (ValueError, RecursionError)
"""Exceptions of a decoder, also for numbers of thousands of digits and for deep nesting."""


def json_lines_records(chunks: Iterable[str]) -> Iterator[Any]:
    """Yield the value of each line of JSON Lines. Record separators of RFC 7464 are accepted.

    Empty lines are skipped. A line that is not JSON becomes a `BrokenRecord`. `PAUSE` follows the records of each
    chunk.
    """
    number = 0
    held: list[str] = []
    for chunk in _with_final_newline(chunks):
        yield PAUSE
        if "\n" not in chunk:
            held.append(chunk)
            continue
        *lines, rest = "".join([*held, chunk]).split("\n")
        held = [rest]
        for line in lines:
            number += 1
            line = line.strip(" \t\r\x1e")
            if line:
                try:
                    record = _decode_line(line)
                except (*DECODE_ERRORS, msgspec.DecodeError) as error:
                    record = BrokenRecord(f"line {number}: {error}")
                yield record


def _decode_line(line: str) -> Any:
    if len(line) > MAX_LINE:
        raise ValueError(f"more than {MAX_LINE} characters")
    return decode_json(line)


def _with_final_newline(chunks: Iterable[str]) -> Iterator[str]:
    yield from chunks
    yield "\n"


def json_array_records(text: str, path: Sequence[str] = ()) -> Iterator[Any]:
    """Yield the elements of a JSON array, decoded one at a time.

    An element that cannot be decoded becomes a `BrokenRecord`, and reading continues after the next comma.
    """
    at = yield from _array_at(text, path)
    if text.startswith("]", _skip_space(text, at + 1)):
        return
    number = errors = 0
    comma = True
    while comma:
        number += 1
        start = _skip_space(text, at + 1)
        try:
            if errors > MAX_QUICK_ERRORS:
                record, at = yield from _decode_delimited(text, start)
            else:
                record, at = _decode_next(text, start)
        except DECODE_ERRORS as error:
            errors += 1
            record, at = BrokenRecord(f"element {number}: {error}"), (yield from _end_of_value(text, start))
        yield record
        comma = text.startswith(",", at)
    if at >= len(text) and not isinstance(record, BrokenRecord):
        yield BrokenRecord(f"the array is truncated after element {number}")


def _decode_next(text: str, start: int) -> tuple[Any, int]:
    """Return the element that begins at `start`, and the position of the comma or bracket that ends it."""
    record, end = _raw_decode(text, start)
    at = _skip_space(text, end)
    if text[at : at + 1] not in ("", ",", "]"):
        raise ValueError(f"expected a comma, found {text[at]!r}")
    return record, at


def _decode_delimited(text: str, start: int) -> Generator[Pause, None, tuple[Any, int]]:
    """Do the same without the cost of an error: decoders count the lines before it."""
    at = yield from _end_of_value(text, start)
    return json.loads(text[start:at]), at


def _raw_decode(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at `start`, and its end."""
    if len(text) < LARGE:
        return DECODER.raw_decode(text, start)
    with collector_paused():
        return DECODER.raw_decode(text, start)


def _skip_space(text: str, at: int) -> int:
    """Return the position after white space."""
    found = SPACE.match(text, at)
    return at if found is None else found.end()


def _array_at(text: str, path: Sequence[str]) -> Generator[Pause, None, int]:
    """Return the position of the array at `path`."""
    at = _skip_space(text, 0)
    for key in path:
        at = yield from _member(text, at, key)
    if not text.startswith("[", at):
        where = f"at {'.'.join(path)}" if path else "at the top of the document"
        found = "an object" if text.startswith("{", at) else "another value" if at < len(text) else "nothing"
        hint = "; name the path to its records (items)" if found == "an object" else ""
        raise ValueError(f"expected an array {where}, found {found}{hint}")
    return at


def _member(text: str, at: int, key: str) -> Generator[Pause, None, int]:
    """Return the position of the value of a key, in the object that begins at `at`."""
    missing = f"the document has no {key!r} on the path to its records"
    if not text.startswith("{", at):
        raise ValueError(missing)
    for number in itertools.count(1):
        if number % UNINTERRUPTED == 0:
            yield PAUSE
        at = _skip_space(text, at + 1)
        if not text.startswith('"', at):
            raise ValueError(missing)
        try:
            name, end = DECODER.raw_decode(text, at)
            colon = _skip_space(text, end)
            at = _skip_space(text, colon + 1)
            if name == key and text.startswith(":", colon):
                return at
            _, end = _raw_decode(text, at)
        except DECODE_ERRORS as error:
            raise ValueError(f"{missing}: {error}") from None
        at = _skip_space(text, end)
        if not text.startswith(",", at):
            break
    raise ValueError(missing)


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
