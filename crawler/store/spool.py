"""`Spool`: the append-only log of items, a file whose committed length stands in the store.

What lies behind that length was never committed: it is cut off when the file is opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from crawler.errors import JobError
from crawler.files import write_all
from crawler.messages import Row

__all__ = ["Spool", "read_rows"]

MOST: Final = 8 * 1024 * 1024
"""Bytes that are read at once, but for the row that passes this."""


class _Line(msgspec.Struct):
    """A row as it lies in the file, one a line."""

    key: str
    page: str
    item: msgspec.Raw


class Spool:
    """The file of a job's items.

    Parameters:
        path: the file; made if it is missing and `length` is 0.
        length: bytes that are committed.

    Raises:
        JobError: the file is shorter than what is committed, or cannot be opened.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        try:
            self._file = path.open("r+b" if path.exists() else "x+b", buffering=0)
            size = self._file.seek(0, os.SEEK_END)
            if size < length:
                self._file.close()
                raise JobError(f"{path} is damaged: {size} bytes, {length} were committed")
            self._file.truncate(length)
        except OSError as error:
            raise JobError(f"{path} cannot be opened: {(error.strerror or str(error)).lower()}") from error
        self.length = length
        """Bytes that are committed."""

    def write(self, rows: list[tuple[str, str, bytes]], *, at: int) -> int:
        """Writes rows of (key, page, item as JSON) from byte `at` on; gives the byte behind them.

        Raises:
            OSError: they could not be written whole.
        """
        encode = msgspec.json.encode
        data = b"".join(
            b'{"key":%b,"page":%b,"item":%b}\n' % (encode(key), encode(page), item) for key, page, item in rows
        )
        self._file.seek(at)
        write_all(self._file.write, data)
        return at + len(data)

    def sync(self) -> None:
        """Waits until all that was written is on the disk."""
        os.fdatasync(self._file.fileno())

    def read(self, place: int, n: int) -> tuple[list[Row], list[int]]:
        """Up to `n` committed rows from byte `place` on, and for each the byte behind it."""
        return read_rows(self._path, place, n, self.length)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_rows(path: Path, place: int, n: int, length: int) -> tuple[list[Row], list[int]]:
    """Up to `n` rows of a spool file from byte `place` on, fewer if they are long; and for each the byte behind it.

    Parameters:
        path: the file.
        place: where a row begins, or `length`.
        n: rows, at most.
        length: bytes that are committed.

    Raises:
        JobError: the file does not hold what was committed.
    """
    rows: list[Row] = []
    places: list[int] = []
    try:
        with path.open("rb") as file:
            file.seek(place)
            end = min(length, place + MOST)
            while place < end and len(rows) < n:
                line = file.readline()
                found = msgspec.json.decode(line, type=_Line)
                rows.append(Row(bytes(found.item), found.key, found.page))
                place += len(line)
                places.append(place)
    except (OSError, msgspec.DecodeError) as error:
        raise JobError(f"{path} is damaged: {error}") from error
    return rows, places
