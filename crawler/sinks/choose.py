"""`open_output`: the sink for a file name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.sinks.base import FileSink, IfExists
from crawler.sinks.csv import Csv
from crawler.sinks.json import Json
from crawler.sinks.jsonl import JsonLines
from crawler.sinks.stdout import Stdout
from crawler.suggest import did_you_mean

__all__ = ["open_output"]

ENDINGS: Final[dict[str, type[FileSink]]] = {".jsonl": JsonLines, ".json": Json, ".csv": Csv}


def open_output(spec: str | Path, *, if_exists: IfExists = "refuse", in_job: bool = False) -> Plugin:
    """The sink for an output, chosen by its ending and checked at once.

    Parameters:
        spec: a file that ends in ``.jsonl``, ``.json`` or ``.csv``, or ``-`` for JSON Lines on standard output.
        if_exists: what becomes of a file that exists: ``refuse``, ``overwrite`` or ``append``.
        in_job: whether it belongs to a durable job, which continues its own outputs.

    Raises:
        ConfigError: another ending, no such folder, a file that exists and is to be refused, no permission, or a file
            that cannot be continued in its format.
    """
    if str(spec) == "-":
        return Stdout()
    path = Path(spec)
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        ending = path.suffix
        known = ", ".join(ENDINGS)
        what = f"unknown ending {ending!r}{did_you_mean(ending, ENDINGS)}" if ending else "no ending"
        raise ConfigError(f"output {str(spec)!r} has {what}: write {known}, or - for standard output")
    return kind(path, if_exists, in_job=in_job)
