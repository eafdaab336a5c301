"""Finding plugins by name and making them from text options."""

from __future__ import annotations

import enum
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from crawler.errors import ConfigError, CrawlerError, PluginError
from crawler.hooks.plugin import Plugin
from crawler.settings.texts import WORDS, is_utf8, plain
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "construct", "import_class", "installed", "load_plugin", "options_of"]

GROUP = "crawler.plugins"
"""The entry-point group that plugins are registered under."""
T = TypeVar("T")


def installed() -> dict[str, EntryPoint]:
    """The plugins that are installed, by entry-point name. Installed is not enabled."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - it takes a while, and most crawls name none

    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load_plugin(spec: str) -> type[Plugin]:
    """The class of a plugin.

    Parameters:
        spec: the name of an installed plugin, or ``module:Class``.

    Raises:
        ConfigError: there is none of that name.
        PluginError: it cannot be imported, or is no `Plugin`.
    """
    if ":" in spec:
        found = import_class(spec)
    else:
        known = installed()
        if spec not in known:
            raise ConfigError(f"no plugin called {spec!r} is installed{did_you_mean(spec, known)}")
        try:
            found = known[spec].load()
        except Exception as error:
            raise PluginError(f"plugin {spec} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise PluginError(f"{spec} is not a Plugin: {found!r}")
    return found


def import_class(spec: str) -> Any:
    """What ``module:Name`` stands for; modules of the working directory are found too.

    Raises:
        ConfigError: no such module, or nothing of that name in it.
        PluginError: the module raised while it was imported.
    """
    module_name, _, name = spec.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), name)):
        raise ConfigError(f"not the name of a class: {spec!r} (write package.module:Class)")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise ConfigError(f"no module called {error.name!r} (for {spec!r})") from None
        raise PluginError(f"{module_name} cannot be imported: {error}") from error
    except Exception as error:
        raise PluginError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"{module_name} has no {name!r}{did_you_mean(name, public)}")
    return getattr(module, name)


def options_of(kind: type) -> dict[str, inspect.Parameter]:
    """The keyword arguments of a constructor, by name, annotations resolved.

    A constructor that takes any (`Spider.__init__(**arguments)`) has the annotated attributes of its class.
    """
    signature = inspect.signature(kind)
    options: dict[str, inspect.Parameter] = {}
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            declared = getattr(kind, "declared_arguments", dict)
            options |= declared()
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            options[parameter.name] = parameter
    try:
        hints = typing.get_type_hints(kind.__init__) if kind.__init__ is not object.__init__ else {}  # type: ignore[misc]
    except (NameError, TypeError):
        hints = {}
    return {
        name: parameter.replace(annotation=hints.get(name, parameter.annotation)) for name, parameter in options.items()
    }


def construct(kind: type[T], texts: Mapping[str, str], *, what: str) -> T:
    """An instance of `kind`, its arguments read from text by their annotations.

    Parameters:
        kind: the class.
        texts: argument name to text.
        what: how an error names it: ``spider Quotes``.

    Raises:
        ConfigError: an unknown or missing argument, text that cannot be read as its type, or a constructor that raised.
    """
    options = options_of(kind)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in options:
            raise ConfigError(f"{what} has no argument {name!r}{did_you_mean(name, options)}")
        values[name] = _read(text, options[name].annotation, f"{what}: argument {name}")
    missing = [n for n, p in options.items() if p.default is p.empty and n not in values]
    if missing:
        raise ConfigError(f"{what} needs the argument {missing[0]!r}")
    try:
        return kind(**values)
    except CrawlerError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{what}: {error}") from error
    except Exception as error:
        raise ConfigError(f"{what} cannot be made: {type(error).__name__}: {error}") from error


def _read(text: str, annotation: Any, where: str) -> Any:
    """`text` as a value of the annotated type; lists and dicts are written as JSON, or with commas."""
    union = typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, types.UnionType) else ()
    if type(None) in union and text.lower() == "none":
        return None
    if annotation in (inspect.Parameter.empty, Any) or str in (annotation, *union):
        return text
    if not is_utf8(text):
        raise ConfigError(f"{where}: not UTF-8: {text!r}")
    if bool in (annotation, *union):
        text = WORDS.get(text.lower(), text)
    try:
        return _convert(text, annotation)
    except msgspec.ValidationError as error:
        first = error
    except (TypeError, NotImplementedError):
        raise ConfigError(f"{where} of type {annotation!r} cannot be given as text") from None
    for attempt in (lambda: msgspec.json.decode(text), lambda: _parts(text)):
        try:
            return _convert(attempt(), annotation)
        except (msgspec.ValidationError, msgspec.DecodeError):
            continue
    raise ConfigError(f"{where}: {_wanted(annotation) or plain(first)}, got {text!r}")


def _wanted(annotation: Any) -> str:
    """The words that an annotation allows, if it allows only these."""
    choices: list[Any] = []
    if typing.get_origin(annotation) is typing.Literal:
        choices = list(typing.get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        choices = [member.value for member in annotation]
    return f"expected {' or '.join(map(str, choices))}" if choices else ""


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _convert(value: Any, annotation: Any) -> Any:
    return msgspec.convert(value, annotation, strict=False, dec_hook=_custom)


def _custom(kind: type, value: Any) -> Any:
    """What msgspec does not know: paths."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
