"""Functions that seem to be of any module, so that a stack looks like that of a crawl."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

Function = Callable[..., Awaitable[None]]


def compiled(module: str, name: str, body: str, define: str = "async def") -> Function:
    """Return a function of a module."""
    namespace: dict[str, Any] = {"__name__": module, "trio": trio}
    exec(compile(f"{define} {name}(call=None, *_, **__):\n    {body}", f"{name}.py", "exec"), namespace)
    function: Function = namespace[name]
    return function
