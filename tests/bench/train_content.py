"""Train the classifier of blocks that finds the main content of pages, and measure it on pages of other sites.

::

    mkdir FOLDER && cd FOLDER
    git clone https://github.com/Murrough-Foley/web-content-extraction-benchmark
    pip install lightgbm numpy
    python tests/bench/train_content.py FOLDER [--only-measure] [--only-train]

It takes the development part of the set. It prints the word F1 of each type of page, cross-validated: the sites are
divided into five parts by a hash of their domain, and each part is measured with a model that was trained on the four
others, words of classes included. Then it trains on all pages and writes ``crawler/html/content_model.json``.

A block is content as far as its runs of four words occur in the content by hand. The odds of a tag or a name are those
of the text in it, of at least a dozen sites. For training, they come from other sites than the page has.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any
from urllib.parse import urlsplit

import lightgbm  # type: ignore[import-not-found, unused-ignore]
import numpy as np  # type: ignore[import-not-found, unused-ignore]
from content import WORD, Sample, samples, words

from crawler import Response
from crawler.html.blocks import FEATURES, Block, Odds, Part, features, read_blocks
from crawler.html.content_model import threshold
from crawler.html.reader_view import reader_view

MODEL = Path(__file__).parents[2] / "crawler/html/content_model.json"
PARTS, INNER = 5, 3
MIN_SITES, MAX_NAMES = 12, 300
TREES = 100
PARAMETERS = {
    "objective": "binary", "learning_rate": 0.12, "num_leaves": 8, "min_data_in_leaf": 150, "lambda_l2": 5,
    "feature_fraction": 0.6, "bagging_fraction": 0.7, "bagging_freq": 1, "seed": 1, "deterministic": True,
    "force_row_wise": True, "num_threads": 2, "verbose": -1,
}  # fmt: skip


@dataclass
class Page:
    """A page, its blocks, and how much of each is content."""

    sample: Sample
    site: str
    blocks: list[Block]
    parts: list[Part]
    truth: list[float]
    names: dict[str, float]
    """By word of a tag, class, id or role: the share of the text in it that is content."""

    def rows(self, odds: Odds) -> Any:
        """Return the features of the blocks."""
        return np.array(features(self.blocks, self.parts, odds, self.sample.url), dtype=np.float64)

    def f1(self, scores: Sequence[float]) -> float:
        """Return the word F1 of the blocks that some probabilities choose."""
        least = threshold([block.words for block in self.blocks], scores)
        pairs = zip(self.blocks, scores, strict=True)
        given = words(" ".join(block.text for block, one in pairs if one >= least))
        wanted = words(self.sample.text)
        return 2 * (wanted & given).total() / max(1, wanted.total() + given.total())


def read(sample: Sample) -> Page | None:
    """Return a page; `None` if it has no text."""
    document = Response(sample.url, headers={"content-type": "text/html"}, body=sample.read()).document
    body = reader_view(document).select_one("body")
    blocks, parts = ([], []) if body is None else read_blocks(body)
    if not blocks:
        return None
    truth = shares(blocks, sample.text)
    site = ".".join((urlsplit(sample.url).hostname or sample.path.stem).split(".")[-2:])
    return Page(sample, site, blocks, parts, truth, names(blocks, truth))


def shares(blocks: Sequence[Block], content: str) -> list[float]:
    """Return how much of each block is content; a short one that is everywhere is as its neighbours."""
    lines = {tuple(WORD.findall(line.lower())) for line in content.split("\n")}
    flat = WORD.findall(content.lower())
    grams = [set(zip(*[flat[start:] for start in range(size)], strict=False)) for size in range(5)]
    found: list[float | None] = []
    for block in blocks:
        text = tuple(WORD.findall(block.text.lower()))
        if len(text) >= 4:
            runs = list(zip(text, text[1:], text[2:], text[3:], strict=False))
            found.append(fmean(run in grams[4] for run in runs))
        elif not text:
            found.append(None)
        elif text in lines:
            found.append(1.0)
        else:
            found.append((0.7 if len(text) == 3 else None) if text in grams[len(text)] else 0.0)
    known = [(at, one) for at, one in enumerate(found) if one is not None]
    answers, behind = [], 0
    for at, one in enumerate(found):
        while behind < len(known) and known[behind][0] < at:
            behind += 1
        near = [one for _, one in known[max(0, behind - 1) : behind + 1]]
        answers.append(one if one is not None else float(bool(near) and fmean(near) > 0.5))
    return answers


def names(blocks: Sequence[Block], truth: Sequence[float]) -> dict[str, float]:
    """Return the share of the text that is content in elements with each word of a tag or name."""
    content: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for block, share in zip(blocks, truth, strict=True):
        around: set[str] = set()
        part: Part | None = block.part
        while part is not None:
            around.update(part.tokens)
            part = part.parent
        for name in around:
            content[name] += share * block.words  # type: ignore[assignment]
            total[name] += block.words
    return {name: content[name] / total[name] for name in total}


def part_of(page: Page, count: int, salt: str = "") -> int:
    """Return the part of the sites to which a page belongs."""
    return int(hashlib.sha256((salt + page.site).encode()).hexdigest(), 16) % count


def odds_of(pages: Sequence[Page]) -> dict[str, float]:
    """Return the logarithm of the odds of names, relative to the name in the middle."""
    sites: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for page in pages:
        for name, share in page.names.items():
            sites[name][page.site].append(share)
    found = {}
    for name, by_site in sites.items():
        if len(by_site) >= MIN_SITES:
            content = sum(map(fmean, by_site.values()))
            found[name] = math.log((content + 2) / (len(by_site) - content + 2))
    middle = median(found.values())
    best = sorted(found, key=lambda name: -abs(found[name] - middle) * math.sqrt(len(sites[name])))
    classes = [name for name in best if name.startswith(".")][:MAX_NAMES]
    kept = [*(name for name in best if not name.startswith(".")), *classes]
    return {name: round(found[name] - middle, 1) for name in sorted(kept)}


def train(pages: Sequence[Page]) -> tuple[dict[str, float], Any]:
    """Return the odds of names, and a model."""
    rows: list[Any] = [None] * len(pages)
    for inner in range(INNER):
        odds = odds_of([page for page in pages if part_of(page, INNER, "inner") != inner])
        for at, page in enumerate(pages):
            if part_of(page, INNER, "inner") == inner:
                rows[at] = page.rows(odds)
    x, y = np.vstack(rows), np.concatenate([page.truth for page in pages])
    sizes = [np.array([block.words for block in page.blocks]) ** 0.8 for page in pages]
    weights = np.concatenate([size / size.sum() ** 0.7 for size in sizes])
    weights = np.concatenate([weights * y, weights * (1 - y)]) / weights.mean()
    used = weights > 1e-9
    answers = np.concatenate([np.ones(len(y)), np.zeros(len(y))])
    data = lightgbm.Dataset(np.vstack([x, x])[used], answers[used], weight=weights[used], feature_name=list(FEATURES))
    return odds_of(pages), lightgbm.train(PARAMETERS, data, TREES)


def measure(pages: Sequence[Page]) -> None:
    """Print the word F1 on sites that had no part in the training."""
    found: dict[str, list[float]] = defaultdict(list)
    for part in range(PARTS):
        odds, model = train([page for page in pages if part_of(page, PARTS) != part])
        for page in pages:
            if part_of(page, PARTS) == part:
                one = page.f1(list(model.predict(page.rows(odds))))
                found[page.sample.kind].append(one)
                found["all"].append(one)
    print("| type | pages | word F1 on other sites |\n|---|---|---|")
    for kind, figures in found.items():
        print(f"| {kind} | {len(figures)} | {fmean(figures):.3f} |")


def nested(node: dict[str, Any]) -> Any:
    """Return a tree as lists: feature, threshold, tree of smaller or equal values, tree of larger ones; or a value."""
    if "leaf_value" in node:
        return round(node["leaf_value"], 3)
    least = float(f"{node['threshold']:.4g}")
    return [node["split_feature"], least, nested(node["left_child"]), nested(node["right_child"])]


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="folder with the clone")
    parser.add_argument("--only-measure", action="store_true", help="do not write a model")
    parser.add_argument("--only-train", action="store_true", help="do not measure")
    options = parser.parse_args()
    taken = [sample for sample in samples(options.folder) if sample.group == "mixed web"]
    pages = [page for page in map(read, taken) if page is not None]
    if not pages:
        raise SystemExit("the folder does not have the set; --help names it")
    if not options.only_measure:
        odds, model = train(pages)
        trees = [nested(tree["tree_structure"]) for tree in model.dump_model()["tree_info"]]
        MODEL.write_text(json.dumps({"odds": odds, "trees": trees}, separators=(",", ":")) + "\n")
    if not options.only_train:
        measure(pages)


if __name__ == "__main__":
    main()
