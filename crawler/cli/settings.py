"""``crawler settings``: every setting with its value, and where that comes from."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import attrs
import msgspec

from crawler.cli.arguments import Argument
from crawler.cli.configuration import Configuration, parse_pairs
from crawler.cli.layer import Layer, as_text
from crawler.cli.logs import log_to_stderr
from crawler.cli.options import ArgumentTexts, SettingTexts
from crawler.cli.standard_streams import show, write
from crawler.cli.target import make_spider
from crawler.limits.pace import Pace
from crawler.redaction import HIDDEN, redact
from crawler.settings.settings import CONVERTED, SECRET, Settings
from crawler.spiders import Spider

__all__ = ["changed_settings", "settings"]

WIDTH: Final = 100
"""Maximum width of a line, in columns."""


def settings(
    target: Annotated[
        str | None, Argument("A spider whose settings are included: FILE.py, MODULE:Class or a URL.")
    ] = None,
    /,
    *,
    diff: Annotated[bool, Argument("Print only settings that differ from their default.")] = False,
    json: Annotated[bool, Argument("Print a JSON object: name, value, default, source, doc.")] = False,
    argument: ArgumentTexts = (),
    setting: SettingTexts = (),
) -> int:
    """Print every setting: its value, its origin, its meaning.

    Where a setting has several values, the last of these sources wins: defaults, the spider, crawler.toml or
    [tool.crawler] in pyproject.toml, environment variables such as CRAWLER_WORKERS=8, the command line.

    Example: crawler settings books.py --diff
    """
    log_to_stderr("warning")
    configuration = Configuration.load(settings=setting, arguments=parse_pairs(argument, "-a"))
    layers = list(configuration.layers)
    if target is not None:
        spider = make_spider(target, configuration.arguments)
        layers.insert(0, Layer(source=f"spider {spider.name}", settings=spider.settings))
    rows = [row for row in _rows(layers) if not diff or row["source"] != "default"]
    if json:
        write(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n")
        return 0
    name_width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        source = "" if row["source"] == "default" else f"  ({row['source']})"
        show([f"{row['name']:{name_width}}  {_shown(row['value'])}{source}"])
        if not diff:
            first = row["doc"].partition(". ")[0].rstrip(".")
            show(f"{'':{name_width}}    {line}" for line in textwrap.wrap(first, WIDTH - name_width - 4))
    if not rows:
        show(["every setting has its default"])
    return 0


def changed_settings(spider: Spider, configuration: Configuration) -> Iterator[str]:
    """Yield the settings that differ from their defaults, as ``delay 2.0 (environment)``."""
    layers = [Layer(source=f"spider {spider.name}", settings=spider.settings), *configuration.layers]
    for row in _rows(layers):
        if row["source"] != "default":
            yield f"{row['name']} {_shown(row['value'])} ({row['source']})"


def _rows(layers: list[Layer]) -> Iterator[dict[str, Any]]:
    """Yield name, value, default, source and meaning of each setting."""
    merged, default = Settings(), Settings()
    for layer in layers:
        merged = merged | layer.settings
    docs = _docs()
    for field in attrs.fields(Settings):
        name = field.name
        if name.startswith("_"):
            continue
        secret = name in SECRET
        yield {
            "name": name,
            "value": _plain(getattr(merged, name), secret=secret),
            "default": _plain(getattr(default, name), secret=secret),
            "source": _source(name, layers),
            "doc": docs.get(name, ""),
        }


def _source(name: str, layers: list[Layer]) -> str:
    """Return where the value of a setting comes from. Mappings are merged, so they may have several sources."""
    given = [layer.source for layer in layers if name in layer.settings.given]
    if not given:
        return "default"
    return ", ".join(given) if name in CONVERTED else given[-1]


def _plain(value: Any, *, secret: bool) -> Any:
    """Return a value as JSON values, without secrets."""
    if secret and value:
        return dict.fromkeys(value, HIDDEN)
    if isinstance(value, Mapping):
        value = {key: _given(one) if isinstance(one, Pace) else one for key, one in value.items()}
    plain = msgspec.to_builtins(value, enc_hook=str)
    return redact(plain) if isinstance(plain, str) else plain


def _given(pace: Pace) -> dict[str, Any]:
    """Return the fields of a pace that differ from their defaults."""
    fields = {field.name: field.default for field in attrs.fields(Pace)}
    return {name: getattr(pace, name) for name, default in fields.items() if getattr(pace, name) != default}


def _shown(value: Any) -> str:
    """Return a value as it is written after ``-s NAME=``."""
    return "none" if value is None else as_text(value)


def _docs() -> dict[str, str]:
    """Return the docstring below each setting, on one line."""
    [definition] = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement, after in zip(definition.body, definition.body[1:], strict=False):
        match statement, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.replace("``", "").replace("`", "").split())
    return docs
