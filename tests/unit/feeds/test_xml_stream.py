"""`XmlStream`: the same events however the text is cut, common errors repaired, hostile documents refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.feeds import xml_stream
from crawler.feeds.xml_stream import XmlStream


class Events:
    """Records events: ``<name a=1>``, ``</name>``, joined texts, and ``!`` for a broken entry."""

    def __init__(self, entry: str = "item") -> None:
        self.found: list[str] = []
        self.elements: list[str] = []
        self._entry = entry
        self.stream = XmlStream(self._start, self._end, self._text, lambda: self._add("!"))

    def _add(self, event: str) -> None:
        self.found.append(event)
        self.elements.append(event)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == self._entry:
            self.stream.entry_level = self.stream.depth - 1
        self._add(f"<{name}{''.join(f' {key}={value}' for key, value in attributes.items())}>")

    def _end(self, name: str) -> None:
        self._add(f"</{name}>")

    def _text(self, text: str) -> None:
        if self.found and self.found[-1] is not self.elements[-1]:
            self.found[-1] += text
        else:
            self.found.append(text)


def parse(text: str, size: int = 0) -> Events:
    """The events of a document that arrives in chunks of some size."""
    seen = Events()
    for start in range(0, len(text), size or len(text) or 1):
        seen.stream.feed(text[start : start + (size or len(text))])
    seen.stream.close()
    assert seen.stream.ended
    return seen


def events(text: str, size: int = 0) -> tuple[list[str], str | None]:
    """Events and fault of a document that arrives in chunks of some size."""
    seen = parse(text, size)
    return seen.found, seen.stream.fault


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a b='1'>x<c/>y</a>", ["<a b=1>", "x", "<c>", "</c>", "y", "</a>"]),
        ("\n noise <a>x</a>", ["<a>", "x", "</a>"]),
        ("a < b <?xml version='1.0'?><rss>x</rss>", ["<rss>", "x", "</rss>"]),
        ("<a>x & y &nbsp;&copy;&amp;&#65;</a>", ["<a>", "x & y \xa0©&A", "</a>"]),
        ("<a>x &unknown; 1 < 2</a>", ["<a>", "x &unknown; 1 < 2", "</a>"]),
        ("<a>x\0\x08&#0;&#xD800;</a>", ["<a>", "x\ufffd\ufffd", "</a>"]),
        ("<a><![CDATA[& <b>\x08]]></a>", ["<a>", "& <b>", "</a>"]),
        ("<a><!-- & < --><?x & <?>x</a>", ["<a>", "x", "</a>"]),
        ("<a>x</a> what follows & <b>", ["<a>", "x", "</a>"]),
    ],
)
def test_common_errors_are_repaired(text, expected):
    for size in (0, 1, 3):
        assert events(text, size) == (expected, None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "truncated XML"),
        ("no markup", "truncated XML"),
        ("<a><b>", "truncated XML"),
        ("<a><b></a>", "broken XML (mismatched tag, line 1)"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "XML with entity declarations"),
        ("<!DOCTYPE a [<!ATTLIST a b CDATA 'y'>]><a/>", "XML with attribute declarations"),
        ("<a>" * 200, "elements nested too deeply"),
    ],
)
def test_an_unreadable_document_has_a_fault(text, fault):
    for size in (0, 1, 7):
        assert events(text, size)[1] == fault


def test_a_broken_entry_costs_itself_only():
    text = "<r><item>1</item><item>2<b></item><item>3</item></r>"
    expected = ["<r>", "<item>", "1", "</item>", "<item>", "2", "<b>", "!", "<item>", "3", "</item>"]
    for size in (0, 1, 5):
        found, fault = events(text, size)
        assert found == [*expected, "</r>"][: len(found)]
        assert found[: len(expected)] == expected
        assert fault == "broken XML (mismatched tag, line 1)"


def test_before_the_first_entry_an_error_ends_the_document():
    assert events("<r><b></r><item>1</item>") == (["<r>", "<b>"], "broken XML (mismatched tag, line 1)")


def test_no_document_has_more_than_its_share_of_names_or_restarts(monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_NAMES", 10)
    assert events("<r>" + "".join(f"<a{n}/>" for n in range(20)) + "</r>", 16)[1] == "too many names"
    monkeypatch.setattr(xml_stream, "MAX_RESTARTS", 2)
    found, _ = events("<r>" + "<item></b>" * 9 + "</r>")
    assert found.count("!") == 2


def test_a_tag_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_TAG", 100)
    assert events("<r><a b='" + "x" * 500, 50)[1] == "an unclosed tag"


def test_after_a_stop_nothing_is_read():
    seen = Events()
    seen.stream.stop("enough")
    seen.stream.feed("<a/>")
    seen.stream.close()
    assert (seen.found, seen.stream.fault, seen.stream.depth) == ([], "enough", 0)


PARTS = st.sampled_from([
    "<r>", "</r>", "<item>", "</item>", "<a b='c'>", "</a>", "&", "&amp;", "&eacute;", "&#x1F600;", "&#", "<", ">", "x",
    "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE r>", "\0", "é", "\n", "<item", " c='d'",
])  # fmt: skip


@given(st.lists(PARTS, max_size=30).map("".join), st.integers(1, 9))
def test_the_cuts_between_chunks_make_no_difference(text, size):
    pieces, whole = parse(f"<rss>{text}", size), parse(f"<rss>{text}")
    assert pieces.stream.fault == whole.stream.fault
    assert pieces.elements == whole.elements
    if whole.stream.fault is None:  # or a text before the error may be lost
        assert pieces.found == whole.found
