"""`read_blocks`: the blocks of text of a page, and what tells content from navigation, in linear time.

A block is text that no element of its own line breaks: a paragraph, an item, a heading, a cell. Its features are its
length and links, those of the elements around it and of its neighbours, its place, how often its shape repeats, and how
often the tags, classes, ids and roles around it belong to content on other pages (`Odds`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from turbohtml import Element, Node, Text

__all__ = ["FEATURES", "Block", "Odds", "Part", "features", "read_blocks"]

Odds = Mapping[str, float]
"""By word of a tag, class, id or role: the logarithm of the odds that text in such an element is content."""
INLINE: Final = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "data", "del", "dfn", "em", "font", "i",
    "img", "ins", "kbd", "label", "mark", "math", "nobr", "picture", "q", "rp", "rt", "ruby", "s", "samp", "small",
    "source", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
MAX_TOKENS: Final = 400
"""Characters of the classes of an element that are read: utility classes may have thousands."""


class Part:
    """An element with blocks: what holds for all text in it."""

    __slots__ = (
        "best", "blocks", "depth", "element", "in_link", "links", "main", "parent", "shape", "tag", "tokens", "words",
        "worst",
    )  # fmt: skip

    def __init__(self, element: Element, parent: Part | None) -> None:
        self.element, self.parent = element, parent
        self.tag = tag = element.tag
        self.words = self.blocks = 0
        self.links = self.worst = self.best = 0.0
        attr = element.attr
        classes, role = attr("class") or "", attr("role")
        self.tokens = _tokens(tag, classes, attr("id") or "", role or attr("itemprop") or "")
        if parent is None:
            self.depth, self.in_link, self.main, self.shape = 0, False, False, 0
        else:
            self.depth = parent.depth + 1
            self.in_link = parent.in_link or tag == "a"
            self.main = parent.main or tag in ("main", "article") or role == "main" or "articlebody" in self.tokens
            self.shape = hash((tag, classes, parent.tag, parent.tokens, parent.parent and parent.parent.tag))


class Block:
    """A run of text and inline elements in an element."""

    __slots__ = ("link", "nodes", "part", "size", "text", "words")

    def __init__(self, part: Part, nodes: list[Node], text: str, link: float) -> None:
        self.part, self.nodes, self.text = part, nodes, text
        self.size = len(text)
        self.words = text.count(" ") + 1
        self.link = link


@lru_cache(maxsize=8192)
def _tokens(tag: str, classes: str, identifier: str, role: str) -> tuple[str, ...]:
    """Return the words of the names of an element, without repeats."""
    found = dict.fromkeys([tag])
    for text in (classes, identifier, role):
        for word in WORDS.findall(text[:MAX_TOKENS]):
            if len(word) > 1:
                found["." + word.lower()] = None
    return tuple(found)


def read_blocks(body: Element) -> tuple[list[Block], list[Part]]:
    """Return the blocks of a reader view, in document order, and the elements that hold them, the outer ones first."""
    mixed = _mixed(body)
    root = Part(body, None)
    parts = [root]
    blocks: list[Block] = []
    stack = [(root, iter(body.children))]
    nodes: list[Node] = []
    while stack:
        part, children = stack[-1]
        for child in children:
            if isinstance(child, Element):
                if child.tag in INLINE and child not in mixed:
                    nodes.append(child)
                    continue
                if nodes:
                    _add(blocks, part, nodes)
                    nodes = []
                inner = Part(child, part)
                parts.append(inner)
                stack.append((inner, iter(child.children)))
                break
            if isinstance(child, Text) and (nodes or not child.data.isspace()):
                nodes.append(child)
        else:
            stack.pop()
            if nodes:
                _add(blocks, part, nodes)
                nodes = []
    for part in reversed(parts):
        if (outer := part.parent) is not None:
            outer.words += part.words
            outer.links += part.links
            outer.blocks += part.blocks
    return blocks, parts


def _mixed(body: Element) -> set[Element]:
    """Return the inline elements that hold others than inline ones."""
    mixed: set[Element] = set()
    for element in body.select("div,p,section,article,li,ul,ol,table,h1,h2,h3,h4,h5,h6,header,footer,figure,dl,pre"):
        outer: Any = element.parent
        while outer is not None and outer.tag in INLINE and outer not in mixed:
            mixed.add(outer)
            outer = outer.parent
    return mixed


def _add(blocks: list[Block], part: Part, nodes: list[Node]) -> None:
    """Add a block, unless it has no text."""
    text = " ".join("".join([node.data if isinstance(node, Text) else node.text for node in nodes]).split())
    if not text:
        return
    link = 1.0
    if not part.in_link:
        linked = 0
        for node in nodes:
            if isinstance(node, Element):
                if node.tag == "a":
                    linked += len(node.text)
                elif node.tag != "br":
                    linked += sum([len(a.text) for a in node.select("a")])
        link = min(1.0, linked / len(text))
    block = Block(part, nodes, text, link)
    part.words += block.words
    part.links += block.words * link
    part.blocks += 1
    blocks.append(block)


FEATURES: Final = (
    "words", "letters", "link", "marks", "ends", "digits", "tag", "near_worst", "near_best", "worst", "best", "main",
    "main_share", "depth", "parent_words", "parent_link", "parent_blocks", "outer_words", "outer_link", "outer_mean",
    "section_share", "section_link", "section_mean", "place", "words_before", "after_h1", "before_words",
    "before_link", "next_words", "next_link", "near_words", "prose_before", "prose_after", "repeats", "shape_share",
    "shape_words", "same_text", "page_words", "page_link", "page_prose", "page_mean", "page_articles", "page_path",
)  # fmt: skip
"""What is known of a block."""
PROSE: Final = 15
"""Words of a block that is prose, if few of them are links."""


def features(blocks: list[Block], parts: list[Part], odds: Odds, url: str) -> list[list[float]]:
    """Return the features of each block."""
    root = parts[0]
    total = root.words or 1
    _weigh(parts, odds)
    is_prose = [block.words >= PROSE and block.link < 0.3 for block in blocks]
    prose = sum([block.words for block, yes in zip(blocks, is_prose, strict=True) if yes])
    in_main = sum([block.words for block, yes in zip(blocks, is_prose, strict=True) if yes and block.part.main])
    has_main = any(part.main for part in parts)
    main_share = in_main / prose if prose and has_main else -1.0
    articles = sum([part.tag == "article" for part in parts])
    shapes: dict[int, list[float]] = {}
    texts: dict[str, int] = {}
    for block in blocks:
        shape = shapes.setdefault(block.part.shape, [0, 0])
        shape[0] += 1
        shape[1] += block.words
        texts[block.text] = texts.get(block.text, 0) + 1
    count = len(blocks)
    page = [total, root.links / total, prose / total, total / max(1, count), articles, _path(url)]
    after = _distances(reversed(is_prose))[::-1]
    before = _distances(iter(is_prose))
    h1 = next((at for at, block in enumerate(blocks) if block.part.tag == "h1"), None)
    sections: dict[Part, Part] = {}
    rows = []
    sofar = 0
    words = [0, 0, *[block.words for block in blocks], 0, 0]
    links = [1.0, *[block.link for block in blocks], 1.0]
    for at, block in enumerate(blocks):
        part, text = block.part, block.text
        outer = part.parent or part
        beyond = outer.parent or outer
        section = _section(part, sections, total)
        shape = shapes[part.shape]
        marks = text.count(",") + text.count(".") + text.count(";")
        rows.append([
            block.words, block.size / block.words, block.link, marks / block.words, text[-1] in ".!?:;…。",
            sum(map(text.count, "0123456789")) / block.size if block.words < PROSE else 0.0,
            odds.get(part.tag, 0.0), *_near(part), part.worst, part.best,
            (1 if part.main else -1) if has_main else 0, main_share, part.depth,
            outer.words, outer.links / (outer.words or 1), outer.blocks,
            beyond.words, beyond.links / (beyond.words or 1), beyond.words / (beyond.blocks or 1),
            section.words / total, section.links / (section.words or 1), section.words / (section.blocks or 1),
            at / count, sofar / total, -1.0 if h1 is None else float(at >= h1),
            words[at + 1], links[at], words[at + 3], links[at + 2],
            words[at] + words[at + 1] + words[at + 3] + words[at + 4], before[at], after[at],
            shape[0], shape[1] / total, shape[1] / shape[0], texts[text], *page,
        ])  # fmt: skip
        sofar += block.words
    return rows


def _path(url: str) -> int:
    """Return the number of segments of the path of a URL."""
    return sum(map(bool, url.partition("?")[0].split("/")[3:]))


def _near(part: Part) -> tuple[float, float]:
    outer = part.parent
    return (0.0, 0.0) if outer is None else (outer.worst - part.worst, outer.best - part.best)


def _weigh(parts: list[Part], odds: Odds) -> None:
    """Set the worst and the best odds of the names around each part."""
    cache: dict[tuple[str, ...], tuple[float, float]] = {}
    for part in parts:
        found = cache.get(part.tokens)
        if found is None:
            known = [odds[token] for token in part.tokens if token in odds]
            found = cache[part.tokens] = (min(known, default=0.0), max(known, default=0.0))
        outer = part.parent
        if outer is None:
            part.worst = part.best = 0.0
        else:
            part.worst, part.best = min(outer.worst, found[0]), max(outer.best, found[1])


def _distances(flags: Iterator[bool]) -> list[int]:
    """Return for each flag how many came since the last one that is set, at most 20."""
    found, distance = [], 20
    for flag in flags:
        found.append(distance)
        distance = 0 if flag else min(20, distance + 1)
    return found


def _section(part: Part, sections: dict[Part, Part], total: int) -> Part:
    """Return the outermost element around a part that has less than half of the text of the page."""
    path = []
    while part not in sections:
        outer = part.parent
        path.append(part)
        if outer is None or 2 * outer.words >= total:
            sections[part] = part
            break
        part = outer
    found = sections[part]
    for inner in path:
        sections[inner] = found
    return found
