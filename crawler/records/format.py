"""The format of a file of records: by media type, file name and content."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import unquote

__all__ = ["Format", "detect_format"]

Format = Literal["xml", "csv", "jsonl", "json"]
"""The formats that records are read from. ``csv`` includes tables with other separators."""

BY_MEDIA_TYPE: Final[dict[str, Format]] = {
    "application/csv": "csv",
    "application/json": "json",
    "application/json-lines": "jsonl",
    "application/json-seq": "jsonl",
    "application/jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "application/ndjson": "jsonl",
    "application/x-json-lines": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/xml": "xml",
    "text/csv": "csv",
    "text/json": "json",
    "text/tab-separated-values": "csv",
    "text/x-csv": "csv",
    "text/xml": "xml",
}
BY_SUFFIX: Final[dict[str, Format]] = {"+json": "json", "+xml": "xml"}
"""Formats by the suffix of media types (RFC 6839)."""
BY_EXTENSION: Final[dict[str, Format]] = {
    "atom": "xml",
    "csv": "csv",
    "geojson": "json",
    "jl": "jsonl",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "rss": "xml",
    "tsv": "csv",
    "xml": "xml",
}


def detect_format(content_type: str, path: str, head: str) -> Format:
    """Return the format of a file."""
    media = content_type.partition(";")[0].strip().lower()
    by_media = BY_MEDIA_TYPE.get(media) or next((BY_SUFFIX[end] for end in BY_SUFFIX if media.endswith(end)), None)
    name = unquote(path).lower().removesuffix(".gz").rpartition("/")[2]
    declared = by_media or BY_EXTENSION.get(name.rpartition(".")[2])
    if declared in ("xml", "csv"):
        return declared
    start = head.lstrip("\ufeff \t\r\n\x1e")
    if start.startswith("{"):  # many servers send JSON Lines as JSON, and vice versa
        return (
            "jsonl"
            if declared == "jsonl" or (declared is None and not _is_multiline(start)) or _second_object(start)
            else "json"
        )
    if start.startswith("["):
        return "jsonl" if declared == "jsonl" and _second_line(start).startswith("[") else "json"
    if declared is not None:
        return declared
    return "xml" if start.startswith("<") else "csv"


def _second_line(text: str) -> str:
    return text.partition("\n")[2].lstrip(" \t\r\n\x1e")


def _second_object(text: str) -> bool:
    """Return whether one object ends with its line, and another begins on the next."""
    return text.partition("\n")[0].rstrip().endswith("}") and _second_line(text).startswith("{")


def _is_multiline(text: str) -> bool:
    """Return whether an object spans several lines."""
    return not text.partition("\n")[0].rstrip().endswith("}")
