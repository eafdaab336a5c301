"""Which kind of file records are in: by its media type, its name, and how it begins."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import unquote

__all__ = ["Format", "detect_format"]

Format = Literal["xml", "csv", "jsonl", "json"]
"""What records can be read from. Tables of any separator are ``csv``."""

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
"""Of media types (RFC 6839)."""
BY_EXTENSION: Final[dict[str, Format]] = {
    "atom": "xml",
    "csv": "csv",
    "geojson": "json",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "rss": "xml",
    "tsv": "csv",
    "xml": "xml",
}


def detect_format(content_type: str, path: str, head: str) -> Format:
    """The format of a file.

    Parameters:
        content_type: the HTTP header field of that name.
        path: of its URL; an ending ``.gz`` is not looked at.
        head: the beginning of its text.
    """
    media = content_type.partition(";")[0].strip().lower()
    by_media = BY_MEDIA_TYPE.get(media) or next((BY_SUFFIX[end] for end in BY_SUFFIX if media.endswith(end)), None)
    name = unquote(path).lower().removesuffix(".gz").rpartition("/")[2]
    told = by_media or BY_EXTENSION.get(name.rpartition(".")[2])
    if told in ("xml", "csv"):
        return told
    start = head.lstrip("\ufeff \t\r\n\x1e")
    if start.startswith("{"):  # many servers say JSON for JSON Lines, and the other way round
        return (
            "jsonl"
            if told == "jsonl" or (told is None and not _is_multiline(start)) or _second_object(start)
            else "json"
        )
    if start.startswith("["):
        return "jsonl" if told == "jsonl" and _second_line(start).startswith("[") else "json"
    if told is not None:
        return told
    return "xml" if start.startswith("<") else "csv"


def _second_line(text: str) -> str:
    return text.partition("\n")[2].lstrip(" \t\r\n\x1e")


def _second_object(text: str) -> bool:
    """Whether one object has a line, and another stands on the next."""
    return text.partition("\n")[0].rstrip().endswith("}") and _second_line(text).startswith("{")


def _is_multiline(text: str) -> bool:
    """Whether an object goes over several lines."""
    return not text.partition("\n")[0].rstrip().endswith("}")
