"""The cores that processes run on."""

from __future__ import annotations

import os
from contextlib import suppress
from contextvars import ContextVar
from typing import Final

__all__ = ["PINNED", "pin_to_core", "usable_cores"]

PINNED: Final[ContextVar[bool]] = ContextVar("pinned", default=False)
"""Set by ``crawler run``. In a program of others, what callbacks start must not be kept to one core as well."""


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def pin_to_core(place: int, processes: int) -> None:
    """Pin this process to a core of its own, if it is `PINNED` and there are as many processes as cores.

    A system moves a process that wakes up to the core of the one that has woken it. Both processes for callbacks would
    share the core of the first process for a while, which wakes them, while another core has nothing to do. With fewer
    processes than cores, there is a free one nearby. That is 6 to 10 % of pages a second on two cores.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is None or not PINNED.get():
        return
    cores = sorted(affinity(0))
    if processes >= len(cores) > 1:
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setaffinity(0, {cores[place % len(cores)]})
