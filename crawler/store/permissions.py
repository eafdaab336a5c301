"""Permissions of a job: only its owner may read it, since it holds cookies, passwords and tokens."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from crawler.files import PRIVATE, error_reason
from crawler.logs import get_logger

__all__ = ["create_folder", "tighten"]

FOLDER: Final = 0o700
"""Permissions of the folder of a job."""
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""The permission bits of all users except the owner."""
log = get_logger("crawler.store")


def create_folder(path: Path) -> None:
    """Create a folder that only its owner may enter, whatever the umask is."""
    path.mkdir(FOLDER)
    path.chmod(FOLDER)


def tighten(folder: Path, files: Iterable[str], *, is_known: bool) -> None:
    """Remove the permissions of all users except the owner of a job."""
    open_paths = [path for path in (folder, *map(folder.joinpath, files)) if path.exists() and _is_open(path)]
    try:
        for path in open_paths:
            path.chmod(FOLDER if path == folder else PRIVATE)
    except OSError as error:
        log.warning(
            "other users may read %s, which may hold passwords and cookies: its permissions cannot be changed (%s)",
            folder,
            error_reason(error),
        )
        return
    if open_paths and is_known:
        log.warning("other users could read %s, which may hold passwords and cookies: they no longer can", folder)


def _is_open(path: Path) -> bool:
    """Return whether a user other than the owner has a permission on a file or folder."""
    return bool(path.stat().st_mode & OTHERS)
