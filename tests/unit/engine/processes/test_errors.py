"""Exceptions between processes: they keep their class, their attributes, their causes and the places in the code."""

from __future__ import annotations

import traceback

import pytest

from crawler import BadStatus, HookError, Request, WouldExceedDeadline
from crawler.engine.processes.errors import pack_error, unpack_error


def raised_by(function: object) -> BaseException:
    """Return what a function raises."""
    with pytest.raises(BaseException) as caught:
        function()
    return caught.value


def fail() -> None:
    raise ValueError("bad value")


def chain() -> None:
    try:
        fail()
    except ValueError as error:
        raise RuntimeError("outer") from error


class Mute(Exception):
    """An exception that can neither be pickled nor shown."""

    def __reduce__(self) -> str:
        raise TypeError("not pickled")

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_exception_without_a_usable_message_says_so() -> None:
    found = unpack_error(pack_error(Mute()))
    assert type(found).__name__ == "Mute"
    assert str(found) == "its message cannot be shown (RuntimeError in __str__)"


def test_the_traceback_shows_the_same_places() -> None:
    error = raised_by(chain)
    found = unpack_error(pack_error(error))
    assert type(found) is RuntimeError
    names = ["chain", "fail"]
    for one, other, name in zip((error, error.__cause__), (found, found.__cause__), names, strict=True):
        assert one is not None
        assert other is not None
        places = [(frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(other.__traceback__)]
        assert places == [
            (frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(one.__traceback__)
        ]
        assert places[-1][2] == name
    assert "raise RuntimeError" in "".join(traceback.format_exception(found))
    assert found.__traceback__ is not None
    assert found.__traceback__.tb_frame.f_globals["__name__"] == __name__


def test_errors_of_the_framework_keep_their_attributes() -> None:
    request = Request("https://site.test/")
    late = WouldExceedDeadline("late", retry_at=9.5, scope="lane", request=request)
    group = ExceptionGroup("several", [late, BadStatus("no", status=404)])
    found = unpack_error(pack_error(HookError("failed", plugin="shop", hook="parse", request=request)))
    assert isinstance(found, HookError)
    assert (found.plugin, found.hook, found.request, str(found)) == ("shop", "parse", request, "failed")
    several = unpack_error(pack_error(group))
    assert isinstance(several, ExceptionGroup)
    first, second = several.exceptions
    assert isinstance(first, WouldExceedDeadline)
    assert (first.retry_at, first.scope, first.request) == (9.5, "lane", request)
    assert isinstance(second, BadStatus)
    assert (second.status, second.reason) == (404, "status_404")


def test_notes_and_contexts_are_kept() -> None:
    def fail_twice() -> None:
        try:
            fail()
        finally:
            raise KeyError("second")

    error = raised_by(fail_twice)
    error.add_note("a note")
    found = unpack_error(pack_error(error))
    assert isinstance(found.__context__, ValueError)
    assert found.__notes__ == ["a note"]


def test_an_exception_that_cannot_be_pickled_keeps_its_name_and_text() -> None:
    class Local(Exception):
        pass

    found = unpack_error(pack_error(raised_by(lambda: (_ for _ in ()).throw(Local("text")))))
    assert (type(found).__name__, str(found)) == ("Local", "text")


def test_an_exception_with_another_constructor_is_described() -> None:
    found = unpack_error(pack_error(Demanding(a=1, b=2)))
    assert (type(found).__name__, str(found)) == ("Demanding", "1 and 2")


class Demanding(Exception):
    """Takes other arguments than it keeps."""

    def __init__(self, *, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")
