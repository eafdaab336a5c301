"""The setting `pacing`: fields in a mapping are a `Pace`; anything else is rejected by its glob."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError
from crawler.limits.pace import Pace
from crawler.settings import Settings


def test_a_mapping_of_fields_is_a_pace():
    assert Settings(pacing={"*.test": {"delay": 2.0}}).pacing == {"*.test": Pace(delay=2.0)}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "must be a mapping of globs to Pace, not 5"),
        ([1], "must be a mapping of globs to Pace, not [1]"),
        ({5: Pace()}, "a glob must be text, not 5"),
        ({"a": None}, "a: must be a Pace or a mapping of its fields, not None"),
        ({"a": 5}, "a: must be a Pace or a mapping of its fields, not 5"),
        ({"a": {"rat": "1/s"}}, "a: no such field: rat (did you mean rate?)"),
        ({"a": {"delay": -1}}, "a: delay must be 0 seconds or more, not -1"),
        ({"a": {"rate": "fast"}}, "a: not a rate: 'fast'"),
    ],
)
def test_an_invalid_pace_is_rejected_by_its_glob(value, words):
    with pytest.raises(ConfigError) as caught:
        Settings(pacing=value)
    assert str(caught.value).startswith(f"setting pacing: {words}")
