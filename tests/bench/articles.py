"""Main content of real pages: this framework beside trafilatura and readability-lxml.

::

    apt-get install python3.13-doc sqlite3-doc git-doc debian-handbook postgresql-doc-17 libglib2.0-doc \
        libboost1.83-doc python-django-doc apache2-doc python-sqlalchemy-doc python-flask-doc gimp-help-en \
        python-numpy-doc developers-reference
    python tests/bench/articles.py [--pages 10] [--each]

The program installs the two libraries in a virtual environment in the user's cache. It takes `--pages` pages of each
package, evenly spread over its file names. A selector for each package marks the content that its authors wrote and the
navigation around it; tables of contents in a page count as neither.

* kept: words of the content that the result has, in percent;
* boilerplate: triples of words of the navigation, which do not occur in the content, that the result has, in percent;
* empty: pages with a result of fewer than a tenth of the content's words, in percent;
* overlap: words that the results of two tools have in common, as the Dice coefficient, in percent;
* ms: milliseconds of CPU time per page, parsing included.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean

from scrapy_ratio import python_with
from turbohtml import Text

from crawler import Response

DOC = Path("/usr/share/doc")
OURS = "trio-crawler"
WORD = re.compile(r"\w+")
MIN_WORDS = 50
"""Words of content that a page needs to be taken: redirects and stubs have fewer."""


@dataclass(frozen=True)
class Package:
    """Where a package has its pages, and how they mark their content."""

    folder: Path
    content: str
    """Selector of the content."""
    around: str = "never"
    """Selector of navigation inside of the content."""


DOCBOOK = (
    "body > .section, body > .chapter, body > .sect1, body > .sect2, body > .sect3, body > .refentry, body > .part"
)
PACKAGES = {
    "python3.13-doc": Package(DOC / "python3.13/html", "div.body"),
    "sqlite3-doc": Package(DOC / "sqlite3", "body", "body > .nosearch"),
    "git-doc": Package(DOC / "git/html", "body", "#footer"),
    "debian-handbook": Package(DOC / "debian-handbook/html/en-US", DOCBOOK),
    "postgresql-doc-17": Package(DOC / "postgresql-doc-17/html", DOCBOOK),
    "libglib2.0-doc": Package(DOC / "libglib2.0-dev/gio-2.0", "#main"),
    "libboost1.83-doc": Package(
        DOC / "libboost1.83-doc/doc/html", "body", ".copyright-footer, .spirit-nav, body > table"
    ),
    "python-django-doc": Package(DOC / "python-django-doc/html", "#bd .yui-b, #bd .yui-g", "#sidebar, .nav"),
    "apache2-doc": Package(
        DOC / "apache2-doc/manual/en", "#page-content", ".top, .toplang, .bottomlang, #comments_section"
    ),
    "python-sqlalchemy-doc": Package(DOC / "python-sqlalchemy-doc/html", "#docs-body"),
    "python-flask-doc": Package(DOC / "python-flask-doc/html", "div.body"),
    "gimp-help-en": Package(DOC / "gimp-help-en/html/en", DOCBOOK),
    "python-numpy-doc": Package(DOC / "python-numpy/html", "article.bd-article"),
    "developers-reference": Package(DOC / "developers-reference/docs", "div[role=main] > div[itemprop=articleBody]"),
}
NEITHER = (
    ".toc, .contents, #quickview, .fancy_toc, .headerlink, script, style, template, noscript, [role=navigation] ul"
)


@dataclass(frozen=True)
class Sample:
    """A page and its words by hand."""

    path: Path
    content: Counter[str]
    around: frozenset[tuple[str, ...]]
    """Triples of words around the content that the content does not have."""


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return WORD.findall(text.lower())


def triples(found: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """Return each three words that follow one another."""
    return frozenset(zip(found, found[1:], found[2:], strict=False))


def samples(package: Package, count: int) -> Iterator[Sample]:
    """Yield pages of a package that have content, evenly spread over its file names."""
    paths = sorted(path for path in package.folder.rglob("*.html") if not path.is_symlink() and path.is_file())
    step = max(1, len(paths) // count)
    found = 0
    for offset in range(step):
        for path in paths[offset::step]:
            sample = read(path, package)
            if sample is not None:
                yield sample
                found += 1
            if found == count:
                return


def read(path: Path, package: Package) -> Sample | None:
    """Return a page with its words; `None` if it has too few."""
    page = Response("http://localhost/", headers={"content-type": "text/html"}, body=path.read_bytes()).document
    page.remove("script,style,template,noscript,.headerlink,head")
    content, around = [], []
    neutral = {inner for part in page.select(NEITHER) for inner in (part, *part.select("*"))}
    outside = {inner for part in page.select(package.around) for inner in (part, *part.select("*"))}
    inside = {inner for part in page.select(package.content) for inner in (part, *part.select("*"))}
    for node in page.select_one("body").descendants:
        if not isinstance(node, Text) or node.parent in neutral:
            continue
        (content if node.parent in inside and node.parent not in outside else around).extend(words(node.data))
    if len(content) < MIN_WORDS:
        return None
    return Sample(path, Counter(content), triples(around) - triples(content))


def ours(path: Path) -> tuple[str, float]:
    """Return the text that this framework finds, and its CPU seconds."""
    page = path.read_bytes()
    started = time.process_time()
    response = Response("http://localhost/", headers={"content-type": "text/html"}, body=page)
    found = response.article()
    text = found.text
    return text, time.process_time() - started


def others(python: Path, paths: Sequence[Path]) -> list[dict[str, tuple[str, float]]]:
    """Return the same of the other tools."""
    program = [python, Path(__file__).with_name("articles_others.py")]
    lines = "".join(f"{path}\n" for path in paths)
    output = subprocess.run(program, input=lines, check=True, capture_output=True, text=True).stdout
    return [
        {name: (one["text"], one["seconds"]) for name, one in json.loads(line).items()} for line in output.splitlines()
    ]


def overlap(one: Counter[str], other: Counter[str]) -> float:
    """Return the Dice coefficient of the words of two texts, in percent."""
    size = one.total() + other.total()
    return 200 * (one & other).total() / size if size else 100.0


def figures(taken: Sequence[Sample], results: Sequence[Mapping[str, tuple[str, float]]], tool: str) -> list[float]:
    """Return kept, boilerplate, empty, and milliseconds of a tool."""
    kept, boilerplate, empty = [], [], 0
    for sample, result in zip(taken, results, strict=True):
        found = words(result[tool][0])
        share = (Counter(found) & sample.content).total() / sample.content.total()
        kept.append(100 * share)
        empty += share < 0.1
        if sample.around:
            boilerplate.append(100 * len(triples(found) & sample.around) / len(sample.around))
    seconds = fmean(result[tool][1] for result in results)
    return [fmean(kept), fmean(boilerplate or [0.0]), 100 * empty / len(taken), 1000 * seconds]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=10, help="pages of each package")
    parser.add_argument("--each", action="store_true", help="print a table for each package")
    options = parser.parse_args()
    python = python_with(["trafilatura", "readability-lxml"], "trafilatura")
    groups = {name: list(samples(package, options.pages)) for name, package in PACKAGES.items()}
    missing = [name for name, taken in groups.items() if not taken]
    if missing:
        raise SystemExit(f"missing pages; install them with: apt-get install {' '.join(missing)}")
    results = {}
    for name, taken in groups.items():
        paths = [sample.path for sample in taken]
        mine = [{OURS: ours(path)} for path in paths]
        results[name] = [a | b for a, b in zip(mine, others(python, paths), strict=True)]
        if options.each:
            table(name, taken, results[name])
    table("all", [one for taken in groups.values() for one in taken], [one for r in results.values() for one in r])


def table(name: str, taken: Sequence[Sample], results: Sequence[Mapping[str, tuple[str, float]]]) -> None:
    """Print the figures of each tool for some pages, and the overlap of each two tools."""
    tools = list(results[0])
    print(f"{name}: {len(taken)} pages\n\n| tool | kept | boilerplate | empty | ms |\n|---|---|---|---|---|")
    for tool in tools:
        kept, boilerplate, empty, milliseconds = figures(taken, results, tool)
        print(f"| {tool} | {kept:.1f} % | {boilerplate:.1f} % | {empty:.1f} % | {milliseconds:.2f} |")
    for one, other in combinations(tools, 2):
        pairs = [(Counter(words(r[one][0])), Counter(words(r[other][0]))) for r in results]
        print(f"overlap of {one} and {other}: {fmean(overlap(*pair) for pair in pairs):.1f} %")
    print()


if __name__ == "__main__":
    main()
