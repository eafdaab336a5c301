"""Python in the README and the manual is code that runs: every block comes from a file in `examples`.

In the manual it is included::

    ```{literalinclude} ../../examples/quotes.py
    ```

Where it cannot be included, as in the README, a comment before the block names the file with the same lines::

    <!-- example: examples/quotes.py -->
    ```python
    ...
    ```
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MARKER = re.compile(r"<!-- example: (examples/\S+\.py) -->\s*")
PYTHON = re.compile(r"(\{code(-block)?\}\s*)?(python3?|py|pycon)\b")
INCLUDE = re.compile(r"\{literalinclude\}\s*(\S+)")


def pages(ending: str) -> list[Path]:
    """Return the pages of the manual with one file name ending."""
    return [
        path
        for path in sorted(DOCS.rglob(f"*{ending}"))
        if path.relative_to(DOCS).parts[0] not in {"_build", "changes"}
    ]


def blocks(page: Path) -> Iterator[tuple[int, str, str, str]]:
    """Return the line, language, text and preceding comment of each fenced block of a page."""
    tokens = MarkdownIt().parse(page.read_text())
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "fence":
            comment = before.content if before is not None and before.type == "html_block" else ""
            yield token.map[0] + 1, token.info.strip(), token.content, comment


def fault(page: Path, language: str, text: str, comment: str) -> str | None:
    """Return the fault of a block in one line; `None` if there is none."""
    if not language:
        return "names no language"
    if include := INCLUDE.match(language):
        source = (page.parent / include[1]).resolve()
        return None if source.is_file() and source.is_relative_to(ROOT / "examples") else f"includes {include[1]}"
    if not PYTHON.match(language):
        return None
    if not (marker := MARKER.fullmatch(comment)):
        return "is Python and has no <!-- example: examples/NAME.py --> before it"
    source = ROOT / marker[1]
    if not source.is_file():
        return f"comes from {marker[1]}, which is missing"
    wanted = f"\n{text.strip()}\n"
    held = f"\n{textwrap.dedent(source.read_text()).strip()}\n"
    return None if wanted in held else f"is not what {marker[1]} says"


def test_every_python_block_comes_from_an_example():
    faults = [
        f"{page.relative_to(ROOT)}:{line} {wrong}"
        for page in [ROOT / "README.md", *pages(".md")]
        for line, language, text, comment in blocks(page)
        if (wrong := fault(page, language, text, comment))
    ]
    assert faults == []


def test_pages_in_restructuredtext_contain_no_python_blocks():
    directive = re.compile(r"^\s*\.\. (code|code-block|sourcecode):: *(python|py|pycon)|^\s*>>> ", re.MULTILINE)
    assert [str(page.relative_to(ROOT)) for page in pages(".rst") if directive.search(page.read_text())] == []


def test_the_readme_shows_a_spider():
    assert any(PYTHON.match(language) for _, language, _, _ in blocks(ROOT / "README.md"))


def test_a_changed_line_and_an_unmarked_block_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "text\n\n```python\nx = 1\n```\n\n<!-- example: examples/none.py -->\n```py\nx\n```\n\n```\nls\n```\n"
    )
    faults = [fault(page, language, text, comment) for _, language, text, comment in blocks(page)]
    assert faults == [
        "is Python and has no <!-- example: examples/NAME.py --> before it",
        "comes from examples/none.py, which is missing",
        "names no language",
    ]
