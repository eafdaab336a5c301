"""Callbacks and errbacks of a `Request`: their names, signatures and arguments."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from json import dumps
from typing import Any, TypeAlias

import msgspec

from crawler.messages.checks import is_same, plain_text, require_text, require_type

Handler: TypeAlias = "str | Callable[..., Any] | None"
"""A method of the spider, or its name."""


def handler_name(name: str, handler: Handler, cb_kwargs: Mapping[str, Any] | None) -> str | None:
    """Return the name of a method, after a check of its signature."""
    if handler is None:
        return None
    if isinstance(handler, str):
        if not handler.isidentifier():
            raise TypeError(f"{name} is not the name of a method: {handler!r}")
        return handler
    if not isinstance(handler, types.MethodType):
        raise TypeError(f"{name} must be a method of the spider or its name, not {handler!r}")
    wrong = _misfit(handler.__func__, tuple(sorted(cb_kwargs)) if cb_kwargs else ())
    if wrong:
        argument = "failure" if name == "errback" else "response"
        parameters = ", ".join(("self", argument, *sorted(cb_kwargs or ())))
        expected = f"write def {handler.__name__}({parameters})"
        if wrong.startswith("missing a required argument"):
            expected = f"pass it in cb_kwargs, or {expected}"
        raise TypeError(f"{name} {handler.__qualname__} cannot be called: {wrong}; {expected}")
    return handler.__name__


@functools.lru_cache(maxsize=1024)
def _misfit(function: Callable[..., Any], keywords: tuple[str, ...]) -> str:
    """Return why ``function(self, response, **keywords)`` would be refused; empty if it would not."""
    try:
        inspect.signature(function).bind(None, None, **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return ""


def encode_cb_kwargs(cb_kwargs: Mapping[str, Any], callback: Handler) -> dict[str, Any]:
    """Return `cb_kwargs` as JSON values.

    Values that JSON changes need an annotation of the callback that converts them back.
    """
    hints = parameter_hints(callback.__func__) if inspect.ismethod(callback) else None
    values: dict[str, Any] = {}
    for name, value in require_type(Mapping, "cb_kwargs", cb_kwargs).items():
        require_text("a name in cb_kwargs", name)
        try:
            values[name] = _encoded(plain_text(value), None if hints is None else hints.get(name, Any))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TypeError(f"cb_kwargs[{name!r}] does not survive JSON: {error}") from None
    return values


def _encoded(value: Any, hint: Any) -> Any:
    """Return `value` as JSON represents it, after a check that `hint` converts it back.

    `None` as `hint` means that the annotation is unknown.
    """
    stored = msgspec.json.decode(msgspec.json.encode(value))
    if hint is None:
        dumps(msgspec.to_builtins(value, str_keys=True), allow_nan=False)
        return stored
    back = stored if hint is Any else msgspec.convert(stored, hint)
    if not is_same(stored, value) and (hint is Any or back != value):
        raise TypeError(f"{value!r} comes back as {back!r}; annotate the parameter")
    return stored


@functools.lru_cache(maxsize=1024)
def parameter_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the resolved annotations of a callback's parameters; empty if they cannot be resolved."""
    try:
        hints = inspect.get_annotations(function, eval_str=True)
    except (NameError, TypeError, AttributeError):
        return {}
    return {name: hint for name, hint in hints.items() if name != "return" and hint is not Any}
