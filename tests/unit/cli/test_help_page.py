"""The page of a command is made from its signature and its docstring."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from crawler.cli.arguments import Argument, Command
from crawler.cli.help_page import show_help


def mend(
    name: Annotated[str, Argument("What to mend: a very long explanation that has to be wrapped before column 80.")],
    url: Annotated[str, Argument("Where it is.")] = "",
    /,
    *,
    tool: Annotated[Literal["saw", "glue"], Argument("With what.", "-t", "--tool")] = "saw",
    way: Annotated[Literal["fast", "slow"], Argument("How: fast, slow.", metavar="HOW")],
    an_option_with_a_long_name: Annotated[str, Argument("Explained below.", metavar="VALUE")] = "",
    quiet: Annotated[bool, Argument("Say nothing.")] = False,
) -> int:
    """Mend something.

    This is the second
    paragraph.
    """
    return 0


PAGE = """\
Usage: crawler mend [OPTIONS] --way HOW NAME [URL]

Mend something.

This is the second paragraph.

Arguments:
  NAME  What to mend: a very long explanation that has to be wrapped before
        column 80.
  URL   Where it is.

Options:
  -t, --tool TOOL  With what. [saw (default), glue]
  --way HOW        How: fast, slow.
  --an-option-with-a-long-name VALUE
                   Explained below.
  --quiet          Say nothing.
"""


def test_a_page_has_usage_docstring_arguments_and_options(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_help(Command("mend", mend))
    assert capfd.readouterr().out == PAGE
