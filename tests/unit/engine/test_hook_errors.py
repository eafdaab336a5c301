"""What callbacks and hooks raise, as a `HookError`."""

from __future__ import annotations

import asyncio

import pytest
import trio

from crawler import Plugin, Request
from crawler.engine.hook_errors import HookErrors, faults, is_fault, raise_hook_error
from crawler.errors import HookError, JobError


class Cache(Plugin):
    name = "cache"


REQUEST = Request("https://site.test/")


class Odd(BaseException):
    """An exception that ``except Exception`` does not catch."""


def caught(error: BaseException, *others: type[BaseException]) -> bool:
    """Return whether ``except faults()`` catches an exception."""
    try:
        try:
            raise error
        except faults(*others):
            return True
    except BaseException:
        return False


@pytest.mark.parametrize(
    ("error", "is_error"),
    [
        (ValueError(), True),
        (SystemExit(), True),
        (Odd(), True),
        (asyncio.CancelledError(), True),
        (ExceptionGroup("g", [ValueError()]), True),
        (BaseExceptionGroup("g", [ValueError(), BaseExceptionGroup("g", [Odd()])]), True),
        (KeyboardInterrupt(), False),
        (GeneratorExit(), False),
        (BaseExceptionGroup("g", [ValueError(), BaseExceptionGroup("g", [KeyboardInterrupt()])]), False),
    ],
    ids=repr,
)
def test_all_but_interrupts_and_cancellations_are_errors_of_a_hook(error: BaseException, is_error: bool) -> None:
    assert is_fault(error) == caught(error) == is_error
    assert caught(error, KeyboardInterrupt) == (is_error or type(error) is KeyboardInterrupt)


async def test_a_cancellation_is_no_error_of_a_hook() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except faults():
            pytest.fail("it was caught")
    assert scope.cancelled_caught


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), Odd("x")])
def test_an_exception_names_the_plugin_the_hook_and_the_request(error: BaseException) -> None:
    with pytest.raises(HookError, match=f"^{type(error).__name__}: ") as caught, HookErrors(Cache(), "answer", REQUEST):
        raise error
    assert (caught.value.plugin, caught.value.hook, caught.value.request) == ("cache", "answer", REQUEST)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [JobError("full"), HookError("x", plugin="other", hook="parse", request=REQUEST)])
def test_errors_of_the_store_and_of_other_hooks_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, HookErrors(Cache(), "answer", REQUEST):
        raise error
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        raise_hook_error(error, Cache(), "answer", REQUEST)
    assert caught.value is error


def test_a_list_gets_the_errors_instead_but_no_interrupt() -> None:
    raised: list[HookError] = []
    with HookErrors(Cache(), "failed", REQUEST, raised):
        raise ValueError("x")
    assert [str(error.__cause__) for error in raised] == ["x"]
    with pytest.raises(KeyboardInterrupt), HookErrors(Cache(), "failed", REQUEST, raised):
        raise KeyboardInterrupt
    assert len(raised) == 1
