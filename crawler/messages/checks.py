"""Validation of the arguments of `Request`, and their conversion to a form that survives JSON."""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from json import dumps
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus, urlencode

import msgspec

from crawler.headers import Headers
from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import redact_field
from crawler.settings import proxies
from crawler.settings.headers import OPAQUE, TOKEN, VALUE, misfit, shown_name

Handler: TypeAlias = "str | Callable[..., Any] | None"
"""A method of the spider, or its name."""

COOKIE_NAME = lazy_pattern(r"[!-:<>-~]+")
COOKIE_VALUE = lazy_pattern(r"[ -:<-~]*")
CONTROLS = lazy_pattern(r"[\0-\x1f\x7f]")
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


def type_name(value: object) -> str:
    """Return the name of the type of `value`."""
    return type(value).__name__


def require_type(expected: type, name: str, value: Any) -> Any:
    """Return `value` if it is an instance of `expected`.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, expected):
        raise TypeError(f"{name} must be {expected.__name__}, not {type_name(value)}")
    return value


def require_text(name: str, value: Any) -> str:
    """Return `value` if it is a string that UTF-8 can encode.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type_name(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TypeError(f"{name} does not survive JSON: a lone surrogate at position {_surrogate(value)}") from None
    return value


def _surrogate(text: str) -> int:
    """Return the position, from 1, of the first character that UTF-8 cannot encode."""
    return next(place for place, character in enumerate(text, 1) if "\ud800" <= character <= "\udfff")


def require_int(name: str, value: Any, least: int = -(2**63)) -> int:
    """Return `value` if it is an integer of 64 bits, at least `least`.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is out of range.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be int, not {type_name(value)}")
    if not least <= value < 2**63:
        raise ValueError(f"{name} must be {f'at least {least}' if value < least else 'smaller'}, not {value}")
    return value


def require_positive(name: str, value: Any) -> float:
    """Return `value` if it is a finite number above 0.

    Raises:
        TypeError: It is not a number.
        ValueError: It is out of range.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {type_name(value)}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number above 0, not {value!r}")
    return value


def parse_method(method: Any) -> str:
    """Return an HTTP method in capitals.

    Raises:
        TypeError: The value is not text.
        ValueError: It is not a method (RFC 9110 section 9.1).
    """
    if not TOKEN.fullmatch(require_type(str, "method", method)):
        raise ValueError(f"method is not an HTTP method: {method!r}")
    return str(method).upper()


def parse_auth(auth: Any) -> tuple[str, str] | str:
    """Return a user and a password for HTTP Basic authentication, or a scheme and credentials in one string.

    Raises:
        TypeError: The value is neither.
        ValueError: HTTP cannot carry it (RFC 7617 section 2, RFC 9110 section 11.4).
    """
    if isinstance(auth, str):
        scheme, space, rest = auth.partition(" ")
        if not space or not TOKEN.fullmatch(scheme) or not VALUE.fullmatch(rest) or not rest.strip():
            raise ValueError("auth: a string must be a scheme and credentials, such as 'Bearer TOKEN' (RFC 9110)")
        return auth
    if not isinstance(auth, Sequence) or len(auth) != 2:
        hint = "; put it into Spider.auth" if hasattr(auth, "auth_flow") else ""  # an httpx.Auth
        raise TypeError(
            f"auth must be a user and a password, or text such as 'Bearer TOKEN', not {type_name(auth)}{hint}"
        )
    user, password = require_text("auth", auth[0]), require_text("auth", auth[1])
    if ":" in user or CONTROLS.search(user + password):
        raise ValueError("auth: the user must have no colon, and neither part control characters (RFC 7617)")
    return user, password


def userinfo_auth(pair: tuple[str, str] | None) -> tuple[str, str] | None:
    """Return the user and password of a URL; `None` if HTTP cannot carry them: a page may link to anything."""
    return pair if pair is not None and ":" not in pair[0] and not CONTROLS.search("".join(pair)) else None


def parse_proxy(proxy: Any) -> str:
    """Return the canonical URL of a proxy, or ``direct``.

    Raises:
        TypeError: The value is not text.
        ValueError: It is not the URL of a proxy.
    """
    if require_text("proxy", proxy) == proxies.DIRECT:
        return proxies.DIRECT
    try:
        return proxies.proxy_url(proxy)
    except ValueError as error:
        raise ValueError(f"proxy is {error}") from None


def parse_headers(headers: Any) -> Headers:
    """Return header fields that can be sent. `None` is an empty value.

    A value has visible ASCII, spaces, tabs, and bytes that are not ASCII, each as one character (Latin-1).

    Raises:
        TypeError: The argument is neither a mapping nor pairs.
        ValueError: A name or a value is invalid (RFC 9110 section 5).
    """
    given = headers.pairs if isinstance(headers, Headers) else name_value_pairs("headers", headers)
    for name, value in given:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ValueError(f"headers: not a field name: {shown_name(name)}")
        if value is not None and (not isinstance(value, str) or not OPAQUE.fullmatch(value)):
            raise ValueError(f"headers: not a valid value for {name}: {misfit(value, OPAQUE)}")
    return headers if isinstance(headers, Headers) else Headers([(name, value or "") for name, value in given])


def parse_cookies(cookies: Any) -> dict[str, str]:
    """Return cookies that a ``Cookie`` header field can carry.

    Raises:
        TypeError: The argument is not a mapping.
        ValueError: A name or a value is invalid.
    """
    for name, value in require_type(Mapping, "cookies", cookies).items():
        if not isinstance(name, str) or not COOKIE_NAME.fullmatch(name):
            raise ValueError(f"cookies: not a cookie name: {shown_name(name)}")
        if not isinstance(value, str) or not COOKIE_VALUE.fullmatch(value):
            raise ValueError(f"cookies: not a valid value for {name}: {misfit(value, COOKIE_VALUE)}")
    return dict(cookies)


def parse_quotas(quotas: Any) -> dict[str, float]:
    """Return costs by budget name.

    Raises:
        TypeError: A name is not text, or a cost not a number.
        ValueError: A cost is not above 0.
    """
    return {
        require_text("a name in quotas", name): require_positive(f"quotas[{name!r}]", cost)
        for name, cost in require_type(Mapping, "quotas", quotas).items()
    }


def parse_statuses(statuses: Any) -> tuple[int, ...]:
    """Return HTTP status codes.

    Raises:
        TypeError: The argument is not an iterable of integers.
        ValueError: A number is not a status code.
    """
    if not isinstance(statuses, Iterable):
        raise TypeError(f"accept_status must be an iterable of HTTP statuses, not {type_name(statuses)}")
    found = tuple(statuses)
    for status in found:
        if not 100 <= require_int("a status in accept_status", status) <= 999:
            raise ValueError(f"accept_status: not an HTTP status: {status}")
    return found


def name_value_pairs(name: str, fields: Any) -> list[tuple[Any, Any]]:
    """Return the names and values of a mapping, or of an iterable of pairs.

    Raises:
        TypeError: The argument is neither.
    """
    given = fields.items() if isinstance(fields, Mapping) else fields
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a mapping or pairs, not {type_name(fields)}")
    found = list(given)
    for pair in found:
        if isinstance(pair, (str, bytes)) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"{name} must be a mapping or pairs: {type_name(pair)} is not a pair")
    return [(key, value) for key, value in found]


