"""All outputs in files, an archive and downloads in one crawl: each item, record and file once, however it is ended."""

from __future__ import annotations

import random
from pathlib import Path

from integration.kills.everywhere import everywhere


def test_every_output_an_archive_and_files_survive_every_way_to_end_a_crawl(tmp_path: Path) -> None:
    with everywhere(tmp_path, seed=4, hosts=4, pages=60, settings={"workers": 8, "grace": 0.2}) as crawl:
        crawl.run_with_endings(6, random.Random(8))
        assert crawl.figures().kills > 3
