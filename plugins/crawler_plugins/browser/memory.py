"""`processes_of`: the processes of a browser and the memory that each of them has for itself."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Process", "largest_renderer", "processes_of"]

PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@attrs.frozen
class Process:
    """A process of a browser."""

    number: int
    memory: int
    """Bytes in memory that it shares with no file and no other process."""
    is_renderer: bool
    """Whether it draws pages."""


def processes_of(group: int) -> list[Process]:
    """Return the processes of a process group; none if the system has no ``/proc``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                resident, shared = map(int, (folder / "statm").read_text().split()[1:3])
                command = (folder / "cmdline").read_bytes()
                found.append(Process(int(folder.name), (resident - shared) * PAGE, b"--type=renderer" in command))
    return found


def largest_renderer(processes: list[Process]) -> Process | None:
    """Return the process that draws pages and has the most memory; `None` if there is no such process."""
    return max((one for one in processes if one.is_renderer), key=lambda one: one.memory, default=None)
