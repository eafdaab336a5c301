"""Records of CSV (RFC 4180) and similar tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from crawler.records.broken import BrokenRecord

__all__ = ["csv_records"]

LINE_END: Final = re.compile(r"\r\n|\r(?!\Z)|\n")
"""The end of a line. A final carriage return may belong to a line feed in the next chunk."""
SEPARATORS: Final = ",;\t|"
SENTINEL: Final = "\udfff"
"""A last line that no text contains. If it ends up inside a row, a quotation mark is still open."""


def csv_records(
    chunks: Iterable[str], *, delimiter: str = "", quotechar: str = '"', headers: Sequence[str] | None = None
) -> Iterator[dict[str, str] | BrokenRecord]:
    """Yield the rows of a table as dicts of column to text. Empty lines are skipped.

    A row with more or fewer fields than columns becomes a `BrokenRecord`. So does a row whose quotation mark is never
    closed, or with a field of more than ``csv.field_size_limit()`` characters. Columns without a name are called
    ``column_3``, repeated ones ``name_2``.

    Parameters:
        chunks: The text of the table.
        delimiter: Separator of fields. Empty means the one of comma, semicolon, tab and ``|`` that is most frequent in
            the first line, outside quotes.
        quotechar: Character that encloses fields. Empty means that fields are not quoted.
        headers: Names of the columns. `None` means that the first row has them.
    """
    rows = _lines(chunks)
    first = next((line for line in rows if line.strip()), "")
    if not first:
        return
    reader = csv.reader(
        chain((first,), rows, (SENTINEL,)),
        delimiter=delimiter or _separator(first, quotechar),
        quotechar=quotechar or None,
        quoting=csv.QUOTE_MINIMAL if quotechar else csv.QUOTE_NONE,
    )
    names = None if headers is None else _distinct(headers)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BrokenRecord(f"line {reader.line_num}: {error}")
            continue
        if not row or row == [SENTINEL]:
            continue
        if row[-1].endswith(SENTINEL):
            yield BrokenRecord(f"line {line}: a quotation mark is never closed")
            continue
        if names is None:
            names = _distinct(row)
        elif len(row) == len(names):
            yield dict(zip(names, row, strict=True))
        elif row != [""]:
            yield BrokenRecord(f"line {reader.line_num}: {len(row)} fields where there are {len(names)} columns")


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    for chunk in chunks:
        if "\n" not in chunk and "\r" not in chunk and not (held and held[-1].endswith("\r")):
            held.append(chunk)
            continue
        text = "".join([*held, chunk])
        start = 0
        for found in LINE_END.finditer(text):
            yield text[start : found.end()]
            start = found.end()
        held = [text[start:]]
    if rest := "".join(held):
        yield rest


def _separator(line: str, quotechar: str) -> str:
    """Return the separator that is most frequent in a line, outside quotes."""
    outside = "".join(line.split(quotechar)[::2]) if quotechar else line
    return max(SEPARATORS, key=outside.count)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the column names, each of them unique."""
    found: dict[str, None] = {}
    turns: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        fresh = plain = name.strip() or f"column_{number}"
        while fresh in found:
            turns[plain] = turn = turns.get(plain, 1) + 1
            fresh = f"{plain}_{turn}"
        found[fresh] = None
    return list(found)
