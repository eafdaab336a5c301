"""What holds for every test: which folders are collected, and how hypothesis searches."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

SITES = Path(__file__).parent / "sites"

# The machine may be slow or shared: how long one example takes proves nothing.
hypothesis.settings.register_profile("project", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--servers", action="store_true", help="run tests/sites too, which needs real servers and manuals")


def servers_asked(config: pytest.Config) -> bool:
    """Whether `tests/sites` is to run: by ``--servers``, or because it was named on the command line."""
    paths = [Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args]
    return bool(config.getoption("servers")) or any(path.is_relative_to(SITES) for path in paths)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave `tests/sites` out unless it is asked for; once asked for, a missing server is a failure, never a skip."""
    return True if collection_path == SITES and not servers_asked(config) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not servers_asked(config):
        terminalreporter.write_line("tests/sites: not asked for (--servers; it needs nginx and two manuals)")
