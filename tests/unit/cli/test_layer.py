"""What one source says of a crawl."""

from __future__ import annotations

import pytest

from crawler.cli.layer import Layer, as_text
from crawler.settings import Settings


def test_a_source_may_say_nothing() -> None:
    layer = Layer(source="environment")
    assert (layer.settings, layer.plugins, layer.arguments, layer.outputs, layer.job) == (Settings(), {}, {}, (), "")


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), ("", ""), (2, "2"), (True, "true"), (["x"], '["x"]'), ({"a": None}, '{"a":null}')]
)
def test_a_value_is_written_as_on_the_command_line(value: object, text: str) -> None:
    assert as_text(value) == text
