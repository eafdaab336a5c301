"""Records of a file without the pauses between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crawler.records import PAUSE

__all__ = ["without_pauses"]


def without_pauses(found: Iterable[Any]) -> list[Any]:
    """Return the records, without `PAUSE`."""
    return [record for record in found if record is not PAUSE]
