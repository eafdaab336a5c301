"""The environment with the packages of `requirements.txt`, over that of the tests:

    python tests/integration/scrapy_extensions/environment.py

installs it ahead of the first test that needs it. The list names also what its packages need. What the tests have is
that of the tests: Scrapy, for instance.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

__all__ = ["OLDER", "REQUIREMENTS", "environment_python"]

REQUIREMENTS: Final = Path(__file__).parent / "requirements.txt"
OLD: Final = Path(__file__).parent / "older.txt"
FOLDER: Final = Path(__file__).parents[3] / ".venv-scrapy-extensions"
OLDER: Final = FOLDER / "older"
"""A folder for ``PYTHONPATH`` with the oldest Scrapy that runs here: most packages have not been released since."""
BUILDING: Final = ("setuptools<81", "wheel")
"""What old packages are built with; they import ``pkg_resources``, which later versions no longer have."""


def environment_python() -> Path:
    """Return the interpreter of the environment; install it at the first call, and when the list has changed."""
    python, marker = FOLDER / "bin" / "python", FOLDER / "installed"
    wanted = hashlib.sha256(sys.version.encode() + REQUIREMENTS.read_bytes() + OLD.read_bytes()).hexdigest()
    if not marker.exists() or marker.read_text() != wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", FOLDER], check=True)
        below = sysconfig.get_path("purelib")
        own = Path(sysconfig.get_path("purelib", vars={"base": str(FOLDER)}))
        (own / "tests.pth").write_text(f"import site; site.addsitedir({below!r})\n")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *BUILDING], check=True)
        subprocess.run([*pip, "--no-build-isolation", "--no-deps", "-r", REQUIREMENTS], check=True)
        subprocess.run([*pip, "--no-deps", "--target", OLDER, "-r", OLD], check=True)
        marker.write_text(wanted)
    return python


if __name__ == "__main__":
    environment_python()
