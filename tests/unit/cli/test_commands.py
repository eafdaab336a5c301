"""The command line is made of the commands that are asked for; what is wrong with a call of it is an error of ours."""

from __future__ import annotations

import pytest

from crawler.cli.commands import COMMANDS, app_of, command_line
from crawler.errors import ConfigError


def test_a_command_line_can_be_made_of_some_commands() -> None:
    assert set(COMMANDS) & set(app_of("links")) == {"links"}
    assert set(COMMANDS) <= set(app_of())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "a.py", "--tolerat", "1"],
            "unknown option: --tolerat. Did you mean --tolerate? (see crawler run --help)",
        ),
        (["list", "a.py", "b.py"], "unexpected argument 'b.py' (see crawler list --help)"),
    ],
)
def test_a_wrong_call_is_an_error_that_names_the_help(words: list[str], message: str) -> None:
    run = command_line(words)
    with pytest.raises(ConfigError, match="^" + message.translate({ord(sign): f"\\{sign}" for sign in ".?()"})):
        run()
