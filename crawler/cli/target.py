"""``TARGET``: a file, a file and a class, a module and a class, or a URL. Each names one spider; all URLs name one."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from os.path import relpath
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, TypeGuard

from crawler import urls
from crawler.environment import resolve_credentials
from crawler.errors import ConfigError, CrawlerError
from crawler.hints import hint_for
from crawler.hooks.load import construct, import_class, import_standard_library
from crawler.lazy_pattern import lazy_pattern
from crawler.other_names import other_name
from crawler.redaction import hide_userinfo
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.spiders.arguments import is_secret_argument
from crawler.suggest import did_you_mean

__all__ = ["SPIDER_FORMS", "check_url", "make_spider", "make_spiders"]

IMPORT_OF_SCRAPY: Final = lazy_pattern(r"(?m)^[ \t]*(?:from|import)[ \t]+scrapy\b")
REFERENCE: Final = lazy_pattern(r'(\A|")env:')
"""An argument that names an environment variable, or a JSON value that does."""
SPIDER_FORMS: Final = "a spider is FILE.py, FILE.py:Class, MODULE:Class or a URL"


def make_spider(
    target: str, arguments: Mapping[str, str], scrapy_settings: Mapping[str, str] = MappingProxyType({})
) -> Spider:
    """Create the spider that `target` names."""
    if "://" in target:
        return _spider_of_urls([target], arguments, scrapy_settings)
    scheme, colon, rest = target.partition(":")
    if colon and scheme.lower() in {"http", "https"} and not rest.isidentifier():
        hint = f" (did you mean {scheme}://{hide_userinfo(rest.lstrip('/'))}?)" if rest.strip("/") else ""
        raise ConfigError(f"not a URL: {hide_userinfo(target)!r}{hint}")
    if urls.HOST_AND_PORT.fullmatch(target):
        raise ConfigError(f"no such spider: {target} (did you mean http://{target}?)")
    return _create(_class_of(target), arguments, scrapy_settings)


def make_spiders(
    targets: Sequence[str],
    names: Sequence[str],
    arguments: Callable[[str], Mapping[str, str]],
    scrapy_settings: Mapping[str, str] = MappingProxyType({}),
) -> list[Spider]:
    """Create the spiders that targets name, in their order. One spider crawls all URLs."""
    spiders: list[Spider] = []
    if not names:
        sites = [*dict.fromkeys(target for target in targets if "://" in target)]
        for place, target in enumerate(targets):
            if target not in sites:
                spiders.append(make_spider(target, arguments(target), scrapy_settings))
            elif place == targets.index(sites[0]):
                spiders.append(_spider_of_urls(sites, arguments(target), scrapy_settings))
        return spiders
    known: dict[str, str] = {}
    for target in targets:
        if not target.endswith(".py"):
            raise ConfigError(f"--spider chooses from files, and {hide_userinfo(target)} is not a file")
        for kind in _spiders_in(_load_file(Path(target))):
            own = (kind.__name__, getattr(kind, "name", None) or kind.__name__)  # base classes of Scrapy have none
            if any(name in names for name in own):
                spiders.append(_create(kind, arguments(target), scrapy_settings))
            known |= dict.fromkeys(own, kind.__name__)
    for name in names:
        if name not in known:
            its_spiders = f" (its spiders: {', '.join(dict.fromkeys(known.values()))})" if known else ""
            raise ConfigError(f"no spider {name!r} in {', '.join(targets)}{did_you_mean(name, known) or its_spiders}")
    return spiders


def _spider_of_urls(targets: Sequence[str], arguments: Mapping[str, str], scrapy_settings: Mapping[str, str]) -> Spider:
    """Create the spider that crawls the sites of URLs."""
    from crawler.spiders import SiteSpider  # noqa: PLC0415 - it reads forms and Link fields, which few spiders need

    given = {"url": [check_url(target) for target in targets]}
    spider = construct(SiteSpider, arguments, what="the spider of a URL", given=given)
    return _finished(spider, arguments, scrapy_settings)


def _create(kind: type[Any], arguments: Mapping[str, str], scrapy_settings: Mapping[str, str]) -> Spider:
    """Create a spider of a class, which may be one of Scrapy's."""
    if not issubclass(kind, Spider):
        from crawler.cli.scrapy_project import spider_of_class  # noqa: PLC0415 - few spiders are Scrapy's

        return spider_of_class(kind, arguments, scrapy_settings)
    return _finished(
        construct(kind, arguments, what=f"spider {kind.__name__}", form="-a {}"), arguments, scrapy_settings
    )


def _finished(spider: Spider, arguments: Mapping[str, str], scrapy_settings: Mapping[str, str]) -> Spider:
    """Return a spider that knows which of its arguments name environment variables, and which values are secret."""
    if scrapy_settings:
        Settings.from_strings(scrapy_settings)  # which knows the names here
    named = {name: text for name, text in arguments.items() if REFERENCE.search(text)}
    if named:
        spider.environment_arguments = named
    hidden = {text for name, text in arguments.items() if name in named or is_secret_argument(spider, name)}
    if hidden:  # its constructor may keep a value under another name
        spider.given_secrets = frozenset(resolve_credentials(text, "arguments") for text in hidden)
    return spider


def check_url(text: str) -> str:
    """Return a URL unchanged if it is an absolute http or https URL."""
    try:
        urls.normalize(text)
    except ValueError as error:
        raise ConfigError(f"{error}{urls.scheme_hint(text)}") from None
    return text


