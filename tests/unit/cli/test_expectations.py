"""The expectations in the docstring of a callback."""

from __future__ import annotations

import pytest

from crawler import Spider
from crawler.cli.expectations import Expectation, Range, expectations_of, problems_of
from crawler.cli.one_callback import Outcome
from crawler.errors import ConfigError


def spider(doc):
    def parse(self, response):
        return None

    parse.__doc__ = doc
    return type("Books", (Spider,), {"parse": parse})()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("@return items 1", "no such expectation (did you mean returns?)"),
        ("@returns pages 1", "write items or requests"),
        ("@returns items x", "write items or requests"),
        ("@returns items 1 2 3", "write items or requests"),
        ("@returns items 5 1", "the maximum is below the minimum"),
        ("@cb_kwargs [1]", "not a JSON object"),
    ],
)
def test_a_line_that_cannot_be_understood_is_named(line, message):
    with pytest.raises(ConfigError) as caught:
        list(expectations_of(spider(f"List.\n\n@url http://a.test/\n{line}\n")))
    assert str(caught.value).startswith(f"parse: {line}: ")
    assert message in str(caught.value)


def test_an_expectation_needs_a_page():
    with pytest.raises(ConfigError, match="parse: its docstring has no @url"):
        list(expectations_of(spider("@returns items")))


def test_methods_without_such_lines_are_left_out():
    assert list(expectations_of(spider("Mail to a@b.test."))) == []


def test_docstrings_in_the_markup_of_other_tools_expect_nothing():
    assert list(expectations_of(spider("Parse.\n\n@param response: the page\n@return: items\n"))) == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", {1, 2, 99}), ("0", {0, 1, 99}), ("2 3", {2, 3})],
)
def test_ranges(text, numbers):
    [found] = expectations_of(spider(f"@url http://a.test/\n@returns items {text}"))
    assert {number for number in (0, 1, 2, 3, 99) if number in found.counts["items"]} >= numbers - {99}
    assert (99 in found.counts["items"]) is (99 in numbers)


def test_problems():
    expected = Expectation(callback="parse", url="http://a.test/", counts={"items": Range(2, 2)}, fields=("title",))
    assert list(problems_of(expected, Outcome(items=[{"title": "x"}, {"title": ""}]))) == [
        "field 'title' is missing or empty in 1 of 2 items"
    ]
    assert list(problems_of(expected, Outcome())) == ["0 items, expected 2", "no item, expected items with title"]
    assert str(Range(0, None)) == "0 or more"
    assert str(Range(1, 3)) == "1 to 3"
