"""Real sites that Debian packages put on disk: the manuals of Python, SQLite and git, and a handbook.

They were written by hand and by generators over decades and contain what generated fixtures do not: pages of 3 MB,
links with every kind of fragment, links to plain text and images, dead links, symbolic links that leave the folder.

::

    apt-get install python3.13-doc sqlite3-doc git-doc debian-handbook nginx-light
"""

from __future__ import annotations

import functools
from pathlib import Path

from integration.nginx.reachable import Found, reachable

__all__ = ["FOLDERS", "expected", "expected_with_forms", "folder"]

ANYWHERE = "http://127.0.0.1/"
FOLDERS = {
    "python3.13-doc": Path("/usr/share/doc/python3.13/html"),
    "sqlite3-doc": Path("/usr/share/doc/sqlite3"),
    "git-doc": Path("/usr/share/doc/git-doc"),
    "debian-handbook": Path("/usr/share/doc/debian-handbook/html/en-US"),
}
"""The folder of each documentation package; its front page is ``index.html``."""
FORMS = {"python3.13-doc": {"search.html?q=": "search.html"}}
"""The pages that GET forms lead to, by the page that the server sends for them."""


def folder(package: str) -> Path:
    """Return the folder of the Debian package `package`.

    Debian replaces files of other packages, such as jquery, with symbolic links that leave the folder. Servers and
    readers have to follow them.

    Raises:
        FileNotFoundError: the package is not installed; the message says how to install it.
    """
    path = FOLDERS[package]
    if not (path / "index.html").is_file():
        raise FileNotFoundError(f"{path}/index.html is missing; install it with: apt-get install {package}")
    return path


@functools.cache
def expected(package: str) -> dict[str, Found]:
    """Return the pages of a site that links lead to, by path; computed once: it takes as long as several crawls."""
    return {url.removeprefix(ANYWHERE): found for url, found in reachable(folder(package), ANYWHERE).items()}


def expected_with_forms(package: str) -> dict[str, Found]:
    """Return the pages of a site that links and GET forms lead to, by path."""
    pages = expected(package)
    return pages | {path: pages[page] for path, page in FORMS.get(package, {}).items()}
