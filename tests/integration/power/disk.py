"""A disk that loses power: it has what was synced, and any part of what was not, as far as POSIX allows.

A sync of a file covers its content, a sync of a folder the names in it. Blocks of a write, a new length and names reach
the disk independently of each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from integration.power.recording import Open, Operation

__all__ = ["Disk", "Keep", "everything", "nothing", "only", "random_parts"]

BLOCK = 4096
Keep = Callable[[str, str], bool]
"""Returns whether a change reached the disk: its kind (``name``, ``block`` or ``length``) and the path."""


def everything(kind: str, path: str) -> bool:
    """Keep all changes: a process that was killed."""
    return True


def nothing(kind: str, path: str) -> bool:
    """Lose all changes that were not synced."""
    return False


def only(*endings: str) -> Keep:
    """Keep all changes of some files, and lose those of the others."""
    return lambda _, path: path.endswith(endings)


def random_parts(chance: random.Random) -> Keep:
    """Keep each change by chance; each file has a probability of its own."""
    shares: dict[str, float] = {}
    return lambda kind, path: chance.random() < shares.setdefault(f"{kind} {path}", chance.choice((0.1, 0.5, 0.9)))


@dataclass
class _File:
    """A file or folder: its content on the disk, and the changes since its last sync."""

    content: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def after(self, keep: Keep, path: str) -> bytes:
        """Return the content after a power failure."""
        content = bytearray(self.content)
        for operation in self.pending:
            if operation.kind == "truncate":
                if keep("length", path):
                    _resize(content, operation.at)
                continue
            at, data = operation.at, operation.data
            while data:
                size = BLOCK - at % BLOCK
                if keep("block", path):
                    _resize(content, max(len(content), at + len(data[:size])))
                    content[at : at + len(data[:size])] = data[:size]
                at, data = at + size, data[size:]
        return bytes(content)


def _resize(content: bytearray, length: int) -> None:
    del content[length:]
    content.extend(bytes(length - len(content)))


class Disk:
    """The files below a folder, of which operations are applied one by one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._names: dict[str, _File] = {}  # as the process sees them
        self._on_disk: dict[str, _File] = {}
        self._renamings: list[tuple[str | None, str, _File]] = []  # old name, new name, file; not synced
        self._open: dict[int, _File] = {}
        self._keep_alive: list[Open] = []
        self._folders: set[str] = {folder}

    def apply(self, operation: Operation) -> None:
        """Do what the process did."""
        path, kind = operation.path, operation.kind
        if kind in ("create", "mkdir"):
            self._names[path] = _File()
            self._renamings.append((None, path, self._names[path]))
            if kind == "mkdir":
                self._folders.add(path)
        elif kind == "rename":
            file = self._names.pop(path)
            self._names[operation.target] = file
            self._renamings.append((path, operation.target, file))
        elif kind == "unlink":
            self._renamings.append((path, "", self._names.pop(path)))
        elif kind == "sync" and path in self._folders:
            self._renamings = self._rename(self._on_disk, lambda _, name: str(PurePath(name).parent) == path)
        else:
            assert operation.file is not None
            if kind == "open":
                if path not in self._folders:
                    self._open[id(operation.file)] = self._names[path]
                    self._keep_alive.append(operation.file)
                return
            file = self._open[id(operation.file)]
            if kind == "sync":
                file.content = bytearray(file.after(everything, path))
                file.pending.clear()
            else:
                file.pending.append(operation)

    def _rename(self, names: dict[str, _File], keep: Keep) -> list[tuple[str | None, str, _File]]:
        """Apply the renamings that are kept to names, and return the others."""
        lost = []
        for old, new, file in self._renamings:
            if not keep("name", new or str(old)):
                lost.append((old, new, file))
                continue
            if old is not None:
                names.pop(old, None)
            if new:
                names[new] = file
        return lost

    def write(self, keep: Keep, target: Path) -> None:
        """Write the files as they are after a power failure. Shared memory of SQLite ends with the system."""
        names = dict(self._on_disk)
        self._rename(names, keep)
        target.mkdir()
        for path in sorted(names):
            place = target / PurePath(path).relative_to(self._folder)
            if path in self._folders:
                place.mkdir(0o700)
            elif place.parent.is_dir() and not path.endswith("-shm"):
                place.touch(0o600)
                place.write_bytes(names[path].after(keep, path))
