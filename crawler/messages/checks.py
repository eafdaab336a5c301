"""Validation of the arguments of `Request`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crawler.headers import Headers
from crawler.lazy_pattern import lazy_pattern
from crawler.other_names import OTHER_NAMES
from crawler.redaction import redact_field
from crawler.settings import proxies
from crawler.settings.headers import OPAQUE, TOKEN, VALUE, misfit, shown_name

COOKIE_NAME = lazy_pattern(r"[!-:<>-~]+")
COOKIE_VALUE = lazy_pattern(r"[ -:<-~]*")
CONTROLS = lazy_pattern(r"[\0-\x1f\x7f]")


def type_name(value: object) -> str:
    """Return the name of the type of `value`."""
    return type(value).__name__


def require_type(expected: type, name: str, value: Any) -> Any:
    """Return `value` if it is an instance of `expected`."""
    if not isinstance(value, expected):
        raise TypeError(f"{name} must be {expected.__name__}, not {type_name(value)}")
    return value


def require_text(name: str, value: Any) -> str:
    """Return `value` if it is a string that UTF-8 can encode."""
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
    """Return `value` if it is an integer of 64 bits, at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be int, not {type_name(value)}")
    if not least <= value < 2**63:
        raise ValueError(f"{name} must be {f'at least {least}' if value < least else 'smaller'}, not {value}")
    return value


def require_positive(name: str, value: Any) -> float:
    """Return `value` if it is a finite number above 0."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {type_name(value)}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number above 0, not {value!r}")
    return value


def parse_method(method: Any) -> str:
    """Return an HTTP method in capitals."""
    if not TOKEN.fullmatch(require_type(str, "method", method)):
        raise ValueError(f"method is not an HTTP method: {method!r}")
    return str(method).upper()


def parse_auth(auth: Any) -> tuple[str, str] | str:
    """Return a user and a password for HTTP Basic authentication, or a scheme and credentials in one string."""
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
    """Return the canonical URL of a proxy, or ``direct``."""
    if require_text("proxy", proxy) == proxies.DIRECT:
        return proxies.DIRECT
    try:
        return proxies.proxy_url(proxy)
    except ValueError as error:
        raise ValueError(f"proxy is {error}") from None


def parse_headers(headers: Any) -> Headers:
    """Return header fields that can be sent. `None` is an empty value.

    A value has visible ASCII, spaces, tabs, and bytes that are not ASCII, each as one character (Latin-1).
    """
    given = headers.pairs if isinstance(headers, Headers) else name_value_pairs("headers", headers)
    for name, value in given:
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            raise ValueError(f"headers: not a field name: {shown_name(name)}")
        if value is not None and (not isinstance(value, str) or not OPAQUE.fullmatch(value)):
            raise ValueError(f"headers: not a valid value for {name}: {misfit(value, OPAQUE)}")
    return headers if isinstance(headers, Headers) else Headers([(name, value or "") for name, value in given])


def parse_cookies(cookies: Any) -> dict[str, str]:
    """Return cookies that a ``Cookie`` header field can carry."""
    for name, value in require_type(Mapping, "cookies", cookies).items():
        if not isinstance(name, str) or not COOKIE_NAME.fullmatch(name):
            raise ValueError(f"cookies: not a cookie name: {shown_name(name)}")
        if not isinstance(value, str) or not COOKIE_VALUE.fullmatch(value):
            raise ValueError(f"cookies: not a valid value for {name}: {misfit(value, COOKIE_VALUE)}")
    return dict(cookies)


def parse_quotas(quotas: Any) -> dict[str, float]:
    """Return costs by budget name."""
    return {
        require_text("a name in quotas", name): require_positive(f"quotas[{name!r}]", cost)
        for name, cost in require_type(Mapping, "quotas", quotas).items()
    }


def parse_statuses(statuses: Any) -> tuple[int, ...]:
    """Return HTTP status codes."""
    if not isinstance(statuses, Iterable):
        raise TypeError(f"accept_status must be an iterable of HTTP statuses, not {type_name(statuses)}")
    found = tuple(statuses)
    for status in found:
        if not 100 <= require_int("a status in accept_status", status) <= 999:
            raise ValueError(f"accept_status: not an HTTP status: {status}")
    return found


def name_value_pairs(name: str, fields: Any) -> list[tuple[Any, Any]]:
    """Return the names and values of a mapping, or of an iterable of pairs."""
    given = fields.items() if isinstance(fields, Mapping) else fields
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a mapping or pairs, not {type_name(fields)}")
    found = list(given)
    for pair in found:
        if isinstance(pair, (str, bytes)) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"{name} must be a mapping or pairs: {type_name(pair)} is not a pair")
    return [(key, value) for key, value in found]


def json_dict(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `value` as a dict if it survives a round trip through JSON unchanged."""
    if value is None:
        return {}
    for key, part in require_type(Mapping, name, value).items():
        require_text(f"a name in {name}", key)
        if not survives_json(plain_text(part)):
            shown = redact_field(key, repr(part))
            raise TypeError(f"{name}[{key!r}] does not survive JSON: {shown} ({type_name(part)})")
    return {key: plain_text(part) for key, part in value.items()}


class Meta(dict[str, Any]):
    """The `meta` of a request. A key by which another program sets an option is refused: it would do nothing here."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        refuse_options(key)
        super().__setitem__(key, value)

    def update(self, *values: Any, **named: Any) -> None:
        """Add values, as `dict.update` does."""
        new = dict(*values, **named)
        refuse_options(*new)
        super().update(new)


def refuse_options(*keys: str) -> None:
    """Raise `ValueError` if a key of `meta` is an option in another program."""
    for key in keys:
        if meant := OTHER_NAMES["meta"].get(key):
            raise ValueError(f"meta[{key!r}] has no effect here: {meant} (a value of your own needs another name)")


def parse_meta(meta: Mapping[str, Any]) -> Meta:
    """Return the values of `meta`."""
    values = json_dict("meta", meta)
    refuse_options(*values)
    return Meta(values)


def plain_text(value: Any) -> Any:
    """Return text of a subclass of `str`, such as Beautiful Soup and lxml return, as `str`. Members of an enum stay."""
    if isinstance(value, str) and type(value) is not str and not hasattr(value, "_value_"):
        return str.__str__(value)
    return value


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
        return is_same(msgspec.json.decode(msgspec.json.encode(value)), value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and have equal types at every level."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
