"""The outputs of a shared job: each worker writes parts of its own, and cuts those of workers that were lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crawler.hooks.sink import Sink

if TYPE_CHECKING:
    from pathlib import Path

    from crawler.store import SharedStore

__all__ = ["cut_lost_parts", "divide"]


def divide(sinks: Sequence[Sink], store: SharedStore) -> None:
    """Let each output be the part of this worker."""
    for sink in sinks:
        sink.shared_job = store.job_name
        sink.divide(store.owner)


def cut_lost_parts(sinks: Sequence[Sink], gone: Mapping[int, Mapping[str, Any]]) -> None:
    """Cut the outputs of lost workers after their last positions: other workers have stored what follows.

    `gone` has these positions by owner and name of the output.
    """
    for owner, positions in gone.items():
        _cut_parts([sink for sink in sinks if positions.get(sink.name) is not None], owner, positions)


def _cut_parts(sinks: Sequence[Sink], owner: int, positions: Mapping[str, Any]) -> None:
    for sink in sinks:
        others = [other for other in sinks if other is not sink]

        def claimed(path: Path, others: Sequence[Sink] = others) -> bool:
            return any(other.claims(path, owner, positions[other.name]) for other in others)

        sink.cut_part(owner, positions[sink.name], claimed)
