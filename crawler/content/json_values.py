"""`decode_json`: the value of a JSON text, without a collection of garbage while it grows."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec

from crawler.lazy_pattern import lazy_pattern

__all__ = ["LARGE", "TOKEN", "collector_paused", "decode_json", "stops_within"]

LARGE: Final = 256 * 1024
"""Size of a text from which the garbage collector is paused."""
SURROGATE: Final = lazy_pattern(r"\\u[dD][89a-fA-F]")
SURROGATE_IN_BYTES: Final = lazy_pattern(rb"\\u[dD][89a-fA-F]")
"""A half of a character beyond U+FFFF. Servers that cut texts send one without the other (RFC 8259 section 8.2)."""

TOKEN: Final = lazy_pattern(r'(?s)"(?:[^"\\]|\\.)*+(?P<closed>")?|[][{},]')
"""Tokens that decide where a JSON value ends: strings, brackets and commas."""


def decode_json(text: bytes | str) -> Any:
    """Return the value of a JSON text.

    The collector looks at all lists and dicts repeatedly while millions of them are made, although none is garbage: 32
    MB of ``[],`` take five seconds with it, and half a second without.

    A surrogate without its other half, which msgspec refuses, is kept, as browsers and `json` keep it.
    """
    if len(text) < LARGE:
        return _decode(text)
    with collector_paused():
        return _decode(text)


def _decode(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        found = SURROGATE_IN_BYTES.search(text) if isinstance(text, bytes) else SURROGATE.search(text)
        if found is None:
            raise
        import json  # noqa: PLC0415 - few texts need it

        with suppress(ValueError, msgspec.DecodeError):
            return json.loads(text, parse_constant=_refuse)
        raise


def _refuse(constant: str) -> None:
    """Refuse a constant that JSON does not have, such as ``NaN``."""
    raise msgspec.DecodeError(constant)


def stops_within(text: str) -> bool:
    """Return whether a text that is not JSON has an object, array or string that is not closed at its end.

    A text that ends with a bracket inside of a string lacks a quotation mark further up instead.
    """
    if not text.lstrip().startswith(("{", "[", '"')):
        return False
    depth = 0
    for token in TOKEN.finditer(text):
        sign = token[0]
        if sign.startswith('"') and not token["closed"]:
            return not text.rstrip().endswith(("}", "]"))
        depth += (sign in "[{") - (sign in "]}")
    return depth > 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, if it runs."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
