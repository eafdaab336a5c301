"""Places in a value of JSON: dotted paths, and JMESPath expressions where those do not suffice."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

__all__ = ["compile_path", "get_path", "parse_keys"]

KEY: Final = r'(?:[\w@$:-]+|"[^"]+")'
DOTTED: Final = re.compile(rf"{KEY}(?:\.{KEY}|\[\d+\])*")
PART: Final = re.compile(r'"([^"]+)"|\[(\d+)\]|([\w@$:-]+)')


@lru_cache(maxsize=256)
def compile_path(path: str) -> Callable[[Any], Any]:
    """A function that gives what stands at a place of a value of JSON, `None` where nothing does.

    Parameters:
        path: keys with dots between them (``data.items``, ``pages[0].next``, ``"@odata.nextLink"``); a number is
            a place in a list. Anything else is a JMESPath expression, for which the extra ``jmespath`` has to be
            installed. Empty: the value itself.

    Raises:
        ValueError: it is neither, or jmespath is not installed.
    """
    keys = parse_keys(path)
    if keys is not None:
        return lambda value: get_path(value, keys)
    try:
        jmespath = importlib.import_module("jmespath")
    except ImportError:
        raise ValueError(f"{path!r} is no dotted path, and for others jmespath is to be installed") from None
    try:
        expression = jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"{path!r} is no JMESPath expression: {' '.join(str(error).split())}") from None

    def search(value: Any) -> Any:
        try:
            return expression.search(value)
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(f"{path!r}: {' '.join(str(error).split())}") from None

    return search


def parse_keys(path: str) -> tuple[str, ...] | None:
    """The keys of a dotted path; `None`: it is none."""
    if not path:
        return ()
    if not DOTTED.fullmatch(path):
        return None
    return tuple(quoted or index or plain for quoted, index, plain in PART.findall(path))


def get_path(value: Any, keys: Sequence[str]) -> Any:
    """What stands at the end of some keys, `None` where nothing does; a number is a place in a list."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal():
            value = value[int(key)] if len(key) < 10 and int(key) < len(value) else None
        else:
            return None
    return value
