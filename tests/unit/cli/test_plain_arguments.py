"""Command lines that are read without cyclopts have the arguments that cyclopts would read."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from cyclopts import App
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.cli.commands import app_of
from crawler.cli.plain_arguments import FLAGS, REPEATABLE, VALUES, plain_arguments
from crawler.cli.run import command

USUAL = [
    ["spider.py"],
    ["spider.py", "-o", "-"],
    ["https://shop.example/"],
    ["spider.py:One", "other.py", "-o", "items.jsonl", "-o", "items.csv", "-s", "delay=1", "--quiet", "--job", "job"],
    ["-s", "workers=2", "-a", "key=", "-a", "text=[1] {", "--report", "report.json", "package.module", "--append"],
    ["spider.py", "--spider", "One", "--spider", "Two", "-p", "tidy", "-P", "tidy.depth=2", "--no-plugin", "cache"],
    ["", "--tolerate", "5%", "--override", "--overwrite", "--log-json", "--output", "", "--job", ""],
    ["quotes", "--scrapy", "a/project", "--log-level", "info"],
    *(["spider.py", "--log-level", level] for level in ("debug", "warning", "error", "critical")),
    ["a b", "--setting", "headers={'A': '--b'}", "--argument", "1", "--plugin", "m:C", "--plugin-option", "m.a=["],
]
NOT_PLAIN = [
    [],
    ["--quiet"],
    ["--help"],
    ["spider.py", "--help"],
    ["spider.py", "-o"],
    ["spider.py", "-ofile"],
    ["spider.py", "-o", "--quiet"],
    ["spider.py", "-s", "-"],
    ["spider.py", "--job=folder"],
    ["spider.py", "--job", "a", "--job", "b"],
    ["spider.py", "--quiet", "--quiet"],
    ["spider.py", "--ui="],
    ["spider.py", "--log-level", "loud"],
    ["spider.py", "--log-level", "INFO"],
    ["spider.py", "--log-level", "info", "--log-level", "info"],
    ["--", "spider.py"],
    ["-"],
]
NAMES = [*FLAGS, *VALUES, *REPEATABLE]
WORDS = st.sampled_from([*NAMES, "-", "--", "--ui", "-x", "a=b", "", "info", "[1", '["a", "b"]', "{}", "1"])


@pytest.fixture(scope="module")
def app() -> App:
    return app_of("run")


def bound(*targets: str, **options: Any) -> dict[str, Any]:
    return dict(inspect.signature(command).bind(*targets, **options).arguments)


def by_cyclopts(app: App, words: list[str]) -> dict[str, Any]:
    _, arguments, _ = app.parse_args(["run", *words], print_error=False, exit_on_error=False)
    return dict(arguments.arguments)


@pytest.mark.parametrize("words", USUAL, ids=" ".join)
def test_a_usual_command_line_is_read_as_cyclopts_reads_it(app: App, words: list[str]) -> None:
    plain = plain_arguments(words)
    assert plain is not None
    assert bound(*plain.targets, **plain.options) == by_cyclopts(app, words)


@each("words", NOT_PLAIN)
def test_any_other_command_line_is_left_to_cyclopts(words: list[str]) -> None:
    assert plain_arguments(words) is None


@given(words=st.lists(WORDS | st.text(max_size=5), max_size=8))
def test_random_words_are_left_to_cyclopts_or_read_as_it_reads_them(app: App, words: list[str]) -> None:
    plain = plain_arguments(words)
    if plain is not None:
        assert bound(*plain.targets, **plain.options) == by_cyclopts(app, words)


def test_each_name_is_an_option_of_the_command(app: App) -> None:
    by_name = {
        name: argument.field_info.name
        for argument in app["run"].assemble_argument_collection()
        for name in argument.parameter.name or ()
    }
    options = FLAGS | VALUES | REPEATABLE
    assert options == {name: by_name[name] for name in options}
