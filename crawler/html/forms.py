"""The forms of a page: which controls belong to each, and the values they would submit (HTML Standard, "Forms").

Inputs, selects, text areas and buttons are read. Controls submit nothing if they are disabled, themselves or by a
``<fieldset>``, or are inside a ``<datalist>`` or ``<template>``.
"""

from __future__ import annotations

import math
import re
from typing import Final, overload

import attrs
from turbohtml import Document, Element, Namespace

from crawler.content.encoding import replace_surrogates
from crawler.html.form_context import FormContext, FormContexts
from crawler.html.live import select_live

__all__ = ["Control", "controls_of", "forms_of"]

CONTROLS: Final = ("button", "input", "select", "textarea")
BUTTONS: Final = frozenset({"submit", "image"})
IN_TABLES: Final = frozenset({"table", "tbody", "thead", "tfoot", "tr"})
"""Parents inside which a parser leaves a ``<form>`` empty and associates the controls that follow with it."""
ONE_LINE: Final = frozenset({"text", "search", "tel", "password", "url", "email"})
"""Input types whose value has no line breaks."""
INPUTS: Final = ONE_LINE | {
    "hidden", "date", "month", "week", "time", "datetime-local", "number", "range", "color", "checkbox", "radio",
    "file", "submit", "image", "reset", "button",
}  # fmt: skip
WITH_DIRECTION: Final = ONE_LINE | {"hidden", "submit", "textarea"}
"""Controls that submit a ``dirname``."""
VALUE_PATTERNS: Final = {
    "date": re.compile(r"[0-9]{4,}-[0-9]{2}-[0-9]{2}"),
    "month": re.compile(r"[0-9]{4,}-[0-9]{2}"),
    "week": re.compile(r"[0-9]{4,}-W[0-9]{2}"),
    "time": re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?"),
    "datetime-local": re.compile(r"[0-9]{4,}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?"),
    "number": re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
    "range": re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
    "color": re.compile(r"#[0-9a-fA-F]{6}"),
}
"""Valid values by input type; others are dropped (HTML Standard, "value sanitization algorithm")."""
SPACE: Final = "\t\n\f\r "


@attrs.frozen(kw_only=True)
class Control:
    """One control of a form, as it is on the page."""

    name: str
    """Name of the control; empty if it has none."""
    kind: str
    """Type of an input or button (``text``, ``checkbox``, ``submit``, …), or ``select`` or ``textarea``."""
    values: tuple[str, ...]
    """Values that the control submits; empty if it is unchecked or nothing is selected."""
    value: str = ""
    """Value that a checkbox or radio button submits when checked, and a button when pressed."""
    enabled: bool = True
    """Whether the control is enabled."""
    required: bool = False
    """Whether the form may not be sent without a value of the control."""
    dirname: str | None = None
    """Name under which the text direction is submitted; `None` if it is not."""
    direction: str = "ltr"
    """Text direction: ``ltr`` or ``rtl``."""
    action: str | None = None
    """A button's ``formaction``, as written; `None` if it has none."""
    method: str | None = None
    """A button's ``formmethod``; `None` if it has none."""
    enctype: str | None = None
    """A button's ``formenctype``; `None` if it has none."""

    @property
    def submits(self) -> bool:
        """Whether the control is a submit button."""
        return self.kind in BUTTONS


def forms_of(document: Document) -> list[Element]:
    """Return the forms of a page, in document order."""
    return [element for element in select_live(document, "form") if element.namespace is Namespace.HTML]


def controls_of(document: Document, form: Element) -> list[Control]:
    """Return the controls of a form in document order, wherever they are in the page."""
    contexts = FormContexts(document)
    owners = _FormOwners(document, contexts)
    controls = []
    for element in document.select(",".join(CONTROLS)):
        context = contexts.of(element)
        is_live = element.namespace is Namespace.HTML and not context.is_inert and not context.in_datalist
        if is_live and owners.of(element) == form:
            controls.append(_control(element, context))
    # Among radio buttons of one name, the last checked one stays checked.
    checked = {
        control.name: place for place, control in enumerate(controls) if control.kind == "radio" and control.values
    }
    return [
        attrs.evolve(control, values=())
        if control.kind == "radio" and control.name and checked.get(control.name, place) != place
        else control
        for place, control in enumerate(controls)
    ]


class _FormOwners:
    """The form that each control belongs to (HTML Standard, "form owner")."""

    def __init__(self, document: Document, contexts: FormContexts) -> None:
        self._document = document
        self._contexts = contexts
        self._ids: dict[str, Element] | None = None
        self._by_table: dict[Element, Element] = {}
        if document.select_one("table form") is not None:
            self._assign_table_controls()

    def of(self, control: Element) -> Element | None:
        """Return the form of a control; `None` if it has none."""
        named = control.attr("form")
        if named is not None:
            found = self._by_id(named)
            return found if found is not None and found.tag == "form" else None
        return self._contexts.of(control).form or self._by_table.get(control)

    def _by_id(self, name: str) -> Element | None:
        if self._ids is None:
            self._ids = {}
            for element in select_live(self._document, "[id]", "template"):
                if element.tag != "template":
                    self._ids.setdefault(element.attr("id") or "", element)
        return self._ids.get(name) if name else None

    def _assign_table_controls(self) -> None:
        """Assign controls to forms that begin between the cells of a table, which parsers leave empty.

        A browser's parser knows where such a form ends; the tree does not show it. It is taken to end at the next form.
        """
        form: Element | None = None
        area: _TableArea | None = None
        for element in self._document.select(",".join(("form", *CONTROLS))):
            if element.tag == "form":
                form, area = element, self._area_of(element)
            elif form is not None and area is not None and area.contains(element):
                self._by_table[element] = form
            else:
                area = None  # the table has ended

    def _area_of(self, form: Element) -> _TableArea | None:
        """Return the table of an empty form between its cells; `None` for other forms."""
        parent, table = form.parent, self._contexts.of(form).table
        if table is None or not (isinstance(parent, Element) and parent.tag in IN_TABLES):
            return None
        if any(isinstance(child, Element) for child in form.children):
            return None
        return _TableArea(table, self._contexts)


