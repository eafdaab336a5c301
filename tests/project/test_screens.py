"""The pictures of terminals in the README and the manual are real runs, taken by ``docs/screens.py``."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "_static"


@pytest.fixture(scope="module")
def screens():
    """Return the program as a module."""
    spec = importlib.util.spec_from_file_location("screens", ROOT / "docs" / "screens.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["screens"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["screens"]


def shown(picture: str) -> str:
    """Return the text in a picture."""
    return " ".join("".join(ET.fromstring(picture).itertext()).replace("\N{NO-BREAK SPACE}", " ").split())


def test_each_picture_is_one_that_the_program_takes(screens):
    assert {path.stem for path in PICTURES.glob("*.svg")} == set(screens.SCREENS)


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_loads_nothing_from_elsewhere(path):
    picture = path.read_text()
    attributes = [value for element in ET.fromstring(picture).iter() for value in element.attrib.values()]
    assert [value for value in attributes if "://" in value] == []
    assert not re.search(r"@font-face|@import|url\((?!#)", picture)


def test_the_live_view_shows_a_quota_and_a_refusal():
    text = shown((PICTURES / "crawl.svg").read_text())
    assert re.search(r"\d+ pages · [\d.]+/s · \d+ items", text)
    assert re.search(r"waiting for quota, \d+ s +burst", text)
    assert re.search(r"refused, next try in \d+ s", text)


def test_a_program_is_drawn_with_its_colours(screens, tmp_path):
    code = r"print('\x1b[32mgreen\x1b[0m and \x1b[1mbold\x1b[0m'); print('gone\rdone')"
    lines = screens.lines_of(screens.record([sys.executable, "-c", code], tmp_path))
    assert [line.plain for line in lines] == ["green and bold", "done"]
    assert {str(span.style) for span in lines[0].spans} >= {"green", "bold"}
    assert "done" in shown(screens.picture("title", lines))


def test_a_program_that_does_not_end_is_killed(screens, tmp_path):
    """A busy machine may not have started it."""
    code = "import time; print('up', flush=True); time.sleep(600)"
    screen = screens.record([sys.executable, "-c", code], tmp_path, until=1)
    assert [line.plain for line in screens.lines_of(screen)] in (["up"], [])
