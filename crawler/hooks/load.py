"""Find plugins by name, and create them from options that are given as text."""

from __future__ import annotations

import enum
import importlib
import inspect
import os
import sys
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from crawler.environment import resolve, resolve_values
from crawler.errors import ConfigError, CrawlerError, PluginError
from crawler.hooks.plugin import Plugin
from crawler.hooks.requirements import require
from crawler.redaction import hide_userinfo, is_secret, redact_field, unsendable
from crawler.settings.texts import WORDS, is_utf8, requirement
from crawler.suggest import did_you_mean, did_you_mean_or_list, either

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "GROUP",
    "construct",
    "entry_points_of",
    "import_class",
    "import_standard_library",
    "installed",
    "load_entry_point",
    "load_plugin",
    "options_of",
]

GROUP = "crawler.plugins"
"""Entry-point group of plugins."""
WITH_EFFECTS = frozenset({"antigravity", "this"})
"""Modules of the standard library that do something when they are imported."""
T = TypeVar("T")


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of the installed plugins by name. Installed does not mean enabled."""
    return entry_points_of(GROUP)


def entry_points_of(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group, by name."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and most crawls need none

    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def load_entry_point(point: EntryPoint, what: str) -> type[Plugin]:
    """Return the class of an entry point; `what` names it in errors, as in ``plugin cache``."""
    try:
        found = point.load()
    except Exception as error:
        raise PluginError(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
    return _plugin(found, what)


def _plugin(found: Any, what: str) -> type[Plugin]:
    if not (isinstance(found, type) and issubclass(found, Plugin)):
        raise PluginError(f"{what} is not a Plugin: {found!r}")
    return found


def load_plugin(spec: str) -> type[Plugin]:
    """Return the class of a plugin: that of an installed one by its name, or ``module:Class``."""
    if ":" in spec:
        found = _plugin(import_class(spec), spec)
    else:
        known = installed()
        if spec not in known:
            hint = did_you_mean(spec, known) or ": crawler plugins lists them"
            raise ConfigError(f"no plugin named {spec!r} is installed{hint}")
        found = load_entry_point(known[spec], f"plugin {spec}")
    require(f"plugin {spec}", found.requires)
    return found


def import_standard_library(folder: Path) -> None:
    """Import the modules of the standard library that files in a folder hide, before the folder is searched.

    The framework and its outputs import some modules when they need them, such as `csv`. A spider with the name of one
    must not take its place.
    """
    names = sys.stdlib_module_names - sys.modules.keys() - WITH_EFFECTS
    hidden = [name for name in names if os.path.isfile(os.path.join(folder, f"{name}.py"))]  # noqa: PTH113, PTH118
    if not hidden:
        return
    searched = sys.path[:]
    sys.path[:] = [place for place in searched if Path(place or ".").resolve() != folder.resolve()]
    try:
        for name in hidden:
            with suppress(ImportError):  # it is not on every system
                importlib.import_module(name)
    finally:
        sys.path[:] = searched


def import_class(spec: str) -> Any:
    """Import ``module:Name``, also from the working directory, and return the object."""
    module_name, _, name = spec.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), name)):
        parts = Path(module_name.removesuffix(".py")).parts
        is_file = module_name.endswith(".py") and all(part.isidentifier() for part in parts)
        hint = f" (did you mean {'.'.join(parts)}:{name}?)" if is_file else ""
        raise ConfigError(f"{hide_userinfo(spec)!r} does not name a class: write package.module:Class{hint}")
    here = Path.cwd()
    import_standard_library(here)
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            hint = f"; did you mean {module_name.removesuffix('.py')}:{name}?" if module_name.endswith(".py") else ""
            raise ConfigError(f"no module named {error.name!r} (for {spec!r}{hint})") from None
        raise PluginError(f"{module_name} cannot be imported: {error}") from error
    except (Exception, SystemExit) as error:
        raise PluginError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"{module_name} has no {name!r}{did_you_mean(name, public)}")
    return getattr(module, name)


def options_of(kind: type) -> dict[str, inspect.Parameter]:
    """Return the arguments of a constructor by name, with resolved annotations.

    A constructor with ``**arguments``, as `Spider` has, takes the annotated attributes of its class.
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


