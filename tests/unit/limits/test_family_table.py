"""What the limits do to servers of all kinds: two of each, in virtual time, so that no constant changes unnoticed.

`family_table.json` has, for each server, the requests that were refused, the pages that were lost, and the time as a
multiple of the least. If `tests/bench/limit_families.py` shows that a change is a gain, write a new one::

    PYTHONPATH=tests python tests/unit/limits/test_family_table.py
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from support.limit_drive import drive
from support.limit_families import FAMILIES, draw

TABLE = Path(__file__).with_name("family_table.json")
SEEDS = {"crawl": 11, "client, 10": 12}


def measured(family: str, way: str) -> list[float]:
    """Return the requests that were refused, the pages that were lost, and the time as a multiple of the least."""
    run = drive(draw(family, SEEDS[way]), way)
    return [run.refused, run.lost, round(run.ratio, 2)]


@pytest.mark.parametrize("way", SEEDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_limits_do_to_each_kind_of_server_what_the_table_says(family: str, way: str) -> None:
    assert measured(family, way) == json.loads(TABLE.read_text(encoding="utf-8"))[family][way]


if __name__ == "__main__":
    logging.disable()
    table = {family: {way: measured(family, way) for way in SEEDS} for family in FAMILIES}
    rows = ",\n".join(f'  "{family}": {json.dumps(found)}' for family, found in table.items())
    TABLE.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")
