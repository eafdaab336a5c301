"""Outputs: files of several formats, standard output, and base classes for your own outputs.

An output is a `crawler.Sink`: it gets committed items in order, and reports its position, from which it continues
after a crash. `choose` finds the class for the argument of ``-o``. Outputs that need a package are plugins.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.hooks.sink": "Held",
        "crawler.sinks.file_sink": "FileSink",
        "crawler.sinks.choose": "open_output",
        "crawler.sinks.csv": "Csv",
        "crawler.sinks.if_exists": "IfExists",
        "crawler.sinks.json": "Json",
        "crawler.sinks.jsonl": "JsonLines Stdout",
        "crawler.sinks.keyed": "Cursor KeyedSink",
        "crawler.sinks.names": "Names",
        "crawler.sinks.series": "Series",
        "crawler.sinks.sql": "SqlSink",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.hooks.sink import Held as Held
    from crawler.sinks.choose import open_output as open_output
    from crawler.sinks.csv import Csv as Csv
    from crawler.sinks.file_sink import FileSink as FileSink
    from crawler.sinks.if_exists import IfExists as IfExists
    from crawler.sinks.json import Json as Json
    from crawler.sinks.jsonl import JsonLines as JsonLines
    from crawler.sinks.jsonl import Stdout as Stdout
    from crawler.sinks.keyed import Cursor as Cursor
    from crawler.sinks.keyed import KeyedSink as KeyedSink
    from crawler.sinks.names import Names as Names
    from crawler.sinks.series import Series as Series
    from crawler.sinks.sql import SqlSink as SqlSink
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