class _TableArea:
    """The elements of one table, asked in document order: each table in it is visited once."""

    def __init__(self, table: Element, contexts: FormContexts) -> None:
        self._contexts = contexts
        self._depth = contexts.of(table).table_depth
        self._tables = {table}  # and those found in it

    def contains(self, element: Element) -> bool:
        """Return whether an element is in the table."""
        between: list[Element] = []
        context = self._contexts.of(element)
        while (table := context.table) is not None and table not in self._tables:
            if context.table_depth <= self._depth or table.parent is None:
                return False
            between.append(table)
            context = self._contexts.of(table.parent)
        self._tables.update(between)
        return table is not None


def _control(element: Element, context: FormContext) -> Control:
    enabled = element.attr("disabled") is None and not context.is_disabled
    name = replace_surrogates(element.attr("name") or "")
    if element.tag == "select":
        required = element.attr("required") is not None
        return Control(name=name, kind="select", values=_chosen(element), enabled=enabled, required=required)
    kind = _attribute(element, "type").lower()
    if element.tag == "textarea":
        kind, value = "textarea", replace_surrogates(element.text).replace("\r\n", "\n").replace("\r", "\n")
    elif element.tag == "button":
        kind, value = (kind if kind in ("reset", "button") else "submit"), _attribute(element, "value")
    else:
        kind = kind if kind in INPUTS else "text"
        value = _sanitized(element, kind)
    if kind in ("checkbox", "radio"):
        value = _attribute(element, "value") if element.attr("value") is not None else "on"
        values = (value,) if element.attr("checked") is not None else ()
    else:
        values = () if kind in ("submit", "image", "reset", "button", "file") else (value,)
    return Control(
        name=name,
        kind=kind,
        values=values,
        value=value,
        enabled=enabled,
        required=element.attr("required") is not None,
        dirname=(_attribute(element, "dirname") or None) if kind in WITH_DIRECTION else None,
        direction=context.direction if kind in WITH_DIRECTION else "ltr",
        action=_optional_attribute(element, "formaction"),
        method=_optional_attribute(element, "formmethod"),
        enctype=_optional_attribute(element, "formenctype"),
    )


def _attribute(element: Element, name: str) -> str:
    return replace_surrogates(element.attr(name) or "")


def _optional_attribute(element: Element, name: str) -> str | None:
    return None if element.attr(name) is None else _attribute(element, name)


def _chosen(select: Element) -> tuple[str, ...]:
    """Return the values of the selected options that can be submitted ("selectedness setting algorithm")."""
    options = select.select("option")
    chosen = [option for option in options if option.attr("selected") is not None]
    if select.attr("multiple") is None:
        size = _attribute(select, "size").strip(SPACE)
        several = size.isascii() and size.isdigit() and int(size) > 1
        if not chosen and not several:
            chosen = [option for option in options if not _is_disabled(option)][:1]
        chosen = chosen[-1:]
    return tuple(_option_value(option) for option in chosen if not _is_disabled(option))


def _is_disabled(option: Element) -> bool:
    group = option.parent
    barred = isinstance(group, Element) and group.tag == "optgroup" and group.attr("disabled") is not None
    return barred or option.attr("disabled") is not None


def _option_value(option: Element) -> str:
    value = option.attr("value")
    return " ".join(replace_surrogates(option.text).split()) if value is None else replace_surrogates(value)


def _sanitized(element: Element, kind: str) -> str:
    """Return the value of an input as its type allows it ("value sanitization algorithm")."""
    value = _attribute(element, "value")
    if kind in ONE_LINE:
        value = value.replace("\n", "").replace("\r", "")
        return value.strip(SPACE) if kind in ("url", "email") else value
    shape = VALUE_PATTERNS.get(kind)
    if shape is None:
        return value
    if kind == "range":
        return _sanitized_range(element, value)
    if shape.fullmatch(value):
        return value.lower() if kind == "color" else value.replace(" ", "T")
    return "#000000" if kind == "color" else ""


def _sanitized_range(element: Element, value: str) -> str:
    """Return a number between ``min`` and ``max``; the middle if the value is not a number."""
    least, most = _number(_attribute(element, "min"), 0.0), _number(_attribute(element, "max"), 100.0)
    given = _number(value, None)
    if given is not None and least <= given <= max(least, most):
        return value
    middle = least + (max(least, most) - least) / 2
    number = middle if given is None else min(max(given, least), max(least, most))
    return str(int(number)) if number == int(number) else str(number)


@overload
def _number(text: str, default: float) -> float: ...
@overload
def _number(text: str, default: None) -> float | None: ...
def _number(text: str, default: float | None) -> float | None:
    number = float(text) if VALUE_PATTERNS["number"].fullmatch(text) else math.inf
    return number if math.isfinite(number) else default
