"""`build_components`: the middlewares, pipelines and extensions of a project, in their order."""

from __future__ import annotations

import functools
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

from scrapy import version_info
from scrapy.exceptions import NotConfigured, ScrapyDeprecationWarning
from scrapy.utils.conf import build_component_list
from scrapy.utils.misc import load_object
from scrapy.utils.python import global_object_name
from twisted.internet.defer import Deferred

from crawler import ConfigError

__all__ = ["build_component", "build_components", "component_paths", "path_of", "takes_spider", "warn_of_deferred"]

PASSES_SPIDER: Final = version_info < (2, 14)
"""Whether the installed Scrapy passes the spider to methods that need not take it."""
REMOVED: Final = "scrapy.contrib."
"""Beginning of paths that a class no longer has."""
log = logging.getLogger("crawler.plugins.scrapy")


def component_paths(settings: Any, name: str) -> list[Any]:
    """Return the classes, or their paths, in a setting of components, such as ``ITEM_PIPELINES``, in their order.

    Raises:
        ConfigError: The setting is not a mapping of classes to numbers, or a class cannot be imported.
    """
    try:
        merge = getattr(settings, "get_component_priority_dict_with_base", settings.getwithbase)
        found = build_component_list(merge(name))
        return [load_object(path) if str(path).startswith(REMOVED) else path for path in found]
    except Exception as error:
        raise ConfigError(f"setting {name}: {type(error).__name__}: {error}") from error


def path_of(component: Any) -> str:
    """Return the path of a class, or of an instance."""
    if isinstance(component, str):
        return component
    kind = component if isinstance(component, type) else type(component)
    return f"{kind.__module__}.{kind.__qualname__}"


def build_components(crawler: Any, name: str, skip: Callable[[str], bool] = lambda _path: False) -> Iterator[Any]:
    """Yield the components that a setting names, without those that are not configured.

    Parameters:
        crawler: The `scrapy.crawler.Crawler`.
        name: The setting.
        skip: Returns whether a class is not created: its path is yielded instead. Default: all are created.

    Raises:
        ConfigError: A class cannot be imported or created.
    """
    for path in component_paths(crawler.settings, name):
        if skip(path_of(path)):
            yield path_of(path)
            continue
        try:
            yield build_component(load_object(path), crawler)
        except NotConfigured as error:
            if error.args:
                log.warning("%s is disabled: %s", path_of(path), error.args[0])
        except Exception as error:
            raise ConfigError(f"setting {name}: {path_of(path)}: {type(error).__name__}: {error}") from error


def build_component(kind: Any, crawler: Any) -> Any:
    """Create a component as Scrapy does: by `from_crawler`, `from_settings` or its constructor."""
    if hasattr(kind, "from_crawler"):
        return kind.from_crawler(crawler)
    if hasattr(kind, "from_settings"):
        return kind.from_settings(crawler.settings)
    return kind()


@functools.lru_cache(maxsize=256)
def takes_spider(method: Callable[..., Any]) -> bool:
    """Return whether a method of a component is given the spider.

    Before Scrapy 2.14 each one was; since then, only one that must be.
    """
    spider = inspect.signature(method).parameters.get("spider")
    return spider is not None and (PASSES_SPIDER or spider.default is spider.empty)


def warn_of_deferred(result: Any, method: Callable[..., Any], what: str) -> Any:
    """Return what a method of a project returned. Scrapy warns of a Deferred since 2.14."""
    if isinstance(result, Deferred) and not PASSES_SPIDER:
        name = global_object_name(getattr(method, "func", method))
        message = f"{name} returned a Deferred. Returning Deferreds from {what} is deprecated"
        warnings.warn(message, ScrapyDeprecationWarning, stacklevel=2)
    return result
