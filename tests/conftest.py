"""What holds for every test: which folders are collected, and how hypothesis searches."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

SERVED = (Path(__file__).parent / "sites", Path(__file__).parent / "limited")
"""What needs real servers."""

# The machine may be slow or shared: how long one example takes proves nothing.
hypothesis.settings.register_profile("project", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--servers", action="store_true", help="run tests/sites and tests/limited too: real servers")


def servers_asked(config: pytest.Config) -> bool:
    """Whether what needs real servers is to run: by ``--servers``, or because one of it is on the command line."""
    paths = [Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args]
    return bool(config.getoption("servers")) or any(path.is_relative_to(folder) for path in paths for folder in SERVED)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave `SERVED` out unless it is asked for; once asked for, a missing server is a failure, never a skip."""
    return True if collection_path in SERVED and not servers_asked(config) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not servers_asked(config):
        line = "tests/sites, tests/limited: not asked for (--servers; they need nginx, four manuals, node and npm)"
        terminalreporter.write_line(line)
