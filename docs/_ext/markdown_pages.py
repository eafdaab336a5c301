"""Each page of the manual as Markdown, and ``llms.txt``, which lists them: https://llmstxt.org.

The framework itself makes the Markdown, of the pages that Sphinx has built.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx

from crawler import Response

SUMMARY: Final = (
    "A Python framework for crawling sites and APIs, built on trio. It takes everything that each server allows, never "
    "more, and a crawl can be killed at any moment and resumed."
)
SECTIONS: Final = {
    "tutorial": "Tutorial",
    "howto": "How-to guides",
    "reference": "Reference",
    "explanation": "Explanation",
    "": "More",
    "decisions": "Optional",
}
"""The sections of ``llms.txt``, by folder. What is in `Optional` may be skipped."""

UNPUBLISHED = "https://manual.invalid/"
"""Stands for the URL of a manual that has none: its links are paths (RFC 2606, section 2)."""


def markdown_of(page: Path, url: str) -> str:
    """Return a built page as Markdown, whose links are those of the published manual."""
    fields = {"Content-Type": "text/html; charset=utf-8"}
    article = Response(url, headers=fields, body=page.read_bytes()).css("[role=main]").get("")
    return Response(url, headers=fields, body=article).markdown(whole=True).strip() + "\n"


def listing(titles: dict[str, str], base: str) -> Iterator[str]:
    """Yield the lines of ``llms.txt``.

    Parameters:
        titles: The title of each page, by its name.
        base: The URL of the manual.
    """
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for name, title in titles.items():
        folders[posixpath.dirname(name)].append(f"- [{title}]({base}{name}.md)")
    yield from ["# trio-crawler", "", f"> {SUMMARY}"]
    for folder, heading in SECTIONS.items():
        yield from ["", f"## {heading}", "", *folders.pop(folder)]
    if folders:
        raise ValueError(f"no section of llms.txt has the pages in {', '.join(folders)}")


def link(sphinx: Sphinx, name: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Let the head of a page name its Markdown."""
    if name in sphinx.env.found_docs:
        file = posixpath.basename(name) + ".md"
        context["metatags"] += f'<link rel="alternate" type="text/markdown" href="{file}">'


def write(sphinx: Sphinx, error: Exception | None) -> None:
    """Write the Markdown of all pages and ``llms.txt`` beside the pages."""
    if error is not None or sphinx.builder.name != "html":
        return
    base = sphinx.config.html_baseurl
    titles = {name: sphinx.env.titles[name].astext() for name in sorted(sphinx.env.found_docs)}
    for name in titles:
        page = Path(sphinx.outdir) / f"{name}.html"
        text = markdown_of(page, f"{base or UNPUBLISHED}{name}.html").replace(UNPUBLISHED, "/")
        page.with_suffix(".md").write_text(text, encoding="utf-8")
    (Path(sphinx.outdir) / "llms.txt").write_text("\n".join(listing(titles, base)) + "\n", encoding="utf-8")


def setup(sphinx: Sphinx) -> dict[str, Any]:
    """Register what this file adds."""
    sphinx.connect("html-page-context", link)
    sphinx.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