def _class_of(target: str) -> type[Any]:
    if not target:
        raise ConfigError(f"TARGET is empty: {SPIDER_FORMS}")
    path, colon, name = target.rpartition(":") if ":" in target else (target, "", "")
    if path.endswith(".py"):
        module = _load_file(Path(path))
        return _only_spider(module, path) if not colon else _checked(_named(module, name, path), target)
    if colon:
        return _checked(import_class(target), target)
    if Path(target).is_dir():
        raise ConfigError(f"{target} is a folder: {SPIDER_FORMS}")
    if Path(target).exists():
        raise ConfigError(f"{target} is not a Python file: {SPIDER_FORMS}")
    if Path(f"{target}.py").is_file():
        hint = f" (did you mean {target}.py?)"
    else:
        hint = f" (did you mean https://{target}?)" if "." in target and "/" not in target.partition(".")[0] else ""
    raise ConfigError(f"no such file: {hide_userinfo(target)}{hint}: {SPIDER_FORMS}{_hint_of_project(Path())}")


def _hint_of_project(folder: Path) -> str:
    """Return how to run the spiders of the Scrapy project that a folder belongs to; empty if it belongs to none."""
    place = folder.resolve()
    found = next((one for one in (place, *place.parents) if (one / "scrapy.cfg").is_file()), None)
    return "" if found is None else f" (spiders of this Scrapy project: crawler run --scrapy {relpath(found)} NAME)"


def _load_file(path: Path) -> ModuleType:
    """Import a file as a module. It can import the modules in its folder, and those in the current one."""
    if not path.is_file():
        if path.exists():
            raise ConfigError(f"{path} is not a regular file")
        neighbours = [str(found) for found in path.parent.glob("*.py")]
        raise ConfigError(f"no such file: {path}{did_you_mean(str(path), neighbours)}")
    for folder in dict.fromkeys((Path.cwd(), path.parent.resolve())):
        import_standard_library(folder)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    name = path.stem
    while name in sys.modules or name in sys.stdlib_module_names:
        name = f"_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        if IMPORT_OF_SCRAPY.search(path.read_text(encoding="utf-8", errors="replace")):
            from crawler.cli.scrapy_project import prepare_import  # noqa: PLC0415 - few spiders are Scrapy's

            prepare_import(path)
        spec.loader.exec_module(module)
    except SyntaxError as error:
        where = path if error.lineno is None else f"{error.filename}:{error.lineno}"
        raise ConfigError(f"{where}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{_location(error, path)}: {_one_line(error)}") from error
    return module


def _only_spider(module: ModuleType, path: str) -> type[Any]:
    """Return the only spider that a module defines."""
    found = _spiders_in(module)
    if not found:
        hint = _hint_of_project(Path(path).parent)
        raise ConfigError(f"no spider in {path}: define a class that derives from crawler.Spider{hint}")
    if len(found) > 1:
        names = ", ".join(kind.__name__ for kind in found)
        raise ConfigError(f"several spiders in {path} ({names}): choose one, such as {path}:{found[0].__name__}")
    return found[0]


def _spiders_in(module: ModuleType) -> list[type[Any]]:
    """Return the spiders that a module defines and does not hide; those of Scrapy if there are no others."""
    own = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    return [value for value in own if _is_spider(value)] or [value for value in own if is_scrapy_spider(value)]


def _named(module: ModuleType, name: str, path: str) -> Any:
    if not hasattr(module, name):
        spiders = [key for key, value in vars(module).items() if _is_spider(value) or is_scrapy_spider(value)]
        hint = did_you_mean(name, spiders) or (f" (its spiders: {', '.join(spiders)})" if spiders else "")
        raise ConfigError(f"{path} has no {name!r}{hint}")
    return getattr(module, name)


def _checked(found: Any, target: str) -> type[Any]:
    if not _is_spider(found) and not is_scrapy_spider(found):
        raise ConfigError(f"{target} is not a spider: it does not derive from crawler.Spider")
    spider: type[Any] = found
    return spider


def _is_spider(value: Any) -> TypeGuard[type[Spider]]:
    return inspect.isclass(value) and issubclass(value, Spider) and value is not Spider


def is_scrapy_spider(value: Any) -> bool:
    """Return whether a value is a class of Scrapy spiders, without an import of Scrapy."""
    return inspect.isclass(value) and any(
        base.__module__ == "scrapy.spiders" and base.__name__ == "Spider" for base in value.__mro__[1:]
    )


def _location(error: BaseException, path: Path) -> str:
    """Return the file and line of the user's code that raised an error."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    last = (own or frames)[-1]
    return f"{path if own else last.filename}:{last.lineno}"


def _one_line(error: BaseException) -> str:
    """Describe an error in one line."""
    if isinstance(error, ModuleNotFoundError) and error.name == "scrapy":
        return "the file imports Scrapy, which is not installed: pip install 'trio-crawler[scrapy]'"
    if isinstance(error, SystemExit):
        return "the file exited while it was imported; put such code under: if __name__ == '__main__'"
    text = str(error).partition("\n")[0]
    if isinstance(error, CrawlerError):
        return text
    if isinstance(error, ImportError) and error.name == "crawler":
        text = _without_path(text, error)
    return f"{type(error).__name__}: {text}{hint_for(error)}"


def _without_path(text: str, error: ImportError) -> str:
    """Return the message of a name that this package does not have, with the closest name instead of the path."""
    package = importlib.import_module("crawler")
    if error.path != package.__file__:  # a file of the user with the same name
        return text
    head, _, _ = text.partition(" (")
    name = head.partition("'")[2].partition("'")[0]
    return head + ("" if other_name("import", name) else did_you_mean(name, package.__all__))
