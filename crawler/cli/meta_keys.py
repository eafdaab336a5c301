"""`misplaced_options`: keys of `meta` in a file that are options in another program, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from crawler.messages.checks import refuse_options

__all__ = ["misplaced_options"]


def misplaced_options(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line of each such key, and what to write instead."""
    for node in ast.walk(ast.parse(file.read_bytes(), file)):
        for line, key in _keys_set_by(node):
            try:
                refuse_options(key)
            except ValueError as error:
                yield line, str(error)


def _keys_set_by(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each key of `meta` that a node sets."""
    match node:
        case ast.Subscript(value=target, slice=ast.Constant(value=key), ctx=ast.Store()) if _is_meta(target):
            yield node.lineno, str(key)  # request.meta["proxy"] = …
        case ast.keyword(arg="meta", value=value):  # Request(url, meta=…)
            yield from _keys_of(value)
        case ast.Assign(targets=targets, value=value) if any(map(_is_meta, targets)):  # meta = …
            yield from _keys_of(value)
        case ast.AugAssign(target=target, value=value) if _is_meta(target):  # request.meta |= …
            yield from _keys_of(value)
        case ast.Call(func=ast.Attribute(value=target, attr="update")) if _is_meta(target):  # request.meta.update(…)
            yield from _keys_of(node)
        case _:
            pass


def _keys_of(value: ast.expr) -> Iterator[tuple[int, str]]:
    """Yield the keys of a mapping that is written out, also where others are added to it."""
    match value:
        case ast.Dict():
            for key, part in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield key.lineno, str(key.value)
                elif key is None:  # {**…}
                    yield from _keys_of(part)
        case ast.BinOp():
            yield from _keys_of(value.left)
            yield from _keys_of(value.right)
        case ast.Call():  # dict(…, proxy=…)
            yield from ((word.value.lineno, word.arg) for word in value.keywords if word.arg is not None)
            for argument in value.args:
                yield from _keys_of(argument)
        case _:
            pass


def _is_meta(node: ast.expr) -> bool:
    return "meta" in (getattr(node, "id", ""), getattr(node, "attr", ""))
