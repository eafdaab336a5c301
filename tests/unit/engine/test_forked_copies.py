"""A process that a handler has forked is ended, and the handler is described by its definition."""

from __future__ import annotations

import functools
from typing import Any

from crawler import Plugin
from crawler.engine.forked_copies import _describe


def handler(_: Any) -> None: ...


def test_a_handler_is_described_by_its_definition() -> None:
    class Shop:
        @functools.wraps(handler)
        def wrapped(self) -> None: ...

        def plain(self) -> None: ...

    assert _describe(Shop().wrapped) == f"handler ({__file__}:{handler.__code__.co_firstlineno})"
    line = Shop.plain.__code__.co_firstlineno
    assert _describe(Shop().plain).endswith(f"Shop.plain ({__file__}:{line})")
    assert _describe(print) == "print"


def test_a_hook_is_described_with_its_plugin() -> None:
    class Shop(Plugin):
        def parse(self, response: Any) -> None: ...

    assert _describe(Shop().parse).endswith(") of the plugin shop")
