"""Packages of the servers of the tests, in folders of the user's cache that are named after their lists.

::

    apt-get install nodejs npm haproxy nginx-light
    python tests/integration/rate_limiters/packages.py

installs them ahead of the first test that needs them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["APPS", "CACHE", "NODE", "VERDACCIO", "installed", "node_modules", "python_packages", "run"]

NODE = Path(__file__).parent / "node"
"""The programs of the servers of npm and their list of packages."""
VERDACCIO = NODE / "verdaccio"
"""The list of packages of Verdaccio, which has many."""
APPS = Path(__file__).parent / "apps"
"""The programs of the servers of PyPI, and their list of packages beside those of the environment of the tests."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trio-crawler-limited"
"""Contains one folder for each list that was installed."""
LOCK = "package-lock.json"
MANIFEST = (".npmrc", "package.json", LOCK)


def node_modules(cache: Path = CACHE, source: Path = NODE) -> Path:
    """Return the folder of the installed packages; install them at the first call.

    Parameters:
        cache: Contains the folders.
        source: Has the list of packages, and a lock file if all of their versions are fixed.

    Raises:
        FileNotFoundError: npm or node is not installed; the message says how to install it.
        RuntimeError: npm could not install the packages; the message contains its output.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} is missing; install it with: apt-get install nodejs npm")
    files = [source / name for name in MANIFEST if (source / name).exists()]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    command = ["npm", "ci" if source / LOCK in files else "install", "--no-audit", "--no-fund", "--ignore-scripts"]

    def install(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        run(command, folder)

    return installed(cache / wanted[:16], install) / "node_modules"


def python_packages(cache: Path = CACHE, source: Path = APPS) -> Path:
    """Return the folder of the installed packages, for ``PYTHONPATH``; install them at the first call.

    Parameters:
        cache: Contains the folders.
        source: Has ``requirements.txt``.

    Raises:
        RuntimeError: pip could not install the packages; the message contains its output.
    """
    requirements = source / "requirements.txt"
    wanted = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", "."]
    return installed(cache / f"pip-{wanted[:16]}", lambda folder: run([*command, "-r", requirements], folder))


def installed(folder: Path, install: Callable[[Path], None]) -> Path:
    """Return a folder of packages, which is installed at the first call.

    Two processes may call it at the same time: each installs into its own folder, and the first one's is kept.

    Parameters:
        folder: Where the packages are to be.
        install: Installs them into another folder, which is empty.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent, ignore_cleanup_errors=True) as name:
            aside = Path(name) / "packages"
            aside.mkdir()
            install(aside)
            try:
                aside.rename(folder)
            except OSError:
                if not folder.exists():  # otherwise another process was first
                    raise
    return folder


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run an installer in a folder.

    Raises:
        RuntimeError: It failed; the message contains its output.
    """
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    node_modules()
    node_modules(source=VERDACCIO)
    python_packages()
