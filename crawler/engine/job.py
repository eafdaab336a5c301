"""`Job`: the folder of a durable crawl. `identity`: what makes a later run the same crawl."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from crawler.environment import is_reference
from crawler.messages.checks import survives_json
from crawler.redaction import HIDDEN, redact_values
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.spiders.arguments import is_secret_argument
from crawler.store.identity import Identity

__all__ = ["Job", "identity"]

IDENTITY_SETTINGS: Final = ("obey_robots", "obey_nofollow", "max_depth", "max_redirects", "follow_refresh", "max_body")
"""Settings that decide which pages belong to a crawl. The others may change from run to run."""
NOT_ARGUMENTS: Final = frozenset(
    {"auth", "crawl", "environment_arguments", "given_secrets", "plugins", "position", "resumes", "settings", "state"}
)
"""Attributes of spiders that do not distinguish crawls, or are secret."""
MIN_SECRET: Final = 6
"""Characters of the shortest secret that is looked for in other attributes of the spider."""


@attrs.frozen
class Job:
    """A durable job. After a kill at any moment, the same crawl with the same job continues."""

    folder: Path = attrs.field(converter=Path)
    """Its folder, which is created if it does not exist."""
    override: bool = False
    """Continue even if the spider, its arguments or its settings have changed."""


def identity(spider: Spider, settings: Settings) -> Identity:
    """Return what identifies a crawl: spider, arguments, and the settings in `IDENTITY_SETTINGS`."""
    given = dict(_arguments(spider))
    references = {name: _shown_reference(text) for name, text in spider.environment_arguments.items() if name in given}
    hidden = {name for name in given if is_secret_argument(spider, name)}
    texts = {text for name in hidden | references.keys() for text in _texts(given[name])} | spider.given_secrets
    values = {text for text in texts if len(text) >= MIN_SECRET}
    arguments: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    for name, value in given.items():
        if name not in references:
            shown = _without(redact_values(value), values)
            if name in hidden or shown != value:
                secrets[name] = value
            if name not in hidden:
                arguments[name] = shown
        elif name not in hidden:
            arguments[name] = references[name]
    return Identity(
        crawl={
            "spider": f"{spider.name} ({type(spider).__qualname__})",
            "arguments": arguments,
            "settings": {name: getattr(settings, name) for name in IDENTITY_SETTINGS},
        },
        secrets=secrets,
        references={name: text for name, text in references.items() if name in hidden},
    )


def _arguments(spider: Spider) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of what may be arguments of a spider, as JSON values."""
    for name, value in vars(spider).items():
        if not name.startswith("_") and name not in NOT_ARGUMENTS:
            plain = list(value) if isinstance(value, tuple) else value
            if survives_json(plain):  # else it is not an argument from a command line
                yield name, plain


def _shown_reference(given: Any) -> Any:
    """Return an argument that names environment variables, without secrets that stand beside the names."""
    if is_reference(given):
        return given
    try:
        return redact_values(msgspec.json.decode(given) if isinstance(given, str) else given)
    except msgspec.DecodeError:
        return HIDDEN


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _without(value: Any, secrets: set[str]) -> Any:
    """Return a JSON value without secrets: an attribute may contain one that was given in another argument."""
    if isinstance(value, str):
        return functools.reduce(lambda text, secret: text.replace(secret, HIDDEN), secrets, value)
    if isinstance(value, dict):
        return {name: _without(part, secrets) for name, part in value.items()}
    return [_without(part, secrets) for part in value] if isinstance(value, list) else value
