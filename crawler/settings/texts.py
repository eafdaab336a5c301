"""Values from a command line or the environment, where everything is text."""

from __future__ import annotations

__all__ = ["WORDS", "is_utf8", "plain"]

WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Words for a boolean, in addition to those that msgspec reads."""


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
