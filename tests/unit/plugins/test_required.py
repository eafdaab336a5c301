"""The plugin `required`."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest
from crawler_plugins.required import Required
from pydantic import BaseModel
from trio.testing import MockClock

from crawler import ConfigError, Response, Settings, Spider
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, collect


@attrs.frozen
class Book:
    title: str | None


class Model(BaseModel):
    title: str | None


class Books(Spider):
    start_urls = ["https://site.test/"]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> Iterator[object]:
        yield from ({"title": "a"}, {"title": ""}, {"title": None}, {}, {"title": 0}, {"title": []})
        yield from (Book("b"), Book(None), Model(title="c"), Model(title=None))


async def test_items_without_a_required_field_are_dropped_and_counted(autojump_clock: MockClock) -> None:
    found = await collect(Books(), FakeSite({"/": "x"}), plugins=[Required(("title",))])
    assert found.items == [{"title": "a"}, {"title": 0}, {"title": []}, Book("b"), Model(title="c")]
    assert found.report.dropped == {"without title": 5}


def test_required_is_installed_and_its_options_are_converted_from_text() -> None:
    made = construct(load_plugin("required"), {"fields": "title,price"}, what="plugin required")
    assert isinstance(made, Required)
    assert made.fields == ("title", "price")


@pytest.mark.parametrize("text", ["", ","])
def test_an_empty_list_of_fields_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="at least one field"):
        construct(Required, {"fields": text}, what="plugin required")
