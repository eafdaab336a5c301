"""The sites that the benchmarks crawl: documentation that Debian packages put on disk, of different shapes.

::

    apt-get install nginx-light python3.13-doc sqlite3-doc postgresql-doc-17 libglib2.0-doc libboost1.83-doc
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from integration.nginx.documents import FOLDERS

__all__ = ["DEFAULT", "SITES", "folder"]

SITES = {
    **FOLDERS,
    "postgresql-doc-17": Path("/usr/share/doc/postgresql-doc-17/html"),
    "libglib2.0-doc": Path("/usr/share/doc/libglib2.0-dev/gio-2.0"),
    "libboost1.83-doc": Path("/usr/share/doc/libboost1.83-doc/doc/html"),
}
"""The folder of each documentation package; its front page is ``index.html``."""
DEFAULT = ("python3.13-doc", "sqlite3-doc", "postgresql-doc-17", "libglib2.0-doc", "libboost1.83-doc")
"""From 540 pages of 89 kB with 260 links to 3,900 pages of 16 kB with 30 links."""


def folder(package: str) -> Path:
    """Return the folder of a package.

    Raises:
        SystemExit: The package is not installed; the message says how to install it.
    """
    path = SITES[package]
    if not (path / "index.html").is_file():
        raise SystemExit(f"{path}/index.html is missing; install it with: apt-get install {package}")
    return path
