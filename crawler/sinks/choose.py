"""`open_output`: choose the sink for an output by its name."""

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


def open_output(spec: str | Path, *, if_exists: IfExists = "refuse", job: Path | None = None) -> Plugin:
    """Return the sink for an output, chosen by file extension. The output is checked at once.

    Parameters:
        spec: A file that ends in ``.jsonl``, ``.json`` or ``.csv``, or ``-`` for JSON Lines on standard output.
        if_exists: What to do with a file that exists: ``refuse``, ``overwrite`` or ``append``.
        job: The folder of the durable job that the output belongs to, which continues its own outputs.

    Raises:
        ConfigError: The extension is unknown, the directory is missing, the file exists under ``refuse``, permission is
            missing, or the file cannot be continued in its format.
    """
    if str(spec) == "-":
        return Stdout()
    path = Path(spec)
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        ending = path.suffix
        known = ", ".join(ENDINGS)
        what = f"the unknown extension {ending!r}{did_you_mean(ending, ENDINGS)}" if ending else "no extension"
        raise ConfigError(f"output {str(spec)!r} has {what}: use {known}, or - for standard output")
    return kind(path, if_exists, job=job)
