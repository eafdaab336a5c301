"""`Validate`: check items by a class or a JSON Schema, and drop or flag those that are invalid, or fail their page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from crawler import ConfigError, Drop, Failure, Item, Plugin, Produced, Response
from crawler_plugins.checks import Problem, check_by_model, check_by_schema
from crawler_plugins.item_fields import json_fields_of

__all__ = ["InvalidItem", "Validate"]

MAX_COUNTED = 200
"""Number of different problems that are counted one by one. The others are counted together."""


class InvalidItem(ValueError):
    """Raised when an item is invalid and ``then`` is ``fail``. `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Validate(Plugin):
    """Checks items by a class or a JSON Schema. The report counts the problems by field and reason.

    An item that is an instance of a class is checked if it is one of `model`; with a schema, every item is checked.

    Parameters:
        model: A pydantic model, an attrs class, a dataclass, a msgspec.Struct or a TypedDict, as ``module:Class``.
        schema: A file with a JSON Schema. It needs the extra ``jsonschema``.
        then: What to do with an invalid item: ``drop`` it, ``flag`` it with its problems, or ``fail`` its page.
        field: The field that ``flag`` adds: a list of texts. The item becomes a dict.

    Raises:
        ConfigError: An option is wrong, or the extra is missing.
    """

    def __init__(
        self,
        *,
        model: type | None = None,
        schema: Path | None = None,
        then: Literal["drop", "flag", "fail"] = "drop",
        field: str = "problems",
    ) -> None:
        if then not in ("drop", "flag", "fail"):
            raise ConfigError(f"validate: then must be drop, flag or fail, not {then!r}")
        if not field:
            raise ConfigError("validate: field must be the name of a field")
        if model is not None and schema is None:
            self._check = check_by_model(model)
        elif schema is not None and model is None:
            self._check = check_by_schema(Path(schema))
        else:
            raise ConfigError("validate: give either model=module:Class or schema=FILE.json")
        self.model = model
        self.then = then
        self.field = field
        self._counted: set[str] = set()

    async def refine(self, item: Item, response: Response) -> Item | Drop | None:
        """Check the item."""
        if self.model is not None and type(item) is not dict and not _is_instance(item, self.model):
            return None
        values = json_fields_of(item)
        problems = self._check(values)
        if not problems:
            return None
        if self.then == "fail":
            raise InvalidItem(problems)
        self._count(problems)
        if self.then == "drop":
            return Drop("invalid")
        if self.field in values:
            raise ValueError(f"the item has a field {self.field!r} of its own: choose another name with validate.field")
        return values | {self.field: [str(problem) for problem in problems]}

    async def failed(self, failure: Failure) -> Produced:
        """Count the problems that failed a page. The effects of the page itself are not kept."""
        if isinstance(failure.error.__cause__, InvalidItem):
            self._count(failure.error.__cause__.problems)

    def _count(self, problems: list[Problem]) -> None:
        for problem in problems:
            name = f"invalid {problem}"
            if name not in self._counted and len(self._counted) >= MAX_COUNTED:
                name = "invalid (others)"
            self._counted.add(name)
            self.crawl.count(name)


def _is_instance(item: Any, model: type) -> bool:
    return type(item) is model or model in type(item).__mro__
