"""A crawl with every kind of output at once, an archive, and the files of all pages.

::

    with everywhere(folder, seed=1, hosts=4, pages=60) as crawl:
        crawl.run_with_endings(6, random.Random(1))
    # the end of the block has checked everything that the crawl wrote
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integration.kills.harness import Durable, durable
from integration.kills.plans import FILES
from integration.kills.results import Item, check_archive, check_files, read_items, read_output

__all__ = ["everywhere"]

OUTPUTS = [
    "items.jsonl.zst", "items.csv", "items.parquet?rows=17&seconds=0.1", "items.sqlite", "items.duckdb", "items.json",
]  # fmt: skip
ENDINGS = ("warc.gz", "warc.zst", "warc")
PLUGINS = """
[plugins.warc]
path = "site.{ending}"
max_size = 40000

[plugins.files]
folder = "files"
path = "{{host}}/{{name}}"
"""


@contextmanager
def everywhere(
    folder: Path,
    *,
    seed: int,
    hosts: int,
    pages: int,
    settings: Mapping[str, Any],
    drag: float = 0.0,
    elsewhere: Mapping[str, Callable[[], list[Item]]] | None = None,
) -> Iterator[Durable]:
    """Return a crawl that has not been started; check everything that it has written when the block ends.

    Parameters:
        folder: An empty folder.
        seed, hosts, pages: Arguments of the `Web`. The seed also selects the format of the archive.
        settings: Settings of the crawl.
        drag: Additional delay of each response, in seconds.
        elsewhere: Further outputs outside of the folder, with functions that return their items.
    """
    ending = random.Random(seed).choice(ENDINGS)
    (folder / "crawler.toml").write_text(PLUGINS.format(ending=ending))
    with durable(
        folder, seed=seed, hosts=hosts, pages=pages, outputs=OUTPUTS, settings=settings, drag=drag, plan=FILES,
        elsewhere=elsewhere,
    ) as crawl:  # fmt: skip
        yield crawl
        figures = crawl.figures()
        assert figures.holds(), figures
        wanted = sorted(read_output(folder / OUTPUTS[0]))
        others = [*(read_output(folder / output) for output in OUTPUTS), *(read() for read in crawl.elsewhere.values())]
        assert all(sorted(items) == wanted for items in others)
        items = read_items(folder / OUTPUTS[0])
        table = read_items(folder / "items.parquet")
        assert [json.loads(row["files"]) for row in table] == [item["files"] for item in items]
        check_files(folder / "files", items, crawl.web)
        check_archive(folder, ending, crawl.web, list(crawl.plan.pages(crawl.web)))
