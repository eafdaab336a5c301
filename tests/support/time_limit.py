"""A plugin of pytest: a test that takes too long fails, and the tests after it run.

A livelock in virtual time never ends: no timeout of the test itself comes, because virtual time stands still.
"""

from __future__ import annotations

import argparse
import math
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import pytest

LONGEST: Final = 900.0
"""Seconds. The longest tests take two minutes on an idle machine."""
AGAIN: Final = 5.0
"""Seconds, at most, until the test is interrupted once more: it may have caught the first interruption."""


def positive(text: str) -> float:
    """Return a number of seconds above 0. Raise `argparse.ArgumentTypeError` for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--longest",
        type=positive,
        default=LONGEST,
        metavar="SECONDS",
        help="seconds that the setup, the call and the teardown of a test may each take (default: %(default)g)",
    )


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Interrupt the block as Ctrl-C does when it takes longer, and fail. Windows has no such timer, and no limit.

    The event loop ends in order after Ctrl-C, so nothing of it is left for the tests that follow. What shields itself
    from that, such as a crawl that finishes within a time that stands still, is interrupted wherever it is.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    interrupted = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise pytest.fail.Exception(f"took longer than {seconds:g} s")
        interrupted = True
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, min(AGAIN, seconds))
    try:
        yield
    except BaseException as error:
        if interrupted:
            raise pytest.fail.Exception(f"took longer than {seconds:g} s") from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if interrupted:
        pytest.fail(f"took longer than {seconds:g} s")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with limited(item.config.getoption("longest")):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with limited(item.config.getoption("longest")):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with limited(item.config.getoption("longest")):
        return (yield)
