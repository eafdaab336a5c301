"""The words of a command line become the arguments of a function, by its signature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.cli.arguments import Argument, Command
from crawler.cli.commands import load_command
from crawler.errors import ConfigError
from crawler.other_names import OTHER_NAMES

Texts = Annotated[tuple[str, ...], Argument("Texts.", "-s", "--set")]
Level = Annotated[Literal["low", "high"], Argument("A level.")]


def take(
    target: Annotated[str, Argument("A target.")],
    /,
    *others: Annotated[str, Argument("Others.")],
    texts: Texts = (),
    level: Level = "low",
    number: Annotated[int, Argument("A number.", limits=(1, 9))] = 1,
    save: Annotated[Path | None, Argument("A file.", hyphen=True)] = None,
    ui: Annotated[str | None, Argument("An address.", optional=r"\d+")] = None,
    no_plugin: Annotated[bool, Argument("A flag.")] = False,
) -> int:
    """Take arguments."""
    return 0


def take_rest(
    url: Annotated[str, Argument("A URL.")], /, *words: Annotated[str, Argument("Words.", takes_rest=True)]
) -> int:
    """Take all words."""
    return 0


NUMBER = "must be a whole number from 1 to 9 (see crawler take --help)"
COMMAND = Command("take", take)
REST = Command("rest", take_rest)


def parsed(command: Command, *words: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    called: Any = command.parse(words)
    return called.args, called.keywords


@each(
    ("words", "arguments", "options"),
    [
        ("a", "a", {}),
        ("a b c", "a b c", {}),
        ("a -s x --set y b", "a b", {"texts": ("x", "y")}),
        ("-sx -s=y=z --set=w a", "a", {"texts": ("x", "y=z", "w")}),
        ("a --level HIGH", "a", {"level": "high"}),
        ("a --number 9", "a", {"number": 9}),
        ("a --save -", "a", {"save": Path("-")}),
        ("a --save -x", "a", {"save": Path("-x")}),
        ("a --set=--x", "a", {"texts": ("--x",)}),
        ("a --ui b", "a b", {"ui": ""}),
        ("a --ui 80 b", "a b", {"ui": "80"}),
        ("a --ui=x", "a", {"ui": "x"}),
        ("a --ui", "a", {"ui": ""}),
        ("a --no-plugin", "a", {"no_plugin": True}),
        ("-- -a --ui", "-a --ui", {}),
    ],
)
def test_words_become_arguments(words: str, arguments: str, options: dict[str, Any]) -> None:
    assert parsed(COMMAND, *words.split()) == (tuple(arguments.split()), options)


@each(
    ("words", "message"),
    [
        ("", "TARGET is missing (see crawler take --help)"),
        ("a --lev low", "unknown option: --lev (did you mean --level?)"),
        ("a --zz=1", "unknown option: --zz (see crawler take --help)"),
        ("a -x", "unknown option: -x (see crawler take --help)"),
        ("a -", "unknown option: - (did you mean -s?)"),
        ("a --set", "--set needs a value (see crawler take --help)"),
        ("a --set -x", "--set needs a value (see crawler take --help)"),
        ("a --level mid", 'invalid value "mid" for --level: choose from low, high (see crawler take --help)'),
        (
            "a --number 0",
            'invalid value "0" for --number: must be a whole number from 1 to 9 (see crawler take --help)',
        ),
        (
            "a --number -1",
            'invalid value "-1" for --number: must be a whole number from 1 to 9 (see crawler take --help)',
        ),
        (
            "a --number 1e1",
            'invalid value "1e1" for --number: must be a whole number from 1 to 9 (see crawler take --help)',
        ),
        ("a --no-plugin=no", "--no-plugin takes no value (see crawler take --help)"),
        ("a --no-plugin --no-plugin", "--no-plugin is given twice (see crawler take --help)"),
    ],
)
def test_wrong_words_are_one_line_that_says_what_to_do(words: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        COMMAND.parse(words.split())
    assert str(caught.value) == message


def test_a_command_with_one_argument_refuses_a_second() -> None:
    with pytest.raises(ConfigError, match="^unexpected argument 'b' "):
        load_command("list").parse(["a", "b"])


@each(
    ("words", "arguments"),
    [("u a -x --help -- -y", "u a -x --help -- -y"), ("u -x", "u -x"), ("u", "u")],
)
def test_a_command_may_take_all_words_after_its_arguments_as_they_are(words: str, arguments: str) -> None:
    assert parsed(REST, *words.split()) == (tuple(arguments.split()), {})


@each("words", ["--help", "a -h", "a --number --help"])
def test_help_may_be_asked_for_anywhere(capfd: pytest.CaptureFixture[str], words: str) -> None:
    if "--number" in words:
        with pytest.raises(ConfigError, match="--number needs a value"):
            COMMAND.parse(words.split())
        return
    COMMAND.parse(words.split())()
    assert capfd.readouterr().out.startswith("Usage: crawler take [OPTIONS] TARGET [OTHERS...]\n")


@each("name", OTHER_NAMES["crawler run"])
def test_an_option_of_scrapy_is_named_as_it_is_called_here(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_command("run").parse(["a.py", name])
    assert str(caught.value) == f"unknown option: {name} (here: {OTHER_NAMES['crawler run'][name]})"


WORDS = st.sampled_from(
    ["--set", "-s", "--level", "low", "--number", "5", "--save", "--ui", "--no-plugin", "--", "-", "a=b"]
)


@given(words=st.lists(WORDS | st.text(max_size=5), max_size=8))
def test_random_words_are_arguments_or_an_error(words: list[str]) -> None:
    try:
        called: Any = COMMAND.parse(words)
    except ConfigError:
        return
    if called.func is take:
        values = [*called.args, *called.keywords.get("texts", ())]
        given = [*words, *(word.partition("=")[2] for word in words), *(word[2:].removeprefix("=") for word in words)]
        assert set(values) <= set(given)
