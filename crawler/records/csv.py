"""Records of CSV (RFC 4180) and similar tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from crawler.records.source import PAUSE, BrokenRecord, Pause

__all__ = ["csv_records"]

LINE_END: Final = re.compile(r"\r\n|\r(?!\Z)|\n")
"""The end of a line. A final carriage return may belong to a line feed in the next chunk."""
MAX_ROW: Final = 8 * 1024 * 1024
"""Maximum length of a row, in characters."""
MAX_COLUMNS: Final = 100_000
"""Maximum number of columns of a table."""
UNINTERRUPTED: Final = 1000
"""Empty lines between two pauses."""
SEPARATORS: Final = ",;\t|"
SENTINEL: Final = "\udfff"
"""A last line that no text contains. If it ends up inside a row, a quotation mark is still open."""


def csv_records(
    chunks: Iterable[str], *, delimiter: str = "", quotechar: str = '"', headers: Sequence[str] | None = None
) -> Iterator[dict[str, str] | BrokenRecord | Pause]:
    """Yield the rows of a table as dicts of column to text. Empty lines are skipped, with a `PAUSE` in each thousand.

    A row with more or fewer fields than columns becomes a `BrokenRecord`. So does a row whose quotation mark is never
    closed, one of more than `MAX_ROW` characters, and one with a field of more than ``csv.field_size_limit()``. Columns
    without a name are called ``column_3``, repeated ones ``name_2``.
    """
    lines = _lines(chunks)
    first = yield from _first_line(lines)
    if not first:
        return
    counted = _CountedLines(chain((first,), lines, (SENTINEL,)))
    reader = csv.reader(
        counted,
        delimiter=delimiter or _separator(first[:MAX_ROW], quotechar),
        quotechar=quotechar or None,
        quoting=csv.QUOTE_MINIMAL if quotechar else csv.QUOTE_NONE,
    )
    names = None if headers is None else _distinct(headers)
    while True:
        line = reader.line_num + 1
        counted.taken = 0
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BrokenRecord(f"line {reader.line_num}: {error}")
            continue
        if not row or row == [SENTINEL]:
            if line % UNINTERRUPTED == 0:
                yield PAUSE
            continue
        if row[-1].endswith(SENTINEL):
            is_cut = not row[-1][:-1].endswith(("\n", "\r"))  # a file that ends with a line lacks the mark further up
            yield BrokenRecord(f"line {line}: a quotation mark is never closed", is_cut=is_cut)
            continue
        if names is None:
            names = _distinct(row)
        elif len(row) == len(names):
            yield dict(zip(names, row, strict=True))
        elif row != [""]:
            yield BrokenRecord(f"line {reader.line_num}: {len(row)} instead of {len(names)} fields")


class _CountedLines(Iterator[str]):
    """The lines of a text, up to `MAX_ROW` characters for one row: its quoted fields may have any number of lines."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.taken = 0
        """Characters of the current row."""

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken += len(line)
        if self.taken > MAX_ROW:
            raise csv.Error(f"a row of more than {MAX_ROW} characters")
        return line


def _first_line(lines: Iterator[str]) -> Generator[Pause, None, str]:
    """Return the first line that is not blank; an empty text if there is none."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            return line
        if number % UNINTERRUPTED == 0:
            yield PAUSE
    return ""


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for chunk in chunks:
        if "\n" not in chunk and "\r" not in chunk and not (held and held[-1].endswith("\r")):
            held.append(chunk if size <= MAX_ROW else chunk[-1:])  # what a line has beyond the maximum is not kept
            size += len(chunk)
            continue
        text = "".join([*held, chunk])
        start = 0
        for found in LINE_END.finditer(text):
            yield text[start : found.end()]
            start = found.end()
        held, size = [text[start:]], len(text) - start
    if rest := "".join(held):
        yield rest


def _separator(line: str, quotechar: str) -> str:
    """Return the separator that is most frequent in a line, outside quotes."""
    outside = "".join(line.split(quotechar)[::2]) if quotechar else line
    return max(SEPARATORS, key=outside.count)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the column names, each of them unique."""
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"the table has {len(names)} columns, more than {MAX_COLUMNS}")
    found: dict[str, None] = {}
    turns: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        fresh = plain = name.strip() or f"column_{number}"
        while fresh in found:
            turns[plain] = turn = turns.get(plain, 1) + 1
            fresh = f"{plain}_{turn}"
        found[fresh] = None
    return list(found)
