"""What a request's arguments must be, and how they are brought into a form that survives JSON."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from crawler.headers import Headers

Handler: TypeAlias = "str | Callable[..., Any] | None"
"""A method of the spider, or its name."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FORBIDDEN = re.compile(r"[\0\r\n]")
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


def kind(value: object) -> str:
    return type(value).__name__


def of(expected: type, name: str, value: Any) -> Any:
    if not isinstance(value, expected):
        raise TypeError(f"{name} must be {expected.__name__}, not {kind(value)}")
    return value


def above_zero(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not value > 0:
        raise TypeError(f"{name} must be a number above 0, not {value!r}")
    return value


def auth_pair(auth: tuple[str, str]) -> tuple[str, str]:
    user, password = auth
    return of(str, "auth", user), of(str, "auth", password)


def fields_of(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    fields = Headers(headers)
    for name, value in fields.pairs:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ValueError(f"headers: not a field name: {name!r}")
        if not isinstance(value, str) or FORBIDDEN.search(value):
            raise ValueError(f"headers: not a value for {name}: {value!r}")
    return fields


def content_of(body: bytes | str | None, json: Any, data: Any) -> tuple[bytes, str | None]:
    """The body that was given in one of three forms, and its media type."""
    if (body is not None) + (json is not None) + (data is not None) > 1:
        raise TypeError("give one of body, json and data, not several")
    if json is not None:
        try:
            return msgspec.json.encode(json), JSON_TYPE
        except (TypeError, ValueError) as error:
            raise TypeError(f"json cannot be encoded: {error}") from None
    if data is not None:
        fields = list(data.items() if isinstance(data, Mapping) else data)
        return urlencode(fields, doseq=True, quote_via=quote_form).encode(), FORM_TYPE
    if body is None:
        return b"", None
    return (body.encode() if isinstance(body, str) else of(bytes, "body", body)), None


def quote_form(text: str | bytes, safe: str | bytes, encoding: str | None, errors: str | None) -> str:
    """Percent-encoding of forms: a space is a plus sign (WHATWG URL, urlencoded serialising)."""
    return quote(text, "*-._ ", encoding, errors).replace("~", "%7E").replace(" ", "+")


def plain(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """`value` as a dict, if it survives a round trip through JSON unchanged."""
    if not value:
        return {}
    for key, part in of(Mapping, name, value).items():
        if not isinstance(key, str):
            raise TypeError(f"{name} must have str keys, not {key!r}")
        try:
            survives = _same(msgspec.json.decode(msgspec.json.encode(part)), part)
        except (TypeError, ValueError, OverflowError):
            survives = False
        if not survives:
            raise TypeError(f"{name}[{key!r}] does not survive JSON: {part!r} ({kind(part)})")
    return dict(value)


def _same(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def handler_name(name: str, handler: Handler, cb_kwargs: Mapping[str, Any] | None) -> str | None:
    """The name of a method, after a look at its signature."""
    if handler is None:
        return None
    if isinstance(handler, str):
        if not handler.isidentifier():
            raise TypeError(f"{name} is not the name of a method: {handler!r}")
        return handler
    if not inspect.ismethod(handler):
        raise TypeError(f"{name} must be a method of the spider or its name, not {handler!r}")
    wrong = _misfit(handler.__func__, tuple(sorted(cb_kwargs or ())))
    if wrong:
        raise TypeError(f"{name} {handler.__qualname__} cannot be called: {wrong}")
    return handler.__name__


@functools.lru_cache(maxsize=1024)
def _misfit(function: Callable[..., Any], keywords: tuple[str, ...]) -> str:
    """Why `function(self, response, **keywords)` would be refused, or nothing."""
    try:
        inspect.signature(function).bind(None, None, **dict.fromkeys(keywords))
    except TypeError as error:
        return str(error)
    return ""


def encoded(cb_kwargs: Mapping[str, Any], callback: Handler) -> dict[str, Any]:
    """`cb_kwargs` as JSON values; those that change on the way need an annotation that brings them back."""
    of(Mapping, "cb_kwargs", cb_kwargs)
    hints = annotations(callback.__func__) if inspect.ismethod(callback) else None
    values: dict[str, Any] = {}
    for name, value in cb_kwargs.items():
        try:
            plain_value = msgspec.to_builtins(value, str_keys=True)
            back = plain_value if hints is None or name not in hints else msgspec.convert(plain_value, hints[name])
        except (TypeError, ValueError) as error:
            raise TypeError(f"cb_kwargs[{name!r}] does not survive JSON: {error}") from None
        if hints is not None and not (type(back) is type(value) and back == value):
            raise TypeError(
                f"cb_kwargs[{name!r}] does not survive JSON: {value!r} comes back as {back!r}; annotate the parameter"
            )
        values[name] = plain_value
    return values


@functools.lru_cache(maxsize=1024)
def annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """The resolved annotations of a callback's parameters; none where they cannot be resolved."""
    try:
        hints = inspect.get_annotations(function, eval_str=True)
    except (NameError, TypeError, AttributeError):
        return {}
    return {name: hint for name, hint in hints.items() if name != "return" and hint is not Any}
