"""Of a traceback, the frames of the user are logged, once for each place that raises."""

from __future__ import annotations

import logging
from types import CodeType
from typing import Any

import pytest

from crawler import HookError
from crawler.engine.tracebacks import MAX_PLACES, ErrorLog
from crawler.logs import user_frames


def compiled(module: str) -> dict[str, Any]:
    """The names of a module that can call a function, or raise."""
    source: CodeType = compile("def call(f): f()\ndef fail(): raise ValueError('x')\n", f"{module}.py", "exec")
    names: dict[str, Any] = {"__name__": module}
    exec(source, names)
    return names


OURS, TRIO, THEIRS = compiled("crawler.engine.page"), compiled("trio._core"), compiled("spiders.shop")


def files(error: BaseException) -> list[str]:
    found = user_frames(error)
    trace, names = (None if found is None else found[2]), []
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return names


def test_frames_of_the_framework_before_those_of_the_user_are_left_out() -> None:
    assert files(raised_in(OURS, TRIO, THEIRS)) == ["spiders.shop.py"]


def raised_in(*modules: dict[str, Any]) -> ValueError:
    """An error that the last module raises, called by those before it."""
    *callers, last = modules
    call = last["fail"]
    for caller in reversed(callers):
        call = _through(caller, call)
    try:
        call()
    except ValueError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
            trace = trace.tb_next
        return error.with_traceback(trace)
    raise AssertionError


def _through(caller: dict[str, Any], call: Any) -> Any:
    names = caller | {"inner": call}
    exec("def through(): inner()", names)
    return names["through"]


def test_frames_of_the_framework_that_the_user_called_are_kept() -> None:
    error = raised_in(OURS, THEIRS, OURS)
    found = user_frames(error)
    assert found is not None
    assert found[2].tb_frame.f_globals["__name__"] == "spiders.shop"
    assert found[2].tb_next is not None


def test_an_error_of_the_framework_has_none() -> None:
    assert user_frames(raised_in(OURS, TRIO)) is None
    assert user_frames(None) is None
    assert user_frames(ValueError("never raised")) is None


def hook_error(cause: BaseException) -> HookError:
    error = HookError("ValueError: x", plugin="shop", hook="parse")
    error.__cause__ = cause
    return error


def test_each_place_has_a_line_with_a_traceback_and_a_count_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    made = ErrorLog()
    for n in range(3):
        made.log(hook_error(raised_in(OURS, THEIRS)), f"https://site.test/{n}")
    made.finish()
    made.finish()
    assert caplog.messages == [
        "shop.parse failed for https://site.test/0: ValueError: x",
        "shop.parse failed 2 more times like this: ValueError: x",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


def test_at_level_debug_each_failure_has_a_line(caplog: pytest.LogCaptureFixture) -> None:
    made = ErrorLog()
    with caplog.at_level(logging.DEBUG):
        for n in range(3):
            made.log(hook_error(raised_in(OURS, THEIRS)), f"https://site.test/{n}")
    assert [message.rpartition("/")[2][0] for message in caplog.messages] == ["0", "1", "2"]


def test_another_place_or_another_hook_has_a_traceback_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    made = ErrorLog()
    made.log(hook_error(raised_in(THEIRS)), "https://site.test/")
    made.log(hook_error(raised_in(THEIRS | compiled("spiders.other"))), "https://site.test/")
    other = hook_error(raised_in(THEIRS))
    other.hook = "refine"
    made.log(other, "https://site.test/")
    assert [bool(record.exc_info) for record in caplog.records] == [True, True, True]


def test_a_bounded_number_of_places_is_remembered(caplog: pytest.LogCaptureFixture) -> None:
    made = ErrorLog()
    for n in range(MAX_PLACES + 5):
        error = hook_error(ValueError("x"))
        error.plugin = f"plugin{n}"
        made.log(error, "https://site.test/")
    assert len(made._repeats) == MAX_PLACES
