"""`Command`: a function of the command line, whose signature says what the command takes.

Rule: the signature is the only description of a command. It is parsed here, and shown by `help_page`, `completion` and
the manual. Positional parameters are arguments, parameters after ``*`` are options, and `Annotated` has an `Argument`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import partial
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from crawler.errors import ConfigError
from crawler.other_names import here
from crawler.suggest import did_you_mean

__all__ = ["HELP", "Argument", "Command", "Parameter"]

HELP: Final = ("-h", "--help")


class Argument:
    """What a signature says of a parameter in addition: ``Annotated[str, Argument("Who it is.", "-n", "--name")]``."""

    def __init__(
        self,
        about: str,
        *names: str,
        metavar: str = "",
        hyphen: bool = False,
        takes_rest: bool = False,
        optional: str = "",
        limits: tuple[int, int] = (0, 1_000_000_000),
    ) -> None:
        self.about = about
        self.names = names
        self.metavar = metavar
        self.hyphen = hyphen
        self.takes_rest = takes_rest
        self.optional = optional
        self.limits = limits


class Parameter:
    """A parameter of a command: an argument or an option."""

    def __init__(self, parameter: inspect.Parameter, hint: Any) -> None:
        kind, argument = get_args(hint)
        self.argument: Argument = argument
        of = [one for one in get_args(kind) if one not in (NoneType, ...)]
        self.is_repeatable = get_origin(kind) is tuple or parameter.kind is parameter.VAR_POSITIONAL
        self.choices: tuple[str, ...] = ()
        if of and get_origin(kind) is not Literal:  # of a tuple, or with None
            [kind] = of
        if get_origin(kind) is Literal:
            kind, self.choices = str, get_args(kind)
        self.kind: type[Any] = kind
        self.is_option = parameter.kind is parameter.KEYWORD_ONLY
        self.is_required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        self.default = parameter.default
        self.key = parameter.name
        name = parameter.name.rstrip("_").replace("_", "-")
        self.names: tuple[str, ...] = self.argument.names or (f"--{name}",)
        self.metavar: str = "" if kind is bool else self.argument.metavar or name.upper()
        self.label = self.names[-1] if self.is_option else self.metavar

    def value(self, text: str, name: str) -> Any:
        """Return the value of a text that was given as `name`; a `ValueError` says what is wrong with it."""
        if self.choices:
            if text.lower() in self.choices:
                return text.lower()
            raise ValueError(f'invalid value "{text}" for {name}: choose from {", ".join(self.choices)}')
        if self.kind is not int:
            return self.kind(text)
        low, high = self.argument.limits
        if not re.fullmatch(r"-?\d{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f'invalid value "{text}" for {name}: must be a whole number from {low} to {high}')
        return int(text)

    def takes(self, word: str | None) -> bool:
        """Return whether the word that follows this option is its value."""
        if self.argument.optional:
            return word is not None and re.fullmatch(self.argument.optional, word) is not None
        return word is not None and (self.argument.hyphen or not re.match(r"-(?!\d)", word))


class Command:
    """A function of the command line."""

    def __init__(self, name: str, function: Callable[..., int | None]) -> None:
        self.name = name
        self.function = function
        hints = get_type_hints(function, include_extras=True)
        parameters = [Parameter(one, hints[one.name]) for one in inspect.signature(function).parameters.values()]
        self.options = [one for one in parameters if one.is_option]
        self.arguments = [one for one in parameters if not one.is_option]

    def parse(self, words: Sequence[str]) -> Callable[[], int | None]:
        """Return the function with the arguments that the words after the command give it."""
        split = self._split([*words])
        if split is None:
            from crawler.cli.help_page import show_help  # noqa: PLC0415 - only help needs it

            return partial(show_help, self)
        texts, options = split
        required = [*self.arguments[len(texts) :], *(one for one in self.options if one.key not in options)]
        for parameter in required:
            if parameter.is_required:
                raise self._wrong(f"{parameter.label} is missing")
        kinds = [*self.arguments]
        if kinds and kinds[-1].is_repeatable:
            kinds += kinds[-1:] * len(texts)
        if len(texts) > len(kinds):
            raise self._wrong(f"unexpected argument {texts[len(kinds)]!r}")
        return partial(self.function, *(self._value(*one) for one in zip(kinds, texts, strict=False)), **options)

    def _split(self, words: list[str]) -> tuple[list[str], dict[str, Any]] | None:
        """Return the texts of arguments, and the values of options by parameter; `None` if the user asks for help."""
        last = self.arguments[-1].argument if self.arguments else None
        texts: list[str] = []
        options: dict[str, Any] = {}
        while words:
            word = words.pop(0)
            if word in HELP:
                return None
            if word == "--":
                return [*texts, *words], options
            if last is not None and last.takes_rest and len(texts) == len(self.arguments) - 1:
                return [*texts, word, *words], options
            if word.startswith("-"):
                self._take_option(word, words, options)
            else:
                texts.append(word)
        return texts, options

    def _take_option(self, word: str, words: list[str], options: dict[str, Any]) -> None:
        """Add the value of an option, which is in its word or in the next one."""
        named = {name: one for one in self.options for name in one.names}
        name, equals, text = word.partition("=")
        if not word.startswith("--"):  # -oFILE or -o=FILE
            name, equals, text = word[:2], word[2:], word[2:].removeprefix("=")
        option = named.get(name)
        if option is None:
            hint = here(f"crawler {self.name}", name) or did_you_mean(name, named)
            raise self._wrong(f"unknown option: {name if equals == '=' else word}", hint)
        if option.key in options and not option.is_repeatable:
            raise self._wrong(f"{name} is given twice")
        if option.kind is bool:
            if equals:
                raise self._wrong(f"{name} takes no value")
            options[option.key] = True
            return
        if not equals and option.takes(words[0] if words else None):
            text = words.pop(0)
        elif not equals and not option.argument.optional:
            raise self._wrong(f"{name} needs a value")
        value = self._value(option, text, name)
        options[option.key] = (*options.get(option.key, ()), value) if option.is_repeatable else value

    def _value(self, parameter: Parameter, text: str, name: str = "") -> Any:
        try:
            return parameter.value(text, name or parameter.label)
        except ValueError as error:
            hint = here(f"crawler {self.name}", text) or did_you_mean(text, parameter.choices)
            raise self._wrong(str(error), hint) from None

    def _wrong(self, message: str, hint: str = "") -> ConfigError:
        return ConfigError(message + (hint or f" (see crawler {self.name} --help)"))
