"""Plugins found by name, and plugins and spiders constructed from the text of a command line."""

from __future__ import annotations

import datetime
import enum
import importlib.metadata
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from support.cases import each

from crawler import ConfigError, Plugin, PluginError, Spider
from crawler.hooks.load import GROUP, construct, import_class, installed, load_plugin, options_of
from crawler.spiders import SiteSpider

MODULE = """
from __future__ import annotations
from crawler import Plugin

class Mine(Plugin):
    def __init__(self, size: int = 1) -> None:
        self.size = size

class NoPlugin:
    pass

thing = Mine()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a working folder whose modules are unloaded after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def points(monkeypatch):
    """Return a function that registers entry points."""
    known: list[importlib.metadata.EntryPoint] = []

    def entry_points(group: str) -> list[importlib.metadata.EntryPoint]:
        return [point for point in known if point.group == group]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    def register(name: str, value: str, group: str = GROUP) -> None:
        known.append(importlib.metadata.EntryPoint(name, value, group))

    return register


# ---- finding ---------------------------------------------------------------------------------------------------------


def test_a_class_is_found_in_a_module_of_the_working_folder(folder):
    (folder / "my_plugins.py").write_text(MODULE)
    found = load_plugin("my_plugins:Mine")
    assert issubclass(found, Plugin)
    assert found().size == 1


def test_a_class_is_found_in_a_package(folder):
    (folder / "my_package").mkdir()
    (folder / "my_package" / "inner.py").write_text(MODULE)
    assert import_class("my_package.inner:NoPlugin").__name__ == "NoPlugin"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("my_plugins:Mien", "my_plugins has no 'Mien' (did you mean Mine?)"),
        ("my_plugins:zzz", "my_plugins has no 'zzz'"),
        ("no_such_module:Mine", "no module named 'no_such_module' (for 'no_such_module:Mine')"),
        ("my_plugins.inner:Mine", "no module named 'my_plugins.inner' (for 'my_plugins.inner:Mine')"),
        (":Mine", "':Mine' does not name a class"),
        ("my_plugins:", "'my_plugins:' does not name a class"),
        (".my_plugins:Mine", "'.my_plugins:Mine' does not name a class"),
        ("my-plugins:Mine", "'my-plugins:Mine' does not name a class"),
        ("a:b:c", "'a:b:c' does not name a class"),
    ],
)
def test_a_missing_plugin_is_a_configuration_error(folder, spec, words):
    (folder / "my_plugins.py").write_text(MODULE)
    with pytest.raises(ConfigError) as caught:
        load_plugin(spec)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("./my_plugins.py:Mine", " (did you mean my_plugins:Mine?)"),
        ("my_package/inner.py:Mine", " (did you mean my_package.inner:Mine?)"),
        ("/a/b.py:Mine", ""),
        ("../b.py:Mine", ""),
    ],
)
def test_a_file_with_a_plugin_is_named_as_a_module(spec, hint):
    with pytest.raises(ConfigError) as caught:
        load_plugin(spec)
    assert str(caught.value) == f"{spec!r} does not name a class: write package.module:Class{hint}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "broken cannot be imported: ZeroDivisionError: division by zero"),
        ("class", "broken cannot be imported: SyntaxError: "),
        ("import no_such_module", "broken cannot be imported: No module named 'no_such_module'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_plugin_error(folder, source, words):
    (folder / "broken.py").write_text(source)
    with pytest.raises(PluginError) as caught:
        load_plugin("broken:Mine")
    assert str(caught.value).startswith(words)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("name", ["NoPlugin", "thing"])
def test_a_class_that_is_not_a_plugin_is_rejected(folder, name):
    (folder / "my_plugins.py").write_text(MODULE)
    with pytest.raises(PluginError, match=f"^my_plugins:{name} is not a Plugin: "):
        load_plugin(f"my_plugins:{name}")


def test_an_installed_plugin_is_found_by_its_name(points):
    points("store", "crawler.hooks.plugin:Plugin")
    points("archive", "crawler.hooks.plugin:Plugin")
    points("other", "nowhere:Nothing", "somebody.else")
    assert list(installed()) == ["archive", "store"]
    assert load_plugin("store") is Plugin


def test_a_plugin_that_is_not_installed_is_reported_with_the_closest_name(points):
    points("jsonlines", "crawler.hooks.plugin:Plugin")
    with pytest.raises(ConfigError, match=r"^no plugin named 'jsonline' is installed \(did you mean jsonlines\?\)$"):
        load_plugin("jsonline")
    with pytest.raises(ConfigError, match=r"^no plugin named 'zzz' is installed: crawler plugins lists them$"):
        load_plugin("zzz")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_module:Mine", "plugin broken cannot be imported: ModuleNotFoundError: "),
        ("crawler.errors:NoSuch", "plugin broken cannot be imported: AttributeError: "),
        ("crawler.errors:ConfigError", "plugin broken is not a Plugin: "),
    ],
)
def test_an_installed_plugin_that_cannot_be_loaded_is_a_plugin_error(points, value, words):
    points("broken", value)
    with pytest.raises(PluginError) as caught:
        load_plugin("broken")
    assert str(caught.value).startswith(words)


def test_the_real_entry_points_belong_to_the_group():
    assert set(installed()) == {point.name for point in importlib.metadata.entry_points(group="crawler.plugins")}


# ---- constructing ----------------------------------------------------------------------------------------------------


class Mode(enum.Enum):
    FAST = "fast"


@attrs.frozen
class Pair:
    a: int
    b: str = ""


class Options(Plugin):
    def __init__(
        self,
        text: str = "",
        count: int = 0,
        share: float = 0.0,
        flag: bool = False,
        path: Path = Path(),
        maybe_path: Path | None = None,
        either: str | Path = "",
        maybe_text: str | None = "",
        maybe_count: int | None = 0,
        words: list[str] = [],  # noqa: B006
        numbers: tuple[int, ...] = (),
        unique: frozenset[int] = frozenset(),
        paths: list[Path] = [],  # noqa: B006
        table: dict[str, int] = {},  # noqa: B006
        mode: Mode = Mode.FAST,
        level: Literal["low", "high"] = "low",
        day: datetime.date | None = None,
        price: Decimal = Decimal(0),
        pair: Pair = Pair(0),
        anything: Any = None,
        bare=None,
    ) -> None:
        self.got = {name: value for name, value in locals().items() if name != "self"}


@each(
    ("name", "text", "value"),
    [
        ("text", "none", "none"),
        ("text", "5", "5"),
        ("count", "5", 5),
        ("count", "-5", -5),
        ("share", "0.5", 0.5),
        ("share", "5", 5.0),
        ("flag", "true", True),
        ("flag", "False", False),
        ("flag", "1", True),
        ("flag", "yes", True),
        ("flag", "Off", False),
        ("path", "a/b", Path("a/b")),
        ("maybe_path", "a/b", Path("a/b")),
        ("maybe_path", "none", None),
        ("either", "a/b", "a/b"),
        ("maybe_text", "abc", "abc"),
        ("maybe_text", "none", None),
        ("maybe_count", "7", 7),
        ("maybe_count", "None", None),
        ("words", "a", ["a"]),
        ("words", "a, b,c", ["a", "b", "c"]),
        ("words", '["a,b", "c"]', ["a,b", "c"]),
        ("words", "", []),
        ("numbers", "1,2", (1, 2)),
        ("numbers", "[1, 2]", (1, 2)),
        ("numbers", "1", (1,)),
        ("unique", "1,1,2", frozenset({1, 2})),
        ("paths", "a,b/c", [Path("a"), Path("b/c")]),
        ("table", '{"a": 1}', {"a": 1}),
        ("mode", "fast", Mode.FAST),
        ("level", "high", "high"),
        ("day", "2026-01-02", datetime.date(2026, 1, 2)),
        ("price", "1.10", Decimal("1.10")),
        ("pair", '{"a": 1, "b": "x"}', Pair(1, "x")),
        ("anything", "5", "5"),
        ("bare", "5", "5"),
    ],
)
def test_text_is_converted_to_the_annotation(name, text, value):
    got = construct(Options, {name: text}, what="plugin options").got[name]
    assert got == value
    assert type(got) is type(value)


@each(
    ("name", "text", "words"),
    [
        ("count", "many", "must be a whole number, not 'many'"),
        ("count", "1.5", "must be a whole number, not '1.5'"),
        ("count", "none", "must be a whole number, not 'none'"),
        ("flag", "perhaps", "must be true or false, not 'perhaps'"),
        ("numbers", "1,x", "must be a list, not '1,x'"),
        ("table", "a=1", "must be a mapping of names to values, not 'a=1'"),
        ("mode", "slow", "must be fast, not 'slow'"),
        ("level", "middle", "must be low or high, not 'middle'"),
        ("day", "tomorrow", "invalid RFC3339 encoded date, got 'tomorrow'"),
        ("pair", "{", "must be a mapping of names to values, not '{'"),
    ],
)
def test_invalid_text_is_rejected_by_the_name_of_the_argument(name, text, words):
    with pytest.raises(ConfigError) as caught:
        construct(Options, {name: text}, what="plugin options")
    assert str(caught.value) == f"plugin options: argument {name}: {words}"


def test_an_unknown_argument_is_reported_with_the_closest_name():
    with pytest.raises(ConfigError, match=r"^plugin options has no argument 'cuont' \(did you mean count\?\)$"):
        construct(Options, {"cuont": "1"}, what="plugin options")


def test_a_missing_argument_is_reported():
    class Needs(Plugin):
        def __init__(self, path: Path, *, size: int) -> None:
            self.got = (path, size)

    assert construct(Needs, {"path": "a", "size": "1"}, what="plugin needs").got == (Path("a"), 1)
    with pytest.raises(ConfigError, match="^plugin needs needs the argument 'size'$"):
        construct(Needs, {"path": "a"}, what="plugin needs")


def test_a_type_that_text_cannot_represent_is_rejected():
    class Odd(Plugin):
        def __init__(self, callback: type[int] | None = None, other: Missing = None) -> None:  # noqa: F821
            pass

    for name in ("callback", "other"):
        with pytest.raises(ConfigError, match=f"^plugin odd: argument {name} of type .* cannot be given as text$"):
            construct(Odd, {name: "x"}, what="plugin odd")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("too small"), "plugin raising: too small"),
        (TypeError("wrong"), "plugin raising: wrong"),
        (KeyError("x"), "plugin raising cannot be created: KeyError: 'x'"),
        (OSError("no disk"), "plugin raising cannot be created: OSError: no disk"),
        (ConfigError("as it is"), "as it is"),
    ],
)
def test_an_exception_of_a_constructor_is_a_configuration_error(error, words):
    class Raising(Plugin):
        def __init__(self) -> None:
            raise error

    with pytest.raises(ConfigError) as caught:
        construct(Raising, {}, what="plugin raising")
    assert str(caught.value) == words


def test_options_of_a_class_without_constructor():
    class Bare(Plugin):
        pass

    assert options_of(Bare) == {}
    with pytest.raises(ConfigError, match="^plugin bare has no argument 'x'$"):
        construct(Bare, {"x": "1"}, what="plugin bare")


def test_the_annotations_of_a_spider_are_its_arguments():
    class Shop(Spider):
        category: str = "books"
        pages: int = 1

    assert {name: option.annotation for name, option in options_of(Shop).items() if name in ("category", "pages")} == {
        "category": str, "pages": int
    }  # fmt: skip
    spider = construct(Shop, {"pages": "3", "start_urls": "https://a.test/,https://b.test/"}, what="spider Shop")
    assert (spider.pages, spider.category) == (3, "books")
    assert list(spider.start_urls) == ["https://a.test/", "https://b.test/"]


def test_a_spider_with_its_own_constructor():
    class Shop(Spider):
        def __init__(self, start: str, pages: int = 1) -> None:
            super().__init__()
            self.start_urls = [start]
            self.pages = pages

    spider = construct(Shop, {"start": "https://a.test/", "pages": "2"}, what="spider Shop")
    assert (spider.start_urls, spider.pages) == (["https://a.test/"], 2)


def test_an_invalid_url_is_a_configuration_error():
    assert construct(SiteSpider, {"url": "https://a.test"}, what="spider").start_urls == ["https://a.test/"]
    with pytest.raises(ConfigError, match="not a URL: 'a'"):
        construct(SiteSpider, {"url": "a"}, what="spider")


class Keyed(Plugin):
    def __init__(self, token: str = "", size: int = 0, fields: dict[str, str] | None = None) -> None:
        self.given = (token, size, fields)


def test_an_argument_may_name_an_environment_variable(monkeypatch):
    monkeypatch.setenv("SECRET_OF_TEST", "abc")
    monkeypatch.setenv("SIZE_OF_TEST", "3")
    texts = {"token": "env:SECRET_OF_TEST", "size": "env:SIZE_OF_TEST", "fields": '{"X-Key": "env:SECRET_OF_TEST"}'}
    assert construct(Keyed, texts, what="plugin keyed").given == ("abc", 3, {"X-Key": "abc"})


@pytest.mark.parametrize(
    ("texts", "variables", "message"),
    [
        ({"token": "env:NOT_SET"}, {}, "argument token: the environment variable 'NOT_SET' is not set"),
        ({"token": "abc\n"}, {}, "argument token: holds a line break that cannot be sent at position 4"),
        ({"token": "env:T"}, {"T": "abc\r\n"}, "argument token: holds a line break that cannot be sent at position 4"),
        ({"size": "env:T"}, {"T": "abc"}, "argument size: must be a whole number, not 'abc'"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_without_showing_it(monkeypatch, texts, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        construct(Keyed, texts, what="plugin keyed")
    assert str(caught.value) == f"plugin keyed: {message}"


class Numbered(Plugin):
    def __init__(self, pwd: int = 0) -> None: ...


def test_a_secret_of_a_wrong_type_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        construct(Numbered, {"pwd": "abc"}, what="plugin numbered")
    assert str(caught.value) == "plugin numbered: argument pwd: must be a whole number, not ***"


def test_a_class_is_named_by_its_module(folder):
    class Typed(Plugin):
        def __init__(self, model: type, other: type | None = None) -> None:
            self.models = model, other

    (folder / "typed_models.py").write_text("class Book: pass\nnumber = 3\n")
    made = construct(Typed, {"model": "typed_models:Book", "other": "none"}, what="plugin typed")
    assert (made.models[0].__name__, made.models[1]) == ("Book", None)
    with pytest.raises(ConfigError, match="typed_models:number is not a class"):
        construct(Typed, {"model": "typed_models:number"}, what="plugin typed")


class Mapped(Plugin):
    def __init__(self, shares: dict[str, float] | None = None, size: int = 1) -> None:
        self.shares = shares


@pytest.mark.parametrize(
    ("texts", "shares"),
    [
        ({"shares.title": "0.5"}, {"title": 0.5}),
        (
            {"shares.Book.title": "1", "shares": '{"by": 0.25}', "shares.price": "0"},
            {"by": 0.25, "Book.title": 1, "price": 0},
        ),
    ],
)
def test_an_entry_of_a_mapping_is_named_by_its_key(texts, shares):
    assert construct(Mapped, texts, what="plugin mapped").shares == shares


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"share.title": "1"}, "has no argument 'share' .did you mean shares"),
        ({"shares.title": "much"}, "argument shares: "),
        ({"shares": "[1]", "shares.title": "1"}, "shares is not a JSON object, so shares.title cannot be added"),
        ({"size.x": "1"}, "argument size: "),
    ],
)
def test_a_bad_entry_is_refused(texts, words):
    with pytest.raises(ConfigError, match=words):
        construct(Mapped, texts, what="plugin mapped")
