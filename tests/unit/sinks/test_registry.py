"""The outputs by extension and scheme, built in and installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from crawler.errors import PluginError
from crawler.sinks import JsonLines, registry


@pytest.fixture
def points(monkeypatch):
    """Install outputs: name to ``module:Class``."""

    def install(outputs):
        found = {name: EntryPoint(name, value, registry.GROUP) for name, value in outputs.items()}
        monkeypatch.setattr(registry, "entry_points_of", lambda group: found)

    return install


def test_a_built_in_output_cannot_be_replaced(points):
    points({".jsonl": "crawler.sinks:Csv", ".lines": "crawler.sinks:JsonLines", "lines": "crawler.sinks:JsonLines"})
    assert registry.find_output(".jsonl") is registry.find_output(".lines") is JsonLines
    assert registry.output_names() == [".jsonl", ".json", ".csv", ".lines", "lines"]
    assert registry.find_output(".other") is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("crawler.sinks.none:Sink", "output .x cannot be imported: ModuleNotFoundError"),
        ("crawler.errors:ConfigError", "output .x is not a Plugin"),
        ("crawler:Spider", r"output .x: Spider has no persist\(\), so it cannot store items"),
    ],
)
def test_an_output_that_cannot_be_used_is_a_plugin_error(points, value, message):
    points({".x": value})
    with pytest.raises(PluginError, match=message):
        registry.find_output(".x")
