"""Built-in sinks: JSON Lines, JSON and CSV files, and standard output. `open_output` chooses by name."""

from __future__ import annotations

from crawler.sinks.base import FileSink
from crawler.sinks.choose import open_output
from crawler.sinks.csv import Csv
from crawler.sinks.json import Json
from crawler.sinks.jsonl import JsonLines
from crawler.sinks.stdout import Stdout

__all__ = ["Csv", "FileSink", "Json", "JsonLines", "Stdout", "open_output"]
