"""What a process writes, truncates, names and syncs below a folder, as strace saw it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Open", "Operation", "record"]

CALLS = "openat,mkdir,dup,dup2,dup3,fcntl,lseek,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink,close"
LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)", re.DOTALL)
UNFINISHED, RESUMED = " <unfinished ...>", re.compile(r"(\d+) +<\.\.\. \w+ resumed>")


@dataclass
class Open:
    """An open file: all its descriptors share the offset."""

    path: str
    """The path with which it was opened."""
    offset: int = 0


@dataclass(frozen=True)
class Operation:
    """One operation. `file` is the open file of ``write``, ``truncate`` and ``sync``."""

    kind: str
    """``open``, ``create``, ``mkdir``, ``write``, ``truncate``, ``sync``, ``rename`` or ``unlink``."""
    path: str = ""
    file: Open | None = None
    at: int = 0
    """The offset of a write, or the new length."""
    data: bytes = b""
    target: str = ""
    """The new path of a rename."""


def record(script: Path, folder: Path, *arguments: str) -> list[Operation]:
    """Run ``python script folder arguments``, and return its operations below the folder."""
    trace = folder.parent / f"{folder.name}.strace"
    subprocess.run(
        ["strace", "-f", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", trace,
         sys.executable, script, folder, *arguments],
        check=True,
    )  # fmt: skip
    return list(_operations(trace, str(folder)))


def _lines(trace: Path) -> Iterator[str]:
    """Yield the calls in the order of their ends; those that another thread interrupted are joined."""
    begun: dict[str, str] = {}
    with trace.open() as file:
        for line in file:
            line = line.rstrip("\n")
            if line.endswith(UNFINISHED):
                begun[line.split(" ", 1)[0]] = line.removesuffix(UNFINISHED)
            elif resumed := RESUMED.match(line):
                yield begun.pop(resumed[1]) + line[resumed.end() :]
            else:
                yield line


def _text(argument: str) -> bytes:
    return bytes.fromhex(argument.strip().removeprefix('"').removesuffix('"').replace("\\x", ""))


def _operations(trace: Path, folder: str) -> Iterator[Operation]:
    reader = _Reader(folder)
    for line in _lines(trace):
        match = LINE.match(line)
        if match is not None and int(match[4]) >= 0:
            yield from reader.read(match[2], match[3].split(", "), int(match[4]))


class _Reader:
    """Turns the calls of a process that succeeded into operations below a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[int, Open] = {}
        self._names: set[str] = set()

    def read(self, call: str, arguments: list[str], result: int) -> Iterator[Operation]:
        """Yield the operations of one call."""
        if call == "openat":
            yield from self._opened(_text(arguments[1]).decode("utf-8", "replace"), arguments[2], result)
        elif call in ("mkdir", "unlink", "rename"):
            yield from self._named(call, [_text(each).decode() for each in arguments if each.startswith('"')])
        elif (file := self._files.get(int(arguments[0]))) is None:
            return
        elif call == "close":
            del self._files[int(arguments[0])]
        elif call.startswith("dup") or (call == "fcntl" and "F_DUPFD" in arguments[1]):
            self._files[result] = file
        elif call == "lseek":
            file.offset = result
        else:
            yield from _changed(call, file, arguments, result)

    def _opened(self, path: str, flags: str, descriptor: int) -> Iterator[Operation]:
        self._files.pop(descriptor, None)
        if path != self._folder and not path.startswith(f"{self._folder}/"):
            return
        file = self._files[descriptor] = Open(path)
        if "O_CREAT" in flags and path not in self._names:
            self._names.add(path)
            yield Operation("create", path)
        yield Operation("open", path, file)
        if "O_TRUNC" in flags:
            yield Operation("truncate", path, file)

    def _named(self, call: str, paths: list[str]) -> Iterator[Operation]:
        if not paths[0].startswith(f"{self._folder}/"):
            return
        if call == "rename":
            self._names.add(paths[1])
        self._names.discard(paths[0])
        yield Operation(call, paths[0], target=paths[-1])


def _changed(call: str, file: Open, arguments: list[str], result: int) -> Iterator[Operation]:
    """Yield the operation of a call that writes, truncates or syncs an open file."""
    if call == "write":
        yield Operation("write", file.path, file, file.offset, _text(arguments[1])[:result])
        file.offset += result
    elif call == "pwrite64":
        yield Operation("write", file.path, file, int(arguments[3]), _text(arguments[1])[:result])
    elif call == "ftruncate":
        yield Operation("truncate", file.path, file, int(arguments[1]))
    elif call in ("fsync", "fdatasync"):
        yield Operation("sync", file.path, file)
