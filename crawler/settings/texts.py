"""Values from a command line or the environment, where everything is text."""

from __future__ import annotations

import re
from typing import Final

from crawler.suggest import either

__all__ = ["WORDS", "is_utf8", "plain", "requirement"]

WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Words for a boolean, in addition to those that msgspec reads."""

TYPES: Final = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "bytes": "bytes",
    "null": "none", "array": "a list", "object": "a mapping of names to values",
}  # fmt: skip
"""What msgspec calls the types of JSON, in words."""
BOUNDS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
EXPECTED: Final = re.compile(
    r"Expected `(?P<types>[^`]*)`(?P<length> of length)?(?: (?P<bound>[<>]=?) (?P<number>\S+?))?(?:,.*| - at .*)?"
)


def requirement(error: Exception, shown: str = "", unit: str = "") -> str:
    """Return what a value must be, by an error of msgspec: ``must be a number of seconds or none, not 'soon'``."""
    found = EXPECTED.fullmatch(str(error))
    if found is None:
        return plain(error) + (f", got {shown}" if shown else "")
    kinds = dict.fromkeys(TYPES.get(kind, kind) for kind in found["types"].split(" | "))
    named = [f"{kind} of {unit}" if unit and kind.endswith("number") else kind for kind in kinds]
    required = either(choice for kind in named for choice in kind.split(" or "))
    if found["bound"]:
        bound = f"{BOUNDS[found['bound']]} {float(found['number']):.15g}"
        required += f" of {bound} character" if found["length"] else f", {bound}"
    verb = "must contain only" if " - at " in found[0] else "must be"
    return f"{verb} {required}" + (f", not {shown}" if shown else "")


def is_utf8(text: str) -> bool:
    """Return whether a text was UTF-8 on the command line: Python keeps other bytes as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain(error: Exception) -> str:
    """Return the message of a msgspec error, without its backticks and its capital letter."""
    text = (
        str(error).replace("`", "").removesuffix(", got str").replace("Input data was truncated", "JSON ends too early")
    )
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
