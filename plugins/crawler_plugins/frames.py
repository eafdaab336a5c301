"""`own_frames`: which frames of a stack are code of the user."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

__all__ = ["Place", "own_frames", "place_of"]

Place = tuple[str, int, str]
"""File, line and function of a frame."""
FRAMEWORK = frozenset({"crawler", "crawler_plugins", "outcome", "trio"})
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def own_frames(frames: Iterable[tuple[FrameType, int]]) -> list[Place]:
    """Return the places of frames that belong to neither the framework nor an installed library.

    Parameters:
        frames: Frames with their line numbers, the innermost last.

    Returns:
        Their places in the same order. If all belong to libraries, those outside of the framework; else all.
    """
    places = [(frame, place_of(frame, line)) for frame, line in frames]
    outside = [
        (frame, place) for frame, place in places if frame.f_globals.get("__name__", "").split(".")[0] not in FRAMEWORK
    ]
    own = [place for _, place in outside if not place[0].startswith(LIBRARIES)]
    return own or [place for _, place in outside or places]


def place_of(frame: FrameType, line: int) -> Place:
    """Return the place of a frame. The file is relative to the working directory, if it is in it."""
    path = Path(frame.f_code.co_filename)
    try:
        file = str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except (ValueError, OSError):
        file = str(path)
    return file, line, frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name
