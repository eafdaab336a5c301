"""``crawler completion``: completion of commands, options and choices in a shell; files where any text is possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, TypeAlias

from crawler.cli.arguments import Argument, Command
from crawler.cli.commands import COMMANDS, all_commands, load_command, summary_of
from crawler.cli.standard_streams import write

__all__ = ["completion", "completion_script"]

Shell: TypeAlias = Literal["bash", "zsh", "fish"]
BASH: Final = """\
_crawler() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" options="" choices=""
    if ((COMP_CWORD == 1)); then
        options="--help --version" choices="{commands}"
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    [[ $word == -* ]] && choices=$options
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
}}
complete -o default -F _crawler crawler
"""
ZSH: Final = """\
#compdef crawler

_crawler() {{
    local line state
    _arguments -C \\
        '1: :->cmds' \\
        '*::arg:->args'
    case $state in
        cmds)
            local -a commands=({commands})
            _describe command commands
            ;;
        args)
            case $line[1] in
{cases}
            esac
            ;;
    esac
}}

if [ "$funcstack[1]" = _crawler ]; then _crawler "$@"; else compdef _crawler crawler; fi
"""


def completion(shell: Annotated[Shell, Argument("The shell.")], /) -> int:
    """Print a script with which a shell completes commands.

    Examples, one for each shell: eval "$(crawler completion bash)" in ~/.bashrc;
    crawler completion fish > ~/.config/fish/completions/crawler.fish;
    crawler completion zsh > _crawler, in a folder of $fpath.
    """
    write(completion_script(shell))
    return 0


def completion_script(shell: Shell) -> str:
    """Return the script of a shell."""
    places = {name: place for name, place in all_commands().items() if " " not in name}
    commands = {name: load_command(name, places) for name in places}
    summaries = {name: summary_of(place) for name, place in places.items()}
    if shell == "fish":
        return "".join(f"complete -c crawler {line}\n" for line in _fish(commands, summaries))
    case, form = (_bash, BASH) if shell == "bash" else (_zsh, ZSH)
    names = [*commands] if shell == "bash" else [_quoted(f"{name}:{_plain(summaries[name])}") for name in commands]
    return form.format(commands=" ".join(names), cases="\n".join(map(case, commands.values())))


def _choices(command: Command, place: int = 0) -> list[str]:
    """Return what the argument of a command at a place may be, if that is one of a few words."""
    subcommands = [name.partition(" ")[2] for name in COMMANDS if name.startswith(f"{command.name} ")]
    if subcommands and place == 0:
        return subcommands
    return [choice for one in command.arguments[place : place + 1] for choice in one.choices]


def _bash(command: Command) -> str:
    names = " ".join([*(name for one in command.options for name in one.names), "--help"])
    limited = [one for one in command.options if one.choices]
    values = [f"{'|'.join(one.names)}) choices={_quoted(' '.join(one.choices))} ;;" for one in limited]
    before = f' case "$before" in {" ".join(values)} esac ;;' if values else " ;;"
    return f"        {command.name}) options={_quoted(names)} choices={_quoted(' '.join(_choices(command)))};{before}"


def _zsh(command: Command) -> str:
    lines = ["--help[Show help.]"]
    for one in command.options:
        value = f":{_plain(one.metavar.lower())}:{_zsh_words(one.choices)}" if one.metavar else ""
        shown = f"[{_plain(one.argument.about)}]{value}"
        lines += [f"{'*' if one.is_repeatable else ''}{name}{shown}" for name in one.names]
    for place, one in enumerate(command.arguments):
        number = "*" if one.is_repeatable else place + 1
        lines.append(f"{number}:{_plain(one.argument.about)}:{_zsh_words(_choices(command, place))}")
    options = "".join(f" \\\n                        {_quoted(line)}" for line in lines)
    return f"                {command.name})\n                    _arguments{options}\n                    ;;"


def _zsh_words(choices: Sequence[str]) -> str:
    return f"({' '.join(choices)})" if choices else "_files"


def _fish(commands: dict[str, Command], summaries: dict[str, str]) -> Iterator[str]:
    for name, command in commands.items():
        yield f"-n __fish_use_subcommand -f -a {name} -d {_quoted(summaries[name])}"
        of = f"-n '__fish_seen_subcommand_from {name}'"
        if choices := _choices(command):
            yield f"{of} -a {_quoted(' '.join(choices))}"
        for option in command.options:
            names = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.names)
            words = f" -x -a {_quoted(' '.join(option.choices))}" if option.choices else " -r" if option.metavar else ""
            yield f"{of} {names}{words} -d {_quoted(option.argument.about)}"


def _plain(text: str) -> str:
    """Return a text for zsh, in which colons and brackets have a meaning."""
    return text.replace("\\", "\\\\").replace(":", "\\:").replace("[", "\\[").replace("]", "\\]")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
