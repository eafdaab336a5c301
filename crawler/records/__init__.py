"""Files of records, read one record at a time: XML, CSV, JSON Lines, JSON arrays.

Pure generators over a body that is in memory: what they hold besides is one record, and for a JSON array its text. A
record that cannot be read comes out as `Broken`, and what follows it is read all the same.
"""

from __future__ import annotations

from crawler.content.decode_stream import texts
from crawler.records.broken import Broken
from crawler.records.csv import table_records
from crawler.records.format import Format, kind_of
from crawler.records.json import array_records, line_records
from crawler.records.source import Unpacked, label_of
from crawler.records.xml import as_dict, qualified, xml_records

__all__ = [
    "Broken",
    "Format",
    "Unpacked",
    "array_records",
    "as_dict",
    "kind_of",
    "label_of",
    "line_records",
    "qualified",
    "table_records",
    "texts",
    "xml_records",
]
