"""Checks of the arguments of the ready-made spiders."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

import msgspec

from crawler import urls
from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.redaction import HIDDEN, add_secrets, is_secret, redact
from crawler.secret_values import MAX_CONFIGURED
from crawler.settings import Settings
from crawler.settings.texts import requirement
from crawler.spiders.spider import Spider
from crawler.suggest import did_you_mean, either

__all__ = [
    "check_argument_types",
    "check_start_urls",
    "check_urls",
    "is_secret_argument",
    "learn_secrets",
    "method_name",
]


def check_argument_types(spider: Spider, kind: type[Spider]) -> None:
    """Check the arguments that `kind` declares against their annotations."""
    for name, declared in kind.declared_arguments().items():
        value, annotation = getattr(spider, name), declared.annotation
        where = f"{type(spider).__name__}: argument {name}"
        shown = HIDDEN if is_secret_argument(spider, name) else redact(repr(value))
        if get_origin(annotation) is Literal and value not in get_args(annotation):
            expected = either(get_args(annotation))
            hint = did_you_mean(str(value), get_args(annotation))
            raise ConfigError(f"{where}: must be {expected}, not {shown}{hint}")
        try:
            msgspec.convert(value, annotation)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{where}: {requirement(error, shown)}") from None


def check_start_urls(spider: Spider) -> None:
    """Check that a spider has start URLs, and that each is an absolute web URL."""
    if not spider.start_urls:
        raise ConfigError(f"{type(spider).__name__}: set the argument url, or start_urls")
    check_urls(f"{type(spider).__name__}: argument url", spider.start_urls)


def check_urls(where: str, values: Iterable[Any]) -> None:
    """Check that each value is an absolute web URL."""
    for value in values:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: a URL must be text, not {value!r}")
        try:
            urls.normalize(value)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}{urls.scheme_hint(value)}") from None


def is_secret_argument(spider: Spider, name: str) -> bool:
    """Return whether an argument holds a secret, which is never shown and may differ in each run of a job."""
    return name in spider.secret_arguments or is_secret(name)


def learn_secrets(spider: Spider, plugins: Iterable[Plugin], settings: Settings) -> None:
    """Remember the secrets that a crawl is given, so that nothing that is shown or stored later contains them."""
    add_secrets(list(spider.given_secrets), "secret")
    add_secrets(spider.start_urls[:MAX_CONFIGURED] if isinstance(spider.start_urls, (list, tuple)) else None)
    add_secrets(dict(settings.headers))
    for name in (vars(spider).keys() | spider.declared_arguments().keys()) - {"auth"}:
        add_secrets(getattr(spider, name, None), "secret" if is_secret_argument(spider, name) else "")
    for plugin in plugins:
        for name in filter(is_secret, inspect.signature(type(plugin)).parameters):
            add_secrets(getattr(plugin, name, getattr(plugin, f"_{name}", None)), "secret")
    for given in spider.auth.values() if isinstance(spider.auth, dict) else ():
        if isinstance(given, (str, tuple, list)):
            add_secrets(given if isinstance(given, str) else given[1:], "authorization")
        else:  # an `httpx.Auth`
            for name in filter(is_secret, vars(given)):
                add_secrets(vars(given)[name], "authorization")


def method_name(spider: Spider, handler: Any, where: str) -> str | None:
    """Return the name of a method of the spider; `None` for `None`."""
    if handler is None:
        return None
    name = handler if isinstance(handler, str) else getattr(handler, "__name__", repr(handler))
    found = getattr(spider, name, None) if name.isidentifier() else None
    own = handler if isinstance(handler, str) else getattr(handler, "__func__", handler)
    if not callable(found) or (not isinstance(handler, str) and getattr(found, "__func__", found) is not own):
        routines = inspect.getmembers(type(spider), inspect.isroutine)
        methods = [each for each, _ in routines if each[0] != "_" and not hasattr(Plugin, each)]
        raise ConfigError(f"{where}: {type(spider).__name__} has no method {name!r}{did_you_mean(name, methods)}")
    return name
