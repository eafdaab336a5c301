"""Settings of all tests: the folders to collect, the number of processes, the profiles of hypothesis."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from crawler.secret_values import SECRET_VALUES

pytest_plugins = ["support.time_limit"]

SERVED = tuple(
    Path(__file__).parent / "integration" / name
    for name in (
        "nginx", "rate_limiters", "limit_models", "kills", "power", "outage", "databases", "web", "browser", "notebook",
        "fleet", "manual", "scrapy_extensions", "chaos",
    )
)  # fmt: skip
"""Folders of tests that need real servers, strace, or root, or that compute for a minute."""

# Tests start Python hundreds of times, so modules are compiled once, even if the environment disables it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell ignores SIGINT in programs that it starts in the background, and nohup ignores SIGHUP; tests of Ctrl-C and of
# closed terminals would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The machine may be slow or shared, so the duration of an example proves nothing. In CI the examples are the same each
# time, as in the profile that hypothesis itself has for CI: a change fails for its own faults only.
IN_CI = "CI" in os.environ
hypothesis.settings.register_profile("project", deadline=None, max_examples=20, derandomize=IN_CI)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=100)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))


@pytest.fixture(autouse=True)
def no_known_secrets() -> Generator[None]:
    """Forget the secrets of a test after it: those of a process are known until it ends."""
    yield
    SECRET_VALUES.clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--servers",
        action="store_true",
        help="also run the tests that need real servers, or strace, or a minute",
    )


def servers_asked(config: pytest.Config) -> bool:
    """Return whether to run the tests in `SERVED`: with ``--servers``, or if the command line names one of them."""
    paths = [Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args]
    return bool(config.getoption("servers")) or any(path.is_relative_to(folder) for path in paths for folder in SERVED)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return one worker per ten test files, at most one more than there are cores, for while tests of kills wait.

    0 means that no worker is started.
    """
    if number := os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return int(number)
    files = {file for argument in config.args for file in Path(argument.partition("::")[0]).rglob("test_*.py")}
    workers = min(len(os.sched_getaffinity(0)) + 1, len(files) // 10)
    return workers if workers > 1 else 0


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which would look at the same modules and tests many times."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave `SERVED` out unless requested. If requested, a missing server is a failure, never a skip."""
    return True if collection_path in SERVED and not servers_asked(config) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not servers_asked(config):
        folders = ",".join(folder.name for folder in SERVED)
        line = f"tests/integration/{{{folders}}}: not run; --servers runs them; see docs/contributing.md"
        terminalreporter.write_line(line)
