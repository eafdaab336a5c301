"""Encode the query parameters and the body of a `Request`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import msgspec

from crawler.messages.checks import name_value_pairs, require_text, require_type, type_name

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


def encode_params(params: Any) -> str:
    """Return parameters as a URL-encoded query."""
    return _urlencoded("params", params, quote_plus)


def encode_body(body: bytes | str | None, json: Any, data: Any) -> tuple[bytes, str | None]:
    """Return the body and its media type. At most one of the three arguments is given."""
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


def _plain_value(value: Any) -> Any:
    from crawler.content.plain_values import plain_value  # noqa: PLC0415 - few bodies need it

    return plain_value(value)
