"""Names of months."""

from __future__ import annotations

import pytest

from crawler.html.month_names import MONTHS, MONTHS_OF


def test_every_month_has_many_names_in_lower_case():
    assert set(MONTHS.values()) == set(range(1, 13))
    assert len(MONTHS) > 1000
    assert all(name == name.lower() and " " not in name for name in MONTHS)


@pytest.mark.parametrize(
    ("names", "month"),
    [
        ("january jan januar janvier enero gennaio января styczeń يناير", 1),
        ("december dez décembre декабря grudnia", 12),
    ],
)
def test_months_of_languages(names, month):
    assert {MONTHS[name] for name in names.split()} == {month}


def test_a_name_that_means_two_months_is_known_by_language():
    assert MONTHS["listopada"] == 11
    assert MONTHS_OF["hr"]["listopada"] == 10
