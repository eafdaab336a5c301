"""Main content of real pages of every kind: this framework beside trafilatura, readability-lxml and resiliparse.

::

    mkdir FOLDER && cd FOLDER
    git clone https://github.com/Murrough-Foley/web-content-extraction-benchmark
    git clone https://github.com/adbar/trafilatura
    git clone https://github.com/mozilla/readability
    python tests/bench/content.py FOLDER [--only-ours]

The program installs the other tools in a virtual environment in the user's cache. Of each set that the folder has, it
takes the pages with an answer by hand; of the first, the development part only.

* F1, precision, recall: of the words of a result, as multisets, averaged over pages (mixed web, readability's pages);
* with, without: passages of the content that the result has, and passages of the navigation that it has not, in
  percent of all passages (mixed web, trafilatura's pages);
* empty: pages with a result of fewer than a twentieth of the content's words;
* ms: milliseconds of CPU time per page, parsing included.

The classifier of this framework was trained on the first set: the honest figures for it are those of pages of other
sites, which ``train_content.py`` prints. The two other sets had no part in it.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import turbohtml
from scrapy_ratio import python_with

from crawler import Response

OURS = "trio-crawler"
UNKNOWN = "https://unknown.example/"
WORD = re.compile(r"\w+")
ROW = "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |"


@dataclass(frozen=True)
class Sample:
    """A page and its content by hand: its whole text, passages of it, and passages of the navigation around it."""

    group: str
    kind: str
    path: Path
    url: str
    text: str = ""
    passages: Sequence[str] = ()
    around: Sequence[str] = ()

    def read(self) -> bytes:
        """Return the page."""
        page = self.path.read_bytes()
        return gzip.decompress(page) if self.path.suffix == ".gz" else page


@dataclass(frozen=True)
class Score:
    """What a result has of the content of a page; `None` where the set does not say it."""

    f1: float | None = None
    precision: float | None = None
    recall: float | None = None
    found: list[bool] = field(default_factory=list)
    left_out: list[bool] = field(default_factory=list)
    empty: bool | None = None


def samples(folder: Path) -> Iterator[Sample]:
    """Yield the pages of all sets in a folder."""
    yield from mixed_web(folder / "web-content-extraction-benchmark" / "dev")
    root = folder / "trafilatura" / "tests"
    pages = json.loads((root / "evaldata.json").read_text()) if root.is_dir() else {}
    for url, page in pages.items():
        places = [root / place / page["file"] for place in ("cache", "eval")]
        path = next(filter(Path.is_file, places), None)
        if path is not None:
            yield Sample("trafilatura", "", path, address(url), passages=page["with"], around=page["without"])
    for path in sorted((folder / "readability/test/test-pages").glob("*/expected.html")):
        text = turbohtml.parse(path.read_text()).to_text()
        yield Sample("readability", "", path.with_name("source.html"), UNKNOWN, text)


def mixed_web(root: Path) -> Iterator[Sample]:
    """Yield the pages of the set that tells their types."""
    for path in sorted((root / "ground-truth").glob("*.json")):
        page = json.loads(path.read_text())
        truth, kind = page["ground_truth"], page["_internal"]["page_type"]["primary"]
        file = root / "html" / f"{path.stem}.html.gz"
        text, passages, around = (truth.get(name) for name in ("main_content", "with", "without"))
        kind = "collection" if kind == "category" else kind
        yield Sample("mixed web", kind, file, address(page.get("url")), text or "", passages or (), around or ())


def address(url: str | None) -> str:
    """Return the URL of a page; another one if a set has none."""
    return url if url and url.startswith(("http://", "https://")) else UNKNOWN


def ours(page: bytes, url: str) -> str:
    """Return the text that this framework finds."""
    return Response(url, headers={"content-type": "text/html"}, body=page).article().text


def timed(tool: Callable[[bytes, str], str], page: Sample) -> dict[str, Any]:
    """Return the text that a tool finds, and its CPU seconds."""
    body = page.read()
    started = time.process_time()
    return {"text": tool(body, page.url), "seconds": time.process_time() - started}


def others(python: Path, pages: Sequence[Sample]) -> list[dict[str, dict[str, Any]]]:
    """Return the same of the other tools."""
    program = [python, Path(__file__).with_name("content_others.py")]
    lines = "".join(f"{json.dumps([str(page.path), page.url])}\n" for page in pages)
    output = subprocess.run(program, input=lines, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def words(text: str) -> Counter[str]:
    """Return how often each word of a text is in it, in lower case."""
    return Counter(WORD.findall(text.lower()))


def score(page: Sample, text: str) -> Score:
    """Return what a result has of the content of a page."""
    flat = " ".join(text.lower().split())
    found, left_out = (
        [" ".join(passage.lower().split()) in flat for passage in passages] for passages in (page.passages, page.around)
    )
    wanted, given = words(page.text), words(text)
    if not wanted:
        return Score(found=found, left_out=[not one for one in left_out])
    common = (wanted & given).total()
    precision, recall = common / max(1, given.total()), common / wanted.total()
    f1 = 2 * precision * recall / (precision + recall) if common else 0.0
    return Score(f1, precision, recall, found, [not one for one in left_out], recall < 0.05)


def figures(scores: Sequence[Score]) -> list[str]:
    """Return the figures of a tool for some pages."""
    means = [[getattr(one, name) for one in scores if one.f1 is not None] for name in ("f1", "precision", "recall")]
    snippets = [[one for each in scores for one in getattr(each, name)] for name in ("found", "left_out")]
    empty = sum(bool(one.empty) for one in scores)
    return [
        *(f"{fmean(mean):.3f}" if mean else "–" for mean in means),
        *(f"{100 * fmean(snippet):.1f} %" if snippet else "–" for snippet in snippets),
        str(empty) if means[0] else "–",
    ]


def table(pages: Sequence[Sample], results: Sequence[dict[str, dict[str, Any]]]) -> None:
    """Print the figures of each set, and of each type of page in it."""
    print(ROW.format("set", "type", "pages", "tool", "F1", "precision", "recall", "with", "without", "empty"))
    print(ROW.format(*["---"] * 10))
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, page in enumerate(pages):
        groups[page.group, "all"].append(number)
        if page.kind:
            groups[page.group, page.kind].append(number)
    for (group, kind), numbers in groups.items():
        for tool in results[0]:
            scores = [score(pages[number], results[number][tool]["text"]) for number in numbers]
            print(ROW.format(group, kind, len(numbers), tool, *figures(scores)))
    for tool in results[0]:
        milliseconds = 1000 * fmean(result[tool]["seconds"] for result in results)
        print(f"{tool}: {milliseconds:.2f} ms of CPU time per page")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="folder with the clones")
    parser.add_argument("--only-ours", action="store_true", help="do not run the other tools")
    options = parser.parse_args()
    pages = list(samples(options.folder))
    if not pages:
        raise SystemExit("the folder has none of the sets; --help names them")
    results = [{OURS: timed(ours, page)} for page in pages]
    if not options.only_ours:
        python = python_with(["trafilatura", "readability-lxml", "resiliparse"], "resiliparse")
        results = [mine | other for mine, other in zip(results, others(python, pages), strict=True)]
    table(pages, results)


if __name__ == "__main__":
    main()
