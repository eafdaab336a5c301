"""`FormContexts`: how the ancestors of a control affect it, found in one visit to each of them.

A search of the ancestors of each control would take seconds for half a megabyte of nested elements.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
from turbohtml import Document, Element, Node

__all__ = ["FormContext", "FormContexts"]

DIRECTIONS: Final = frozenset({"ltr", "rtl"})


@attrs.frozen
class FormContext:
    """How an element and its ancestors affect the controls in it."""

    form: Element | None = None
    """The innermost ``<form>``; `None` if there is none."""
    table: Element | None = None
    """The innermost ``<table>``; `None` if there is none."""
    table_depth: int = 0
    """Number of tables around."""
    is_inert: bool = False
    """Whether it is in a ``<template>`` that is not a declarative shadow root."""
    in_datalist: bool = False
    """Whether it is in a ``<datalist>``."""
    is_disabled: bool = False
    """Whether a disabled ``<fieldset>`` disables it: it is inside, but not in the first ``<legend>``."""
    direction: str = "ltr"
    """Text direction: ``ltr`` or ``rtl``."""


NOTHING: Final = FormContext()


class FormContexts:
    """The contexts of the elements of one page."""

    def __init__(self, document: Document) -> None:
        self._known: dict[Node, FormContext] = {}
        self._legends: dict[Element, Element | None] = {}
        self._has_fieldsets = document.select_one("fieldset[disabled]") is not None

    def of(self, element: Node) -> FormContext:
        """Return the context of an element, or of a document or the content of a template."""
        path: list[Node] = []
        parent: Node | None = element
        while parent is not None and parent not in self._known:
            path.append(parent)
            parent = parent.parent  # of the content of a template, that is a fragment
        context = NOTHING if parent is None else self._known[parent]
        for child in reversed(path):
            context = self._known[child] = self._inside(context, parent, child)
            parent = child
        return context

    def _inside(self, context: FormContext, parent: Node | None, child: Node) -> FormContext:
        """Return the context of a child, from that of its parent."""
        if not isinstance(child, Element):
            return context
        changes: dict[str, Any] = {}
        tag = child.tag
        if tag == "form":
            changes["form"] = child
        elif tag == "table":
            changes["table"] = child
            changes["table_depth"] = context.table_depth + 1
        elif tag == "datalist":
            changes["in_datalist"] = True
        elif tag == "template" and child.attr("shadowrootmode") is None:
            changes["is_inert"] = True
        direction = (child.attr("dir") or "").lower()
        if direction in DIRECTIONS:
            changes["direction"] = direction
        if self._has_fieldsets and isinstance(parent, Element) and self._disables(parent, child):
            changes["is_disabled"] = True
        return attrs.evolve(context, **changes) if changes else context

    def _disables(self, parent: Element, child: Element) -> bool:
        if parent.tag != "fieldset" or parent.attr("disabled") is None:
            return False
        if parent not in self._legends:
            children = (one for one in parent.children if isinstance(one, Element) and one.tag == "legend")
            self._legends[parent] = next(children, None)
        return self._legends[parent] != child
