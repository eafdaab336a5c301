"""`adopt_outputs`: finds which output of a job each file is, wherever job and files have been moved."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.sinks.file_sink import FileSink
from crawler.sinks.position import Position
from crawler.store import Store

__all__ = ["adopt_outputs"]


async def adopt_outputs(files: Sequence[FileSink], store: Store) -> None:
    """Let each file continue the output of the job that it is.

    A file that holds what the job wrote to an output is that output, above all if it lies at the same place seen from
    the folder of the job. Otherwise the place decides, then the name.
    """
    known = {name: position for name, position in store.sinks().items() if position is not None}
    pairs = []
    for file in files:
        for name, stored in known.items():
            if not name.startswith(f"{type(file).name}:"):
                continue
            position = Position.of(stored)
            same_place = position.place == file.place != ""
            holds = file.holds(position, (row.data for row in store.written_behind(name)))
            rank = (holds, same_place, name == file.name)
            if any(rank):
                pairs.append((rank, position.end, name, file))
    names: dict[str, str] = {}
    found: set[str] = set()
    for _, _, name, file in sorted(pairs, key=lambda pair: pair[:2], reverse=True):
        if name not in names and file.name not in found:
            names[name] = file.name
            found.add(file.name)
    moved = {old: new for old, new in names.items() if old != new}
    if moved:
        await store.rename_sinks(moved)
