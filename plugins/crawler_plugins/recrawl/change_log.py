"""`ChangeLog`: the changes of pages, as JSON Lines, each written before the commit that its page belongs to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler import ConfigError, JobError

__all__ = ["ChangeLog"]

DATA_SYNC: Final = getattr(os, "fdatasync", os.fsync)
"""Waits until the content of a file is on the disk; macOS has `os.fsync` only."""


class ChangeLog:
    """A file to which changes are appended.

    Parameters:
        path: The file; it is created if it does not exist. Its folder must exist.
        length: The length that the job has kept, in bytes: the file is cut there. `None` continues the file.
        sync: Whether each change survives a power failure.

    Raises:
        ConfigError: It cannot be written.
        JobError: It is shorter than the job has left it.
    """

    def __init__(self, path: Path, length: int | None, *, sync: bool) -> None:
        self._path = path
        self._sync = sync
        try:
            self._file = FileIO(path, "a+" if length is None else "r+")
        except FileNotFoundError:
            raise self._lost() from None
        except OSError as error:
            raise ConfigError(f"recrawl: cannot write {path}: {(error.strerror or str(error)).lower()}") from None
        size = self._file.seek(0, os.SEEK_END)
        if length is not None:
            if size < length:
                self._file.close()
                raise self._lost()
            self._file.truncate(length)
            self._file.seek(length)
        self.length = self._file.tell()
        """Length of the file, in bytes."""

    def append(self, changes: Sequence[dict[str, Any]]) -> None:
        """Append a line for each change.

        Raises:
            OSError: They could not be written; the file is as before.
        """
        data = memoryview(b"".join([msgspec.json.encode(change) + b"\n" for change in changes]))
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError:
            self._file.truncate(self.length)
            self._file.seek(self.length)
            raise
        if self._sync:
            DATA_SYNC(self._file.fileno())
        self.length = self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _lost(self) -> JobError:
        return JobError(
            f"recrawl: {self._path} has lost changes that the job wrote to it: restore it, or name another file"
        )
