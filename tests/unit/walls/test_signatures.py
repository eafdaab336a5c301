"""The table of signatures."""

from __future__ import annotations

from crawler.walls.signatures import FIELDS, SIGNATURES, WIDGETS
from crawler.walls.suspicion import KINDS


def test_each_signature_has_marks_in_lower_case_a_known_kind_and_a_source() -> None:
    for kind, vendor, marks, source, max_text in SIGNATURES:
        assert kind in KINDS
        assert vendor
        assert source.startswith(("page of ", "page that ", "page with ", "template ", "style sheets of ")) or (
            any(sign in source for sign in ("/", ":", "#", "docs", "guide"))
        ), source
        assert marks
        assert all(mark == mark.lower() for mark in marks)
        assert max_text > 0
    assert all(mark == mark.lower() for mark in WIDGETS)
    assert all(name == name.lower() for name in FIELDS)


def test_no_signature_makes_another_one_superfluous() -> None:
    for one in SIGNATURES:
        for other in SIGNATURES:
            if one is not other and one.max_text >= other.max_text:
                assert not all(any(mark in longer for longer in other.marks) for mark in one.marks), (one, other)
