"""The npm packages of the servers of the tests, in a folder of the user's cache named after their lock file.

::

    apt-get install nodejs npm
    python tests/integration/rate_limiters/packages.py

installs them ahead of the first test that needs them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["CACHE", "NODE", "node_modules"]

NODE = Path(__file__).parent / "node"
"""The program of the servers and its list of packages."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trio-crawler-limited"
"""Contains one folder for each lock file that was installed."""
MANIFEST = (".npmrc", "package.json", "package-lock.json")


def node_modules(cache: Path = CACHE, source: Path = NODE) -> Path:
    """Return the folder of the installed packages; install them at the first call.

    Two processes may call it at the same time: each installs into its own folder, and the first one's is kept.

    Parameters:
        cache: Contains the folders.
        source: Has the list of packages.

    Raises:
        FileNotFoundError: npm or node is not installed; the message says how to install it.
        RuntimeError: npm could not install the packages; the message contains its output.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} is missing; install it with: apt-get install nodejs npm")
    wanted = hashlib.sha256(b"".join((source / name).read_bytes() for name in MANIFEST)).hexdigest()
    folder = cache / wanted[:16]
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="npm-", dir=cache, ignore_cleanup_errors=True) as name:
            aside = Path(name) / "packages"
            aside.mkdir()
            for file in MANIFEST:
                shutil.copy(source / file, aside)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(command, cwd=aside, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"npm ci ended with {done.returncode}:\n{done.stdout}{done.stderr}")
            try:
                aside.rename(folder)
            except OSError:
                if not folder.exists():  # otherwise another process was first
                    raise
    return folder / "node_modules"


if __name__ == "__main__":
    node_modules()
