"""The commands of the tutorial are run as written, and their output is compared with the tutorial."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from markdown_it import MarkdownIt

from crawler.testing.demo import PAGES, demo_site

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
PLACE = "http://127.0.0.1:8765/"
"""The address of the tutorial's site."""
FIGURES = re.compile(r"in [0-9.]+ s \([0-9.]+ pages/s")
"""Parts of the output that differ from run to run."""
SERVES = "python -m crawler demo --serve"
INSTALLS = "pip install"


def steps(page: str) -> list[tuple[str, str]]:
    """Yield the steps of a page: kind and text of each block, and included files as ``file`` with their name."""
    found: list[tuple[str, str]] = []
    prose = ""
    for token in MarkdownIt().parse((TUTORIAL / page).read_text()):
        if token.type == "inline":
            prose = token.content
        elif token.type == "fence" and "literalinclude" in token.info:
            [name] = re.findall(r"into(?: a file)? `(\w+\.py)`", prose.replace("\n", " "))
            found.append(("file", name))
        elif token.type == "fence":
            found.append((token.info, token.content))
    return found


def same(text: str) -> str:
    """Return a text without the parts that differ from run to run."""
    return FIGURES.sub("in N s (N pages/s", text)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Performs the steps of pages, one after the other, in an empty folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    monkeypatch.setitem(PAGES, "/opening-hours", attrs.evolve(PAGES["/opening-hours"], delay=0.1))

    def run(script: str, where: str, typed: str = "") -> str:
        done = subprocess.run(
            ["sh", "-c", script.replace(PLACE, where)],
            cwd=tmp_path, env=env, input=typed, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return (done.stdout + done.stderr).replace(where, PLACE)

    def read(page: str, where: str) -> int:
        said = script = ""
        compared = 0
        for kind, text in steps(page):
            if kind == "file":
                (tmp_path / text).write_text((ROOT / "examples" / text).read_text())
            elif kind == "sh" and INSTALLS not in text and SERVES not in text:
                script = text
                said = run(script, where)
            elif kind == "text" and ">>> " in text:
                prompt = text[text.index(">>> ") :].splitlines()
                typed = "".join(line.removeprefix(">>> ") + "\n" for line in prompt if line.startswith(">>> "))
                assert run(script, where, typed).splitlines() == [
                    line for line in prompt if not line.startswith(">>> ")
                ]
                compared += 1
            elif kind == "text":
                said += "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
                if text.startswith("crawler: ") and text not in said:  # the command is repeated or misspelt
                    said += run(script, where) + run(script.replace("delay", "dealy"), where)
                missing = [line for line in same(text).splitlines() if line not in same(said).splitlines()]
                assert missing == [], said
                compared += 1
        return compared

    with demo_site() as served:
        yield lambda page: read(page, served.url)


def test_the_commands_of_the_tutorial_print_its_output(reader):
    assert reader("first-spider.md") == 5
    assert reader("items-plugins-tests.md") == 1
