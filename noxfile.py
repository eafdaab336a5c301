"""The checks of this project as nox sessions: ``nox -s fast`` while you work, ``nox -s all`` before a pull request.

The sessions run in the checkout's ``.venv``, which the first one creates, and are the steps of ``.ci/run``: a session
and CI run the same commands. Without installing nox: ``pipx run nox -s fast``.
"""

from __future__ import annotations

from pathlib import Path

import nox

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
FAST = ("frontier", "limits", "messages", "scope", "store")
"""The rooms whose unit tests need neither sockets nor child processes."""
STEPS = ("tests", "coverage", "scrapy", "scrapy_suite", "lint", "format", "trio", "imports", "types", "docs", "notes")
"""The steps of ``.ci/run`` that need no external servers."""

nox.needs_version = ">=2024.3.2"
nox.options.sessions = ["fast"]
nox.options.default_venv_backend = "none"


def environment(session: nox.Session) -> Path:
    """Return the folder with the programs of `VENV`, which is created if it is missing."""
    programs = VENV / "bin"
    if not VENV.is_dir():
        session.run("python3", "-m", "venv", str(VENV), external=True)
        session.run(str(programs / "python"), "-m", "pip", "install", "-q", "-e", ".[test]", external=True)
    return programs


def ci(session: nox.Session, *steps: str) -> None:
    """Run steps of ``.ci/run``."""
    environment(session)
    session.run(str(ROOT / ".ci" / "run"), *steps, external=True)


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest."""
    session.run(str(environment(session) / "python"), "-m", "pytest", "-q", *arguments, external=True)


@nox.session
def fast(session: nox.Session) -> None:
    """Run the unit tests of the pure rooms, in less than a minute; arguments after ``--`` go to pytest."""
    pytest(session, *(f"tests/unit/{room}" for room in FAST), *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests that need no external servers, or those that are named after ``--``."""
    if session.posargs:
        pytest(session, *session.posargs)
    else:
        ci(session, "tests")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, asynchronous code and the import contracts."""
    ci(session, "lint", "format", "trio", "imports")


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy in strict mode."""
    ci(session, "types")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual; a warning is an error."""
    ci(session, "docs")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests with more examples and under coverage, and fail below the required share."""
    ci(session, "coverage")


@nox.session(name="all")
def everything(session: nox.Session) -> None:
    """Run every step that needs no external servers."""
    ci(session, *STEPS)
