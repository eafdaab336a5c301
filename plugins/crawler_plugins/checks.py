"""Checks of items: `check_by_model` takes a class, `check_by_schema` a JSON Schema. Both return `Problem`s."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import msgspec

from crawler import ConfigError

__all__ = ["Check", "Problem", "check_by_model", "check_by_schema"]

WHOLE = "item"
"""The field of a problem that concerns the item as a whole."""
MAX_PROBLEMS = 20
"""Number of problems that are reported of one item."""
NAMED = re.compile(r"\AObject (missing required|contains unknown) field `([^`]{0,200})`\Z")
QUOTED = re.compile(r"['\"].*")
POSITION = re.compile(r"\[(?:[0-9]+|\.\.\.)\]")


@attrs.frozen
class Problem:
    """One reason why an item is invalid."""

    field: str
    """Path of the field, such as ``author.name`` or ``tags[]``; ``item`` for the item as a whole."""
    reason: str
    """The reason, without the value of the field: ``missing``, ``Expected `float`, got `str```."""

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


Check: TypeAlias = Callable[[dict[str, Any]], list[Problem]]
"""Returns the problems of an item, given as JSON values. A valid item has none."""


def check_by_model(model: type) -> Check:
    """Return a check by the annotations and validators of a class.

    Parameters:
        model: A pydantic model, an attrs class, a dataclass, a `msgspec.Struct` or a `TypedDict`.

    Raises:
        ConfigError: The class is of another kind.
    """
    if hasattr(model, "model_validate"):
        return _pydantic_check(model)
    if not (
        attrs.has(model)
        or dataclasses.is_dataclass(model)
        or issubclass(model, msgspec.Struct)
        or typing.is_typeddict(model)
    ):
        kinds = "a pydantic model, an attrs class, a dataclass, a msgspec.Struct or a TypedDict"
        raise ConfigError(f"validate: {model.__name__} must be {kinds}")

    def check(values: dict[str, Any]) -> list[Problem]:
        try:
            msgspec.convert(values, model)
        except msgspec.ValidationError as error:
            return [_msgspec_problem(str(error))]
        return []

    return check


def check_by_schema(path: Path) -> Check:
    """Return a check by a JSON Schema. It may refer to itself, not to other files or to the network.

    Parameters:
        path: A JSON file. Its ``$schema`` names the draft; the default is the newest one that jsonschema knows.

    Raises:
        ConfigError: The file cannot be read, is not a valid schema, or jsonschema is not installed.
    """
    try:
        import jsonschema  # noqa: PLC0415 - an extra
        import referencing  # noqa: PLC0415 - comes with jsonschema
    except ImportError:
        raise ConfigError("validate: a JSON Schema needs jsonschema: pip install 'trio-crawler[jsonschema]'") from None
    try:
        schema = _read_schema(path)
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        _check_references(path, schema, kind)
    except jsonschema.SchemaError as error:
        raise ConfigError(
            f"validate: {path} is not a valid JSON Schema: {error.message:.200} at {error.json_path}"
        ) from None
    except RecursionError:
        raise ConfigError(f"validate: {path} is nested too deeply") from None
    registry = referencing.Registry()  # an empty one: nothing is fetched
    validator = kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER)

    def check(values: dict[str, Any]) -> list[Problem]:
        found = (_schema_problem(error) for error in validator.iter_errors(values))
        return [problem for problem, _ in zip(found, range(MAX_PROBLEMS), strict=False)]

    return check


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        schema = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"validate: cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"validate: {path} is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ConfigError(f"validate: {path} is not a JSON Schema: it must be an object")
    return schema


def _check_references(path: Path, schema: dict[str, Any], kind: Any) -> None:
    """Raise `ConfigError` if a ``$ref`` leads nowhere: at the first item it would be too late."""
    import referencing  # noqa: PLC0415 - comes with jsonschema
    import referencing.exceptions  # noqa: PLC0415
    import referencing.jsonschema  # noqa: PLC0415

    draft = referencing.jsonschema.specification_with(kind.META_SCHEMA["$schema"])
    root = draft.create_resource(schema)

    def check(resource: Any, resolver: Any) -> None:
        contents = resource.contents
        for key in ("$ref", "$dynamicRef"):
            target = contents.get(key) if isinstance(contents, dict) else None
            if isinstance(target, str):
                try:
                    resolver.lookup(target)
                except (referencing.exceptions.Unresolvable, ValueError):
                    raise ConfigError(f"validate: {path} refers to {target}, which it does not contain") from None
        for part in resource.subresources():
            check(part, resolver.in_subresource(part))

    check(root, referencing.Registry().resolver_with_root(root))


def _pydantic_check(model: Any) -> Check:
    from pydantic import ValidationError  # noqa: PLC0415 - installed where there is a model of it

    def check(values: dict[str, Any]) -> list[Problem]:
        try:
            model.model_validate(values)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            return [Problem(_path(detail["loc"]), detail["type"]) for detail in details[:MAX_PROBLEMS]]
        return []

    return check


def _msgspec_problem(message: str) -> Problem:
    """Return the problem that a message of msgspec describes: ``Expected `float`, got `str` - at `$.price```."""
    words, _, path = message.rpartition(" - at `") if " - at `" in message else (message, "", "")
    path = POSITION.sub("[]", path.partition("`")[0].removeprefix("$").lstrip("."))
    named = NAMED.match(words)
    if named is None:
        return Problem(path or WHOLE, QUOTED.sub("…", words)[:80])
    if named[1] == "contains unknown":
        return Problem(path or WHOLE, "unknown field")
    return Problem(f"{path}.{named[2]}" if path else named[2], "missing")


def _schema_problem(error: Any) -> Problem:
    """Return the problem that an error of jsonschema describes. The reason is its keyword: ``minimum``, ``type``."""
    path = list(error.absolute_path)
    if error.validator != "required":
        return Problem(_path(path), str(error.validator))
    missing = next((name for name in error.validator_value if error.message.startswith(repr(name))), WHOLE)
    return Problem(_path([*path, missing]), "missing")


def _path(parts: Any) -> str:
    """Return the path of a field. Positions in lists are left out, so that problems can be counted by field."""
    return "".join(_steps(parts)).lstrip(".") or WHOLE


def _steps(parts: Any) -> Iterator[str]:
    for part in parts:
        yield "[]" if isinstance(part, int) else f".{part}"
