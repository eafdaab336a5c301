"""Files of records, read one record at a time: XML, CSV, JSON Lines, JSON arrays.

Everything here is a pure generator over a body in memory. It holds one record at a time; for a JSON array, the whole
text. A record that cannot be read becomes a `BrokenRecord`, and reading continues after it. Where there are no
records for a while, `PAUSE` is yielded.
"""

from __future__ import annotations

from crawler.content.body_stream import decode_stream
from crawler.records.csv import csv_records
from crawler.records.format import Format, detect_format
from crawler.records.json import json_array_records, json_lines_records
from crawler.records.source import PAUSE, BrokenRecord, GunzippedBody, Pause
from crawler.records.xml import element_to_dict, qualified_name, xml_records

__all__ = [
    "PAUSE",
    "BrokenRecord",
    "Format",
    "GunzippedBody",
    "Pause",
    "csv_records",
    "decode_stream",
    "detect_format",
    "element_to_dict",
    "json_array_records",
    "json_lines_records",
    "qualified_name",
    "xml_records",
]