def construct(
    kind: type[T],
    texts: Mapping[str, str],
    *,
    what: str,
    given: Mapping[str, Any] = MappingProxyType({}),
    form: str = "",
) -> T:
    """Create an instance of a class from arguments that are given as text."""
    options = {name: option for name, option in options_of(kind).items() if name not in given}
    values: dict[str, Any] = dict(given)
    for name, text in _with_entries(texts, options, what).items():
        if name not in options:
            raise ConfigError(f"{what} has no argument {name!r}{did_you_mean_or_list(name, options, 'it has')}")
        where = f"{what}: argument {name}"
        values[name] = resolve_values(_read(resolve(text, where), options[name].annotation, name, where), where)
    missing = [n for n, p in options.items() if p.default is p.empty and n not in values]
    if missing:
        how = f": set it with {form.format(missing[0])}" if form else ""
        raise ConfigError(f"{what} needs the argument {missing[0]!r}{how}")
    try:
        return kind(**values)
    except CrawlerError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{what}: {error}") from error
    except Exception as error:
        raise ConfigError(f"{what} cannot be created: {type(error).__name__}: {error}") from error


def _with_entries(texts: Mapping[str, str], options: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return the texts with entries of mappings, such as ``coverage.title``, as JSON in the mapping's own text."""
    whole = {name: text for name, text in texts.items() if name in options or "." not in name}
    for place, text in texts.items():
        if place in whole:
            continue
        name, _, key = place.partition(".")
        if name not in options:
            raise ConfigError(f"{what} has no argument {name!r}{did_you_mean_or_list(name, options, 'it has')}")
        try:
            mapping = msgspec.json.decode(whole.get(name, "{}"), type=dict[str, Any])
        except msgspec.DecodeError:
            raise ConfigError(f"{what}: argument {name} is not a JSON object, so {place} cannot be added") from None
        whole[name] = msgspec.json.encode(mapping | {key: text}).decode()
    return whole


def _read(text: str, annotation: Any, name: str, where: str) -> Any:
    """Return a text as a value of the annotated type. Lists and dicts are JSON, or separated by commas."""
    if is_secret(name) and (why := unsendable(text)):
        raise ConfigError(f"{where}: holds {why}")
    union = typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, types.UnionType) else ()
    if type(None) in union and text.lower() == "none":
        return None
    if annotation in (inspect.Parameter.empty, Any) or str in (annotation, *union):
        return text
    if not is_utf8(text):
        raise ConfigError(f"{where}: not UTF-8: {redact_field(name, repr(text))}")
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
        except (msgspec.ValidationError, msgspec.DecodeError, NotImplementedError):
            continue
    shown, choices = redact_field(name, repr(text)), _choices(annotation)
    raise ConfigError(f"{where}: {f'must be {choices}, not {shown}' if choices else requirement(first, shown)}")


def _choices(annotation: Any) -> str:
    """Return the choices of an annotation in words; empty if it is not a choice."""
    choices: list[Any] = []
    if typing.get_origin(annotation) is typing.Literal:
        choices = list(typing.get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        choices = [member.value for member in annotation]
    return either(choices) if choices else ""


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _convert(value: Any, annotation: Any) -> Any:
    return msgspec.convert(value, annotation, strict=False, dec_hook=_custom)


def _custom(kind: type, value: Any) -> Any:
    """Convert what msgspec cannot: a path, and a class that is named as ``module:Class``."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is type and isinstance(value, str):
        found = import_class(value)
        if not isinstance(found, type):
            raise ConfigError(f"{value} is not a class")
        return found
    raise NotImplementedError
