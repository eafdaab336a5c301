"""Scrapy's own tests that start a crawl, with this engine in the place of Scrapy's.

::

    PYTHONPATH=tests .venv/bin/python -m integration.scrapy_suite.suite

gets the tests from the source distribution of Scrapy, in ``.venv-scrapy-suite``, and runs those that ``tests.txt``
names. It fails if a test fails that is not in ``deviations.csv``, or if one of those passes. ``--select`` writes
``tests.txt`` again: every test that starts a crawl, without those of commands and download handlers.
"""

from __future__ import annotations

import csv
import json
import os
import site
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from typing import Final

__all__ = ["deviations", "selected"]

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
PLACE: Final = ROOT / ".venv-scrapy-suite"
DEVIATIONS: Final = HERE / "deviations.csv"
TESTS: Final = HERE / "tests.txt"
REQUIREMENTS: Final = HERE / "requirements.txt"
NEEDED: Final = ("tests", "conftest.py", "pyproject.toml")
"""What is unpacked of the source distribution: the package itself is the installed one."""
LEFT_OUT: Final = ("command", "cmdline", "downloader_handler", "http2", "subprocess", "remote_control", "utils_")
"""Parts of names of files with tests of what is not used here: commands, download handlers, choices of a reactor."""


def deviations() -> dict[str, str]:
    """Return why tests fail here, by their ids."""
    with DEVIATIONS.open(encoding="utf-8", newline="") as file:
        return {f"tests/{row['Test']}": row["Here"] for row in csv.DictReader(file)}


def selected() -> list[str]:
    """Return the ids of the tests that run."""
    return TESTS.read_text(encoding="utf-8").split("\n")[:-1]


def main() -> int:
    """Run the tests, and return the exit code."""
    python, folder = prepared()
    if "--select" in sys.argv:
        select(python, folder)
    named = selected()
    expected = deviations()
    failed = run(python, folder, named, "-n", "2")
    surprises = sorted(failed ^ set(expected))
    if surprises:  # once more, alone: some measure time
        failed = failed - set(surprises) | run(python, folder, surprises)
    lost = [f"fails: {test}" for test in sorted(failed - set(expected))]
    lost += [f"is a deviation, and passes: {test}" for test in sorted(set(expected) - failed)]
    print(*lost, sep="\n")
    print(f"{len(named)} tests of Scrapy that crawl: {len(named) - len(failed)} pass, {len(failed)} deviate")
    return bool(lost)


def prepared() -> tuple[Path, Path]:
    """Return the Python and the folder with the tests of Scrapy; install them at the first call."""
    python = PLACE / "bin" / "python"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    folder = PLACE / "scrapy"
    ready = PLACE / "ready.txt"
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        venv.create(PLACE, clear=True, with_pip=True)
        [own] = PLACE.glob("lib/python*/site-packages")
        paths = "; ".join(f"site.addsitedir({path!r})" for path in site.getsitepackages())
        (own / "base.pth").write_text(f"import site; {paths}\n", encoding="utf-8")  # what is installed for our tests
        pip = (python, "-m", "pip", "-q", "--disable-pip-version-check")
        subprocess.run([*pip, "install", "-r", REQUIREMENTS], check=True)
        scrapy = next(line for line in wanted.splitlines() if line.startswith("scrapy=="))
        command = [*pip, "download", "--no-deps", "--no-binary", "scrapy", "-d", PLACE, scrapy]
        subprocess.run(command, check=True)
        unpack(next(PLACE.glob("scrapy-*.tar.gz")), folder)
        ready.write_text(wanted, encoding="utf-8")
    return python, folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the tests of a source distribution, without its first folder."""
    with tarfile.open(archive) as file:
        for member in file.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name.partition("/")[0] in NEEDED:
                file.extract(member, folder, filter="data")


def run(python: Path, folder: Path, names: list[str], *options: str, started: Path | None = None) -> set[str]:
    """Return which tests do not pass.

    Parameters:
        python: The Python.
        folder: Has the tests of Scrapy.
        names: Their ids.
        options: Those of pytest.
        started: The file that gets the ids of tests that start a crawl.
    """
    results, named = PLACE / "results.json", PLACE / "named.txt"
    results.unlink(missing_ok=True)
    named.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    off = [f"-pno:{name}" for name in ("asyncio", "cacheprovider", "trio", "twisted")]
    command = [python, "-m", "pytest", "-q", "--tb=short", "-p", "integration.scrapy_suite.shim", *off, *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "RESULTS": str(results)}
    if started is not None:
        environment["STARTED"] = str(started)
    subprocess.run([*command, "--reactor=asyncio", f"@{named}"], cwd=folder, env=environment, check=False)
    outcomes: dict[str, str] = json.loads(results.read_text(encoding="utf-8"))
    return {name for name in names if outcomes.get(name) != "passed"}


def select(python: Path, folder: Path) -> None:
    """Write the ids of all tests that start a crawl."""
    files = [path for path in folder.glob("tests/test_*.py") if "rawler" in path.read_text(encoding="utf-8")]
    names = sorted(f"tests/{path.name}" for path in files if not any(part in path.name for part in LEFT_OUT))
    started = PLACE / "started.txt"
    started.unlink(missing_ok=True)
    run(python, folder, names, "-n", "2", started=started)
    found = sorted(set(started.read_text(encoding="utf-8").splitlines()))
    TESTS.write_text("".join(f"{test}\n" for test in found), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
