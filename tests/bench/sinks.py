"""The cost of each output and plugin: CPU time of a crawl with it, less that of a crawl without.

::

    apt-get install postgresql mariadb-server-core mariadb-client-core
    python tests/bench/sinks.py [--rounds 5] [--items 100000] [--pages 1000] [--only NAME ...]

Each crawl is a process of its own, with a site in memory; it crawls once to import everything, then measures user and
system time of all its threads. The server of a database or object store is another process and is not measured. Crawls
with and without the plugin take turns, and the figure is the median of their differences. An output and a plugin for
items are measured in microseconds an item, a plugin for pages a page, and one that downloads files a file.

The figures are written to `docs/reference/plugin_costs.json`, from which the reference of the plugins takes them. To
measure a new plugin, add it to `CASES`.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/bench")]

import attrs  # noqa: E402
from measure import build  # noqa: E402
from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from PIL import Image  # noqa: E402

from crawler import Response, Settings, Spider, run  # noqa: E402
from crawler.hooks.load import construct, load_plugin  # noqa: E402
from crawler.testing import FakeSite, Page  # noqa: E402

COSTS = ROOT / "docs/reference/plugin_costs.json"
TEXT = "a page has a title and some words of text about what it sells and where that comes from "
Unit = Literal["item", "page", "file"]


@attrs.frozen
class Product:
    """The items, as a class for ``validate``."""

    url: str
    title: str
    price: float
    stock: int
    tags: list[str]
    markdown: str


@dataclass(frozen=True)
class Case:
    """A crawl with one output or plugin."""

    unit: Unit
    """What the cost is counted by."""
    output: str = ""
    """A file name, or a URL; ``{postgresql}``, ``{mariadb}``, ``{mongodb}``: those of the servers."""
    options: Mapping[str, str] | None = None
    """Options of the plugin of that name; `None`: it is an output."""


def _output(place: str) -> Case:
    return Case("item", place)


CASES: dict[str, Case] = {
    ".jsonl": _output("items.jsonl"),
    ".jsonl.gz": _output("items.jsonl.gz"),
    ".jsonl.zst": _output("items.jsonl.zst"),
    ".json": _output("items.json"),
    ".csv": _output("items.csv"),
    ".parquet": _output("items.parquet"),
    ".arrows": _output("items.arrows"),
    ".sqlite": _output("items.sqlite"),
    ".duckdb": _output("items.duckdb"),
    "postgresql": _output("{postgresql}"),
    "mariadb": _output("{mariadb}"),
    "mongodb": _output("{mongodb}"),
    "s3": _output("s3://bucket/items.jsonl"),
    ".delta": _output("items.delta"),
    "delta+s3": _output("delta+s3://bucket/items"),
    "chunks": Case("item", options={}),
    "coverage": Case("item", options={}),
    "dedup": Case("item", options={}),
    "near_duplicates": Case("item", options={}),
    "required": Case("item", options={"fields": "url,title,price"}),
    "validate": Case("item", options={"model": "sinks:Product"}),
    "budget": Case("page", options={"requests": "1000000"}),
    "cache": Case("page", options={"path": "cache.sqlite"}),
    "errors": Case("page", options={}),
    "expect": Case("page", options={"min_items": "1"}),
    "heartbeat": Case("page", options={}),
    "http_cache": Case("page", options={"path": "http.sqlite"}),
    "prometheus": Case("page", options={"textfile": "crawl.prom"}),
    "quota": Case("page", options={}),
    "recrawl": Case("page", options={"path": "recrawl.sqlite"}),
    "opentelemetry": Case("page", options={}),
    "stalls": Case("page", options={}),
    "warc": Case("page", options={"path": "site.warc.gz"}),
    "web": Case("page", options={}),
    "files": Case("file", options={"fields": "file_urls"}),
    "images": Case("file", options={"fields": "image_urls"}),
}
"""By name: of an output, its ending or scheme. `browser`, `replay` and `llms_txt` are left out: they save requests, or
make one."""
SAME = {
    "mysql": "mariadb", "gs": "s3", "az": "s3", "mongodb+srv": "mongodb", "delta+gs": "delta+s3", "delta+az": "delta+s3"
}  # fmt: skip
"""Outputs that are another one under another name."""


# ---- one crawl -------------------------------------------------------------------------------------------------------


class Shop(Spider):
    """Yields items, of which those of a page are equal but for their URL."""

    settings = Settings(obey_robots=False, per_host=16, slow_start=False)

    def __init__(self, pages: int, items: int) -> None:
        super().__init__()
        self.start_urls = [f"https://site.test/{page}" for page in range(pages)]
        self._items = items

    def parse(self, response: Response) -> Iterator[dict[str, Any]]:
        """Yield the items of a page."""
        name = response.url.rpartition("/")[2]
        text = TEXT * 3
        for number in range(self._items):
            yield {
                "url": f"{response.url}/{number}",
                "title": f"Product {name}/{number}",
                "price": number + 0.99,
                "stock": number,
                "tags": ["new", "red"],
                "markdown": f"# {number} {name}\n\n{text}",
                "file_urls": [f"/{name}.bin"],
                "image_urls": [f"/{name}.png"],
            }


def site_of(pages: int) -> FakeSite:
    """Return the site: pages of 10 kB, each with a file and an image."""
    body = "<!doctype html><title>Shop</title>" + "".join(f"<p>{TEXT}</p>" for _ in range(110))
    found: dict[str, Any] = {f"/{number}": Page(f"{body}{number}") for number in range(pages)}
    found |= {f"/{number}.bin": Page(b"%d" % number * 5_000) for number in range(pages)}
    for number in range(pages):
        image = io.BytesIO()
        Image.new("RGB", (64, 48), (number % 256, number // 256, 0)).save(image, "PNG")
        found[f"/{number}.png"] = Page(image.getvalue(), headers={"Content-Type": "image/png"})
    return FakeSite(found)


def crawl_once(name: str, pages: int, items: int, place: str) -> float:
    """Crawl in the working folder, and return the CPU seconds that it took."""
    case = CASES.get(name, Case("item"))
    outputs = [place] if place else []
    plugins = []
    if case.options is not None:
        plugins = [construct(load_plugin(name), case.options, what=f"plugin {name}")]
    if name == "opentelemetry":
        trace.set_tracer_provider(TracerProvider())  # without an exporter
    site = site_of(pages)
    spider = Shop(pages, items)
    before = resource.getrusage(resource.RUSAGE_SELF)
    report = run(spider, outputs=outputs, plugins=plugins, transport=site.transport)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert report.pages == pages, report
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def child(name: str, pages: int, items: int, place: str) -> None:
    """Crawl a small site, then the whole one, and print the CPU seconds of the second crawl."""
    for turn, (few_pages, few_items) in enumerate([(2, 3), (pages, items)]):
        folder = Path(str(turn))
        folder.mkdir()
        os.chdir(folder)
        seconds = crawl_once(name, few_pages, few_items, place.replace("TURN", str(turn)))
        os.chdir("..")
    print(seconds)


# ---- all of them -----------------------------------------------------------------------------------------------------


def measure(name: str, pages: int, items: int, place: str = "") -> float:
    """Return the CPU seconds of a crawl in a process of its own; an empty name is a crawl without plugins."""
    command = [
        sys.executable,
        __file__,
        "--child",
        name,
        "--pages",
        str(pages),
        "--items",
        str(items),
        "--place",
        place,
    ]
    with tempfile.TemporaryDirectory(prefix="sinks-") as folder:
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def cost_of(
    name: str, case: Case, rounds: int, sizes: Mapping[Unit, tuple[int, int]], place: Callable[[int], str]
) -> float:
    """Return the microseconds an item, a page or a file."""
    pages, per_page = sizes[case.unit]
    found = []
    for turn in range(rounds):
        without = measure("", pages, per_page)
        found.append((measure(name, pages, per_page, place(turn)) - without) / (pages * per_page) * 1e6)
    return median(found)


def servers(stack: ExitStack, names: Sequence[str]) -> Mapping[str, str]:
    """Run the servers that outputs of these names need, and return the URLs of the databases."""
    from integration.databases.servers import mariadb, mongodb, postgresql  # noqa: PLC0415 - only here
    from support.objectstore import S3  # noqa: PLC0415

    urls = {}
    starts = {"postgresql": (postgresql, "table"), "mariadb": (mariadb, "table"), "mongodb": (mongodb, "collection")}
    for name, (start, option) in starts.items():
        if name in names:
            url = stack.enter_context(start()).url
            urls[name] = f"{url}{'&' if '?' in url else '?'}{option}=items_"
    if "s3" in names or "delta+s3" in names:
        os.environ.update(stack.enter_context(S3()).variables)
    return urls


def keep(costs: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the figures, beside those of other names."""
    known = json.loads(COSTS.read_text())["costs"] if COSTS.exists() else {}
    date = datetime.now(UTC).date().isoformat()
    kept = {"python": build(), "date": date, "costs": dict(sorted({**known, **costs}.items()))}
    COSTS.write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of crawls for each (5)")
    parser.add_argument("--items", type=int, default=100_000, help="items of a crawl (100,000)")
    parser.add_argument("--pages", type=int, default=1_000, help="pages of a crawl for plugins of pages (1,000)")
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=CASES, metavar="NAME", help="these only")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--place", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child, options.pages, options.items, options.place)
        return
    sizes: dict[Unit, tuple[int, int]] = {
        "item": (100, options.items // 100), "page": (options.pages, 1), "file": (options.pages, 1)
    }  # fmt: skip
    costs = {}
    print(build())
    with ExitStack() as stack:
        urls = servers(stack, options.only)
        for name in options.only:
            case = CASES[name]

            def place(turn: int, name: str = name, case: Case = case) -> str:
                if name in urls:
                    return f"{urls[name]}{turn}_TURN"
                return case.output.replace("items", f"items{turn}_TURN") if "://" in case.output else case.output

            costs[name] = {"us": round(cost_of(name, case, options.rounds, sizes, place), 1), "unit": case.unit}
            print(f"{name:<16} {costs[name]['us']:>8.1f} µs {case.unit}", flush=True)
    for name, other in SAME.items():
        if other in costs:
            costs[name] = costs[other]
    keep(costs)


if __name__ == "__main__":
    main()
