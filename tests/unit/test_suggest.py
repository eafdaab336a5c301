"""`did_you_mean`: the closest known name."""

from __future__ import annotations

from crawler.suggest import did_you_mean


def test_a_hint_can_be_given_a_form_and_a_distance():
    assert did_you_mean("presist", ["persist"], form="{}()") == " (did you mean persist()?)"
    assert did_you_mean("parse_item", ["parse"], cutoff=0.8) == ""
    assert did_you_mean("a", []) == ""


def test_the_closest_name_is_suggested_in_its_own_spelling():
    assert did_you_mean("WORKRES", ["workers", "delay"]) == " (did you mean workers?)"
    assert did_you_mean("timeout", ["Timeout"]) == " (did you mean Timeout?)"


def test_nothing_close_is_no_suggestion():
    assert did_you_mean("zebra", ["workers", "delay"]) == ""
    assert did_you_mean("zebra", []) == ""
