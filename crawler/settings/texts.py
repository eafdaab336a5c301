"""Values from a command line or the environment, where everything is text."""

from __future__ import annotations

__all__ = ["WORDS", "is_utf8", "plain"]

WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""What people write for a truth value, beside what msgspec reads."""


def is_utf8(text: str) -> bool:
    """Whether the text of a command line or environment is UTF-8; Python keeps other bytes as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain(error: Exception) -> str:
    """msgspec's words as they stand, the first letter small where it begins a sentence."""
    text = (
        str(error).replace("`", "").removesuffix(", got str").replace("Input data was truncated", "JSON ends too early")
    )
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
