"""`ArchiveFiles`: the files of an archive, which grow together and are cut to a position together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from crawler import ConfigError, JobError

__all__ = ["ArchiveFiles", "Place", "check_new", "later_parts"]

DATA_SYNC: Final = getattr(os, "fdatasync", os.fsync)
"""Waits until the content of a file is on the disk; macOS has `os.fsync` only."""


@attrs.frozen(kw_only=True)
class Place:
    """How far an archive is written."""

    part: int = 0
    """Number of the last file, from 0."""
    length: int = 0
    """Bytes of it."""
    index: int = 0
    """Bytes of the index."""


class ArchiveFiles:
    """The WARC files and the index of an archive. Nothing is created before the first `write`.

    Parameters:
        path: The first WARC file. The others have a number after its name.
        ending: The ending of the name, such as ``.warc.gz``.
        place: How far they are written.
        sync: Whether `write` waits until the disk has everything.
    """

    def __init__(self, path: Path, ending: str, place: Place, *, sync: bool) -> None:
        self.path = path
        self.index = index_of(path, ending)
        self.place = place
        self._ending = ending
        self._sync = sync
        self._archive: BinaryIO | None = None
        self._lines: BinaryIO | None = None

    def part(self, number: int) -> Path:
        """Return the path of a WARC file, from 0."""
        if number == 0:
            return self.path
        stem = self.path.name.removesuffix(self._ending)
        return self.path.with_name(f"{stem}-{number:05d}{self._ending}")

    @property
    def parts(self) -> list[Path]:
        """The WARC files so far."""
        return [path for path in map(self.part, range(self.place.part + 1)) if path.exists()]

    def existing(self) -> list[Path]:
        """Return all files of an archive of this name."""
        return [path for path in (self.path, *later_parts(self.path, self._ending), self.index) if path.exists()]

    def cut(self) -> None:
        """Cut the files to their place. The bytes after it belong to a commit that did not happen.

        Raises:
            JobError: A file is missing or shorter.
        """
        for number, path in enumerate([self.path, *later_parts(self.path, self._ending)]):
            if number > self.place.part and path.exists():
                path.unlink()
        for path, length in ((self.part(self.place.part), self.place.length), (self.index, self.place.index)):
            size = path.stat().st_size if path.exists() else 0
            if size < length:
                raise JobError(
                    f"{path} has {size} of {length} bytes that the job wrote to it: restore it, or archive into another"
                    " file in a new job"
                )
            if size > length:
                os.truncate(path, length)

    def next_part(self) -> None:
        """Begin another WARC file."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None
        self.place = attrs.evolve(self.place, part=self.place.part + 1, length=0)

    def write(self, records: bytes, lines: bytes) -> None:
        """Append records to the last WARC file, and lines to the index.

        Raises:
            OSError: They could not be written. The files end where they did.
        """
        if self._archive is None:
            self._archive = self._open(self.part(self.place.part))
        if self._lines is None:
            self._lines = self._open(self.index)
        self._append(self._archive, records, self.place.length)
        self._append(self._lines, lines, self.place.index)
        self.place = attrs.evolve(
            self.place, length=self.place.length + len(records), index=self.place.index + len(lines)
        )

    def close(self) -> None:
        """Close the files."""
        for file in (self._archive, self._lines):
            if file is not None:
                file.close()
        self._archive = self._lines = None

    def _open(self, path: Path) -> BinaryIO:
        is_new = not path.exists()
        file = path.open("x+b" if is_new else "r+b", buffering=0)
        if is_new and self._sync:
            _sync_folder(path.parent)
        return file

    def _append(self, file: BinaryIO, data: bytes, at: int) -> None:
        file.seek(at)
        left = memoryview(data)
        try:
            while left:
                left = left[file.write(left) :]
            if self._sync:
                DATA_SYNC(file.fileno())
        except OSError:
            file.truncate(at)
            raise


def index_of(path: Path, ending: str) -> Path:
    """Return the path of the index of an archive."""
    return path.with_name(path.name.removesuffix(ending) + ".cdxj")


def later_parts(path: Path, ending: str) -> Iterator[Path]:
    """Yield the further WARC files of an archive, as far as they exist without a gap."""
    stem, number = path.name.removesuffix(ending), 1
    while (part := path.with_name(f"{stem}-{number:05d}{ending}")).exists():
        yield part
        number += 1


def check_new(files: ArchiveFiles, *, overwrite: bool) -> None:
    """Delete or refuse files that an archive would overwrite.

    Raises:
        ConfigError: There are some, or they cannot be deleted.
    """
    existing = files.existing()
    if existing and not overwrite:
        raise ConfigError(f"warc: {existing[0]} exists already: choose another path, or set its option overwrite")
    for path in existing:
        try:
            path.unlink()
        except OSError as error:
            raise ConfigError(f"warc: cannot replace {path}: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
