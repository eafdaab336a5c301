"""An option means the same in each command that has it."""

from __future__ import annotations

from support.cases import each

from crawler.cli.commands import COMMANDS, load_command

SHARED = {"-s": "--setting", "-a": "--argument", "-P": "--plugin-option", "--log-level": "--log-level"}


@each("name", COMMANDS)
def test_options_of_a_name_are_one_option(name: str) -> None:
    run = {option.label: option for option in load_command("run").options}
    for option in load_command(name).options:
        for short, label in SHARED.items():
            if {short, label} & set(option.names):
                assert option.names == run[label].names
                assert option.argument is run[label].argument
                assert (option.kind, option.choices) == (run[label].kind, run[label].choices)
