"""Which frames are code of the user."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

import pytest
from crawler_plugins.frames import own_frames, place_of

from crawler import Request


def broken_json() -> None:
    json.loads("{")


def broken_request() -> None:
    Request("no url")


@pytest.mark.parametrize("function", [broken_json, broken_request])
def test_frames_of_libraries_and_of_the_framework_are_left_out(function) -> None:
    with pytest.raises(ValueError) as caught:
        function()
    places = own_frames(traceback.walk_tb(caught.value.__traceback__))
    assert places[-1][2] == function.__name__
    assert Path(places[-1][0]).name == "test_frames.py"


def test_without_code_of_the_user_all_frames_are_shown() -> None:
    with pytest.raises(ValueError) as caught:
        broken_json()
    inner = list(traceback.walk_tb(caught.value.__traceback__))[2:]
    assert [place[2] for place in own_frames(inner)] == [frame.f_code.co_qualname for frame, _ in inner]


def test_files_below_the_working_directory_are_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frame = sys._getframe()
    monkeypatch.chdir(Path(__file__).parent)
    assert place_of(frame, 7)[:2] == ("test_frames.py", 7)
    monkeypatch.chdir(tmp_path)
    assert place_of(frame, 7)[0] == frame.f_code.co_filename
