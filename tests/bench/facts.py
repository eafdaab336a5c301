"""Facts of real pages: title, author and date of publication by this framework, trafilatura and htmldate.

::

    mkdir FOLDER && cd FOLDER
    git clone https://github.com/Murrough-Foley/web-content-extraction-benchmark
    git clone https://github.com/adbar/trafilatura
    git clone https://github.com/adbar/htmldate
    git clone https://github.com/AndyTheFactory/newspaper4k
    python tests/bench/facts.py FOLDER

The program installs the two libraries in a virtual environment in the user's cache. Of each set that the folder has, it
takes the pages with an answer by hand; of the first, the development part only. A title or an author is right if one of
the two texts contains the other, both in lower case and without punctuation, as some answers have the name of the site
and others have not; *exact* is the share of equal ones. A date is right if the day is. Each figure is given for two
halves of the pages by a hash of the host: the rules were developed on the first. The last lines give the CPU time of
a page, parsing included.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

from scrapy_ratio import python_with

from crawler import Response
from crawler.html.facts import page_facts

UNKNOWN = "https://unknown.example/"
FACTS = ("title", "author", "date")


@dataclass(frozen=True)
class Sample:
    """A page and its facts by hand."""

    group: str
    path: Path
    url: str
    facts: Mapping[str, str]

    @property
    def half(self) -> int:
        """The half of the sites to which the page belongs."""
        host = ".".join((urlsplit(self.url).hostname or "").split(".")[-2:])
        return hashlib.sha256(host.encode()).digest()[0] & 1

    def read(self) -> bytes:
        """Return the page."""
        page = self.path.read_bytes()
        return gzip.decompress(page) if self.path.suffix == ".gz" else page


def sample(group: str, path: Path, url: str, title: Any, author: Any, date: Any) -> Iterator[Sample]:
    """Yield a page if it has facts by hand."""
    author = ", ".join(author) if isinstance(author, list) else author
    found = {
        name: text for name, text in zip(FACTS, (title, author, date), strict=True) if isinstance(text, str) and text
    }
    if path.is_file() and found:
        yield Sample(group, path, url if url.startswith(("http://", "https://")) else UNKNOWN, found)


def samples(folder: Path) -> Iterator[Sample]:
    """Yield the pages of all sets in a folder."""
    root = folder / "web-content-extraction-benchmark" / "dev"
    for path in sorted((root / "ground-truth").glob("*.json")):
        page = json.loads(path.read_text())
        facts = page["ground_truth"]
        file = root / "html" / f"{path.stem}.html.gz"
        yield from sample(
            "mixed web", file, page.get("url") or "", *map(facts.get, ("title", "author", "publish_date"))
        )
    for name, file_name in (
        ("trafilatura", "evaldata.json"), ("htmldate", "eval_default.json"), ("htmldate", "eval_mediacloud_2020.json")
    ):  # fmt: skip
        root = folder / name / "tests"
        pages = json.loads((root / file_name).read_text()) if (root / file_name).is_file() else {}
        for url, page in pages.items():
            places = [root / place / page["file"] for place in ("cache", "test_set", "eval")]
            here = next(filter(Path.is_file, places), places[0])
            yield from sample(name, here, url, page.get("title"), page.get("author"), page.get("date"))
    root = folder / "newspaper4k" / "tests" / "data"
    for path in sorted((root / "metadata").glob("*.json")):
        page = json.loads(path.read_text())
        file = root / "html" / f"{path.stem}.html"
        yield from sample(
            "newspaper4k", file, page.get("url") or "", page.get("title"), page.get("authors"), page.get("publish_date")
        )


def ours(page: Sample) -> dict[str, Any]:
    """Return the facts that this framework finds, and its CPU seconds."""
    body = page.read()
    started = time.process_time()
    document = Response(page.url, headers={"content-type": "text/html"}, body=body).document
    found = page_facts(document, page.url, None)
    seconds = time.process_time() - started
    return {"title": found.title, "author": ", ".join(found.authors), "date": found.date, "seconds": seconds}


def others(python: Path, pages: Sequence[Sample]) -> list[dict[str, dict[str, Any]]]:
    """Return the same of the other tools."""
    program = [python, Path(__file__).with_name("facts_others.py")]
    lines = "".join(f"{json.dumps([str(page.path), page.url])}\n" for page in pages)
    output = subprocess.run(program, input=lines, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def words(text: str | None) -> str:
    """Return the words of a text in lower case."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text or "").casefold()))


def is_right(fact: str, found: str | None, truth: str) -> bool:
    """Return whether a fact is the one by hand."""
    if fact == "date":
        return (found or "")[:10] == truth[:10]
    one, other = words(found), words(truth)
    return bool(one and other) and (one in other or other in one)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="folder with the clones")
    pages = list(samples(parser.parse_args().folder))
    if not pages:
        raise SystemExit("the folder has none of the sets; --help names them")
    results = others(python_with(["trafilatura", "htmldate"], "htmldate"), pages)
    for page, result in zip(pages, results, strict=True):
        result["trio-crawler"] = ours(page)
    print("| set | fact | tool | pages | first half | second half | all | exact |\n|---|---|---|---|---|---|---|---|")
    right: dict[tuple[str, str, str], list[tuple[int, bool, bool]]] = defaultdict(list)
    for page, result in zip(pages, results, strict=True):
        for fact, truth in page.facts.items():
            for tool, found in result.items():
                if fact in found:
                    exact = words(found[fact]) == words(truth)
                    right[page.group, fact, tool].append((page.half, is_right(fact, found[fact], truth), exact))
    for (group, fact, tool), answers in sorted(right.items()):
        halves = [[good for half, good, _ in answers if half == number] for number in (0, 1)]
        shares = [f"{fmean(half):.3f}" if half else "–" for half in [*halves, [good for _, good, _ in answers]]]
        equal = f"{fmean(one[2] for one in answers):.3f}" if fact != "date" else "–"
        print(f"| {group} | {fact} | {tool} | {len(answers)} | {' | '.join(shares)} | {equal} |")
    for tool in results[0]:
        print(f"{tool}: {1000 * fmean(result[tool]['seconds'] for result in results):.2f} ms of CPU time per page")


if __name__ == "__main__":
    main()