def encode_params(params: Any) -> str:
    """Return parameters as a URL-encoded query.

    Raises:
        TypeError: The argument is neither a mapping nor pairs, or a value is neither text nor a number.
    """
    return _urlencoded("params", params, quote_plus)


def encode_body(body: bytes | str | None, json: Any, data: Any) -> tuple[bytes, str | None]:
    """Return the body and its media type. At most one of the three arguments is given.

    Raises:
        TypeError: More than one is given, or the value cannot be encoded.
    """
    if (body is not None) + (json is not None) + (data is not None) > 1:
        raise TypeError("give only one of body, json and data")
    if json is not None:
        try:
            return msgspec.json.encode(json, enc_hook=_plain_value), JSON_TYPE
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise TypeError(f"json cannot be encoded: {error}") from None
    if data is not None:
        return _urlencoded("data", data, quote_form).encode(), FORM_TYPE
    if body is None:
        return b"", None
    return (require_text("body", body).encode() if isinstance(body, str) else require_type(bytes, "body", body)), None


def _urlencoded(name: str, fields: Any, quote_via: Callable[..., str]) -> str:
    """Return a URL-encoded query or form. A list repeats its name, and `None` is an empty value."""
    flat: list[tuple[str, str | bytes]] = []
    for key, value in name_value_pairs(name, fields):
        for part in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(part, bool):
                part = "true" if part else "false"
            elif isinstance(part, (int, float)) or part is None:
                part = "" if part is None else str(part)
            elif not isinstance(part, (str, bytes)):
                raise TypeError(f"{name}[{key!r}] must be text or a number, not {type_name(part)}")
            flat.append(
                (require_text(f"a name in {name}", key), part if isinstance(part, bytes) else require_text(name, part))
            )
    return urlencode(flat, quote_via=quote_via)


