"""The context of a control: the same as by a search of its ancestors."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from turbohtml import Element

from crawler.html.form_context import FormContexts
from crawler.html.tree import parse_text

PIECES = st.sampled_from([
    "<form>", "</form>", "<div dir=RTL>", "<div dir=ltr>", "<div dir=auto>", "</div>", "<template>", "</template>",
    "<template shadowrootmode=open>", "<datalist>", "</datalist>", "<table>", "<tr>", "</table>", "<input>", "<p>",
    "<fieldset disabled>", "<fieldset>", "</fieldset>", "<legend>", "</legend>", "<input disabled>",
])  # fmt: skip


def is_disabled(element: Element) -> bool:
    """Follow the HTML Standard: a disabled fieldset disables what is not inside of its first legend."""
    fieldset = element.closest("fieldset[disabled]")  # also from inside a template, whose content has no parent element
    while fieldset is not None:
        legend = next((one for one in fieldset.children if isinstance(one, Element) and one.tag == "legend"), None)
        if legend is None or (element != legend and legend not in list(element.ancestors)):
            return True
        outer = [one for one in fieldset.ancestors if isinstance(one, Element) and one.tag == "fieldset"]
        fieldset = next((one for one in outer if one.attr("disabled") is not None), None)
    return False


@given(st.lists(PIECES, max_size=30).map("".join))
@example("<fieldset disabled><template shadowrootmode=open><input>")
def test_a_context_follows_from_the_ancestors(text: str) -> None:
    document = parse_text(text)
    contexts = FormContexts(document)
    for element in document.select("input"):
        context = contexts.of(element)
        turned = element.closest('[dir="ltr" i],[dir="rtl" i]')
        assert context.form == element.closest("form")
        assert context.table == element.closest("table")
        assert context.is_inert == (element.closest("template:not([shadowrootmode])") is not None)
        assert context.in_datalist == (element.closest("datalist") is not None)
        assert context.direction == ((turned.attr("dir") or "").lower() if turned is not None else "ltr")
        if not context.is_inert:
            assert context.is_disabled == is_disabled(element)
