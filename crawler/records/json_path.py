"""Paths into JSON values: dotted paths, and JMESPath expressions."""

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
    """Return a function that returns the value at a path of a JSON value; `None` if there is none."""
    keys = parse_keys(path)
    if keys is not None:
        return lambda value: get_path(value, keys)
    try:
        jmespath = importlib.import_module("jmespath")
    except ImportError:
        raise ValueError(f"{path!r} is not a dotted path; for JMESPath: pip install 'trio-crawler[jmespath]'") from None
    try:
        expression = jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"{path!r} is not a JMESPath expression: {' '.join(str(error).split())}") from None

    def search(value: Any) -> Any:
        try:
            return expression.search(value)
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(f"{path!r}: {' '.join(str(error).split())}") from None

    return search


def parse_keys(path: str) -> tuple[str, ...] | None:
    """Return the keys of a dotted path; `None` if it is not one."""
    if not path:
        return ()
    if not DOTTED.fullmatch(path):
        return None
    return tuple(quoted or index or plain for quoted, index, plain in PART.findall(path))


def get_path(value: Any, keys: Sequence[str]) -> Any:
    """Return the value that some keys lead to; `None` if there is none. A number is an index of a list."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal():
            value = value[int(key)] if len(key) < 10 and int(key) < len(value) else None
        else:
            return None
    return value