def quote_form(text: Any, _safe: Any, encoding: Any, errors: Any) -> str:
    """Percent-encode for forms, with spaces as plus signs (URL Standard, "urlencoded serializing")."""
    return quote(text, "*-._ ", encoding, errors).replace("~", "%7E").replace(" ", "+")


def json_dict(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `value` as a dict if it survives a round trip through JSON unchanged.

    Raises:
        TypeError: It is not a mapping, or one of its values does not survive JSON.
    """
    if value is None:
        return {}
    for key, part in require_type(Mapping, name, value).items():
        require_text(f"a name in {name}", key)
        if not survives_json(_plain_text(part)):
            shown = redact_field(key, repr(part))
            raise TypeError(f"{name}[{key!r}] does not survive JSON: {shown} ({type_name(part)})")
    return {key: _plain_text(part) for key, part in value.items()}


def _plain_text(value: Any) -> Any:
    """Return text of a subclass of `str`, such as Beautiful Soup and lxml return, as `str`. Members of an enum stay."""
    if isinstance(value, str) and type(value) is not str and not hasattr(value, "_value_"):
        return str.__str__(value)
    return value


def _plain_value(value: Any) -> Any:
    from crawler.content.plain_values import plain_value  # noqa: PLC0415 - few bodies need it

    return plain_value(value)


def is_json(value: Any) -> bool:
    """Return whether `value` can be written as JSON, whether or not reading returns the same value."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def survives_json(value: Any) -> bool:
    """Return whether `value` survives a round trip through JSON unchanged."""
    try:
        return _same(msgspec.json.decode(msgspec.json.encode(value)), value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and have equal types at every level."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def handler_name(name: str, handler: Handler, cb_kwargs: Mapping[str, Any] | None) -> str | None:
    """Return the name of a method, after a check of its signature.

    Raises:
        TypeError: The value is not a method of a spider or its name, or the method does not take `cb_kwargs`.
    """
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

    Raises:
        TypeError: A value does not survive JSON.
    """
    hints = parameter_hints(callback.__func__) if inspect.ismethod(callback) else None
    values: dict[str, Any] = {}
    for name, value in require_type(Mapping, "cb_kwargs", cb_kwargs).items():
        require_text("a name in cb_kwargs", name)
        try:
            values[name] = _encoded(_plain_text(value), None if hints is None else hints.get(name, Any))
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
    if not _same(stored, value) and (hint is Any or back != value):
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
