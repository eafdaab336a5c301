"""The controls of a form: the values that each submits, and the form that it belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import parse
from crawler.html.forms import Control, controls_of, forms_of


def controls(inside: str) -> list[Control]:
    document = parse(f"<form>{inside}</form>".encode(), "utf-8")
    return controls_of(document, forms_of(document)[0])


@each(
    ("markup", "kind", "values"),
    [
        ("<input name=a value=1>", "text", ("1",)),
        ("<input name=a type=CHECKBOX>", "checkbox", ()),
        ("<input name=a type=radio checked>", "radio", ("on",)),
        ("<input name=a type=unknown value=1>", "text", ("1",)),
        ("<input name=a type=file value=x>", "file", ()),
        ("<input name=a type=image>", "image", ()),
        ("<button name=a value=1>x</button>", "submit", ()),
        ("<button name=a type=button>x</button>", "button", ()),
        ("<textarea name=a>\nx\r\ny</textarea>", "textarea", ("x\ny",)),
        ("<select name=a><option>x  y<option value=z></select>", "select", ("x y",)),
        ("<select name=a multiple><option selected>x<option selected disabled>y</select>", "select", ("x",)),
        ("<select name=a><optgroup disabled><option>x</optgroup><option>y</select>", "select", ("y",)),
        ("<input name=a type=range min=10 max=20 value=99>", "range", ("20",)),
        ("<input name=a type=range>", "range", ("50",)),
        ("<input name=a type=range min=x max=0.5>", "range", ("0.25",)),
        ("<input name=a type=color value=red>", "color", ("#000000",)),
        ("<input name=a type=color value=#ABCDEF>", "color", ("#abcdef",)),
        ("<input name=a type=datetime-local value='2026-01-02 03:04'>", "datetime-local", ("2026-01-02T03:04",)),
        ("<input name=a type=number value=1e>", "number", ("",)),
        ("<input name=a type=email value=' a@b '>", "email", ("a@b",)),
    ],
)
def test_a_control_by_its_type(markup, kind, values):
    [control] = controls(markup)
    assert (control.name, control.kind, control.values) == ("a", kind, values)


def test_the_last_checked_radio_button_of_a_name_counts():
    found = controls(
        "<input type=radio name=a value=1 checked><input type=radio name=a value=2 checked><input type=radio checked>"
    )
    assert [control.values for control in found] == [(), ("2",), ("on",)]
    assert [control.value for control in found] == ["1", "2", "on"]


def test_a_button_has_an_action_of_its_own():
    [button] = controls("<button formaction=/x formmethod=post formenctype=text/plain name=b value=v>")
    assert (button.action, button.method, button.enctype, button.value) == ("/x", "post", "text/plain", "v")
    assert button.submits
    [plain] = controls("<input type=submit>")
    assert (plain.action, plain.method, plain.enctype, plain.name) == (None, None, None, "")


@pytest.mark.parametrize(
    ("markup", "enabled"),
    [
        ("<input disabled>", [False]),
        ("<fieldset disabled><input></fieldset><input>", [False, True]),
        ("<fieldset disabled><legend><input></legend><legend><input></legend></fieldset>", [True, False]),
        ("<fieldset disabled><legend><fieldset disabled><input></fieldset></legend></fieldset>", [False]),
        ("<fieldset><input></fieldset>", [True]),
    ],
)
def test_which_controls_are_disabled(markup, enabled):
    assert [control.enabled for control in controls(markup)] == enabled


def test_a_control_belongs_to_the_form_that_it_names_else_to_the_one_around_it():
    page = parse(
        b"<form id=f><input name=1><input name=2 form=g><input name=3 form=no></form><form id=g></form>"
        b"<input name=4 form=f><input name=5><form id=f><input name=6></form><template><form id=t></form></template>",
        "utf-8",
    )
    first, second, third = forms_of(page)
    assert [control.name for control in controls_of(page, first)] == ["1", "4"]
    assert [control.name for control in controls_of(page, second)] == ["2"]
    assert [control.name for control in controls_of(page, third)] == ["6"]


def test_a_form_between_the_cells_of_a_table_owns_the_following_controls_of_the_table():
    page = parse(
        b"<table><form id=a><tr><td><input name=1></td></tr></form><form id=b><tr><td><input name=2></td></tr></form>"
        b"</table><input name=3>",
        "utf-8",
    )
    first, second = forms_of(page)
    assert [control.name for control in controls_of(page, first)] == ["1"]
    assert [control.name for control in controls_of(page, second)] == ["2"]


def test_a_form_between_the_cells_of_a_table_owns_the_controls_of_inner_tables():
    inner = b"<table><tr><td>" * 600 + b"<input name=1></table><input name=2>" + b"</table>" * 599
    outer = b"<table><tr><td><table><form><tr><td>%b</table></table><table><tr><td><input name=3></table>"
    page = parse(outer % inner, "utf-8")
    [form] = forms_of(page)
    assert [control.name for control in controls_of(page, form)] == ["1", "2"]


@pytest.mark.parametrize(
    ("around", "direction"),
    [("", "ltr"), ("<p dir=RTL>", "rtl"), ("<p dir=rtl><i dir=ltr>", "ltr"), ("<p dir=auto>", "ltr")],
)
def test_the_direction_of_a_text(around, direction):
    [control] = controls(f"{around}<input name=a dirname=d>")
    assert (control.dirname, control.direction) == ("d", direction)
    assert controls("<input type=number dirname=d>")[0].dirname is None


PARTS = st.sampled_from([
    "<form>", "</form>", "<fieldset disabled>", "</fieldset>", "<legend>", "</legend>", "<table>", "<tr>", "<td>",
    "</table>", "<input name=a>", "<input type=range min=9 max=1 value=x>", "<select name=s size=9>", "<option>",
    "<optgroup disabled>", "</select>", "<textarea>", "</textarea>", "<button form=f>", "<form id=f>", "<template>",
    "<input type=radio checked name=r>", "\ud800", "<datalist>", "</datalist>",
])  # fmt: skip


@given(st.lists(PARTS, max_size=20).map("".join))
def test_every_control_belongs_to_one_form_and_can_be_encoded(text):
    document = parse(text.encode("utf-8", "replace"), "utf-8")
    found = [control for form in forms_of(document) for control in controls_of(document, form)]
    assert len(found) <= len(document.select("input,select,textarea,button"))
    "".join(control.name + "".join(control.values) + control.value for control in found).encode()
