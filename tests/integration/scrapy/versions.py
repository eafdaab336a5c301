"""The tests of the names of Scrapy that the bridge uses, with other versions of Scrapy.

::

    PYTHONPATH=tests python -m integration.scrapy.versions

Each version is installed in an environment of its own, in a temporary folder; all other packages are those of this one.
"""
# a program that prints

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VERSIONS = (("scrapy==2.11.*", "w3lib<2.2", "parsel<1.9", "twisted<23.11"), ("scrapy==2.13.*",), ("scrapy",))
"""The oldest, with libraries of its time, one in between, and the newest."""
IGNORED = ("-W", "ignore")  # what old versions deprecate, and Python of them
TESTS = [
    f"tests/unit/plugins/scrapy/test_{name}.py" for name in ("private", "links", "fast_responses", "texts", "urls")
]


def environment(folder: Path, wanted: Sequence[str]) -> Path:
    """Return the interpreter of an environment with some packages, and all that this one has."""
    venv.EnvBuilder().create(folder)
    python = folder / "bin" / "python"
    place = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    (Path(place) / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n{ROOT / 'plugins'}\n")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--upgrade", *wanted]
    subprocess.run(command, check=True)
    return python


def main() -> int:
    """Run the tests with each version; return 1 if some failed."""
    failed = False
    with tempfile.TemporaryDirectory(prefix="scrapy-versions-") as name:
        for number, wanted in enumerate(VERSIONS):
            python = environment(Path(name) / str(number), wanted)
            shown = [python, "-c", "import scrapy; print('Scrapy', scrapy.__version__, flush=True)"]
            subprocess.run(shown, check=True, cwd=ROOT)
            command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *IGNORED, *TESTS]
            failed |= subprocess.run(command, check=False, cwd=ROOT, env=os.environ).returncode != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
