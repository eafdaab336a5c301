"""`LocalFolder`: a folder of parts on a disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from crawler import ConfigError
from crawler.sinks import IfExists

__all__ = ["LocalFolder", "replace", "writable"]


class LocalFolder:
    """A folder of parts on a disk. It is created with its first part."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)

    def names(self) -> list[str]:
        """Return the names in the folder, in order; none if it does not exist."""
        with suppress(FileNotFoundError):
            return sorted(path.name for path in self.path.iterdir())
        return []

    def read(self, name: str) -> bytes | None:
        """Return the content of a part; `None` if it does not exist."""
        with suppress(FileNotFoundError):
            return (self.path / name).read_bytes()
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write a part under another name, and rename it when it is on the disk."""
        if not self.path.is_dir():
            self.path.mkdir(parents=True)
            _sync(self.path.parent)
        aside = self.path / f".{name}.tmp"  # readers of a folder skip names that begin with a dot
        try:
            aside.write_bytes(data)
            replace(aside, self.path / name)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> None:
        """Delete a part."""
        (self.path / name).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Delete the part that a killed process was writing: a later one may begin with another row."""
        for aside in self.path.glob(".part-*.tmp"):
            aside.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder if it is empty."""
        with suppress(OSError):
            self.path.rmdir()


def replace(aside: Path, path: Path) -> None:
    """Rename a file when its content is on the disk; the name too when this returns."""
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def writable(path: Path, if_exists: IfExists, *, folder: bool) -> None:
    """Check that a file, or a folder of parts, can be written.

    Raises:
        ConfigError: It cannot, or exists under ``error``.
    """
    parent = path.parent
    if not parent.is_dir():
        raise ConfigError(f"no such folder: {parent} (for {path})")
    if folder and path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file, and a job writes a folder of parts: name another output")
    if not folder and path.is_dir():
        raise ConfigError(f"{path} is a folder: only a job writes parts to it; name another output")
    if not folder and path.exists():
        if if_exists == "error":
            how = "--overwrite replaces it, --append adds to it (in Python: if_exists)"
            raise ConfigError(f"{path} exists already: {how}")
        if not path.is_file():
            raise ConfigError(f"{path} is not a regular file")
    for place in {parent, path} if path.exists() else {parent}:
        if not os.access(place, os.W_OK):
            raise ConfigError(f"no permission to write {path}")
