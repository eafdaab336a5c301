"""The examples in the docstrings of the test kit run."""

from __future__ import annotations

import inspect
import re
import textwrap

import httpx
import pytest

from crawler import Spider, crawl, testing


class Headlines(Spider):
    """The spider of the examples."""

    def parse(self, response):
        for text in response.css("h1::text").getall():
            yield {"text": text}
        yield from response.follow_all("a")


class FollowEverything(Spider):
    def parse(self, response):
        return response.follow_all()


NAMES = {
    "Headlines": Headlines,
    "FollowEverything": FollowEverything,
    "crawl": crawl,
    "httpx": httpx,
    **{name: getattr(testing, name) for name in testing.__all__},
}


def examples(documented: object) -> list[str]:
    """Return the blocks after ``::`` in a docstring."""
    doc = (inspect.getdoc(documented) or "") + "\n"
    return [textwrap.dedent(block) for block in re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", doc)]


@pytest.mark.parametrize("name", ["FakeSite", "Wire", "collect", "callback_results"])
async def test_an_example_runs(name, autojump_clock, nursery):
    [example] = examples(getattr(testing, name))
    assert "assert " in example
    code = f"async def example(nursery):\n{textwrap.indent(example, '    ')}"
    names = dict(NAMES)
    exec(code, names)
    await names["example"](nursery)


def test_everything_that_needs_an_example_has_one():
    with_example = {name for name in testing.__all__ if examples(getattr(testing, name))}
    assert with_example == {"FakeSite", "Wire", "collect", "callback_results"}
