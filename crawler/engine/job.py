"""`Job`: the place of a durable crawl. `identity`: the values by which a later run is the same crawl."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from crawler.environment import is_reference, resolve
from crawler.errors import JobError
from crawler.files import error_reason
from crawler.messages.checks import survives_json
from crawler.redaction import HIDDEN, add_secrets, hide_userinfo, redact_values
from crawler.secret_values import MIN_LENGTH
from crawler.settings import Settings
from crawler.spiders import Spider
from crawler.spiders.arguments import is_secret_argument
from crawler.store.identity import Identity

if TYPE_CHECKING:
    from crawler.store import Store

__all__ = ["Job", "identity"]

IDENTITY_SETTINGS: Final = ("obey_robots", "obey_nofollow", "max_depth", "max_redirects", "follow_refresh", "max_body")
"""Settings that decide which pages belong to a crawl. The others may change from run to run."""
NOT_ARGUMENTS: Final = frozenset(
    {"auth", "crawl", "environment_arguments", "given_secrets", "plugins", "position", "resumes", "settings", "state"}
)
"""Attributes of spiders that do not distinguish crawls, or are secret."""
NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9_]")
"""Characters that the name of a job in a URL does not have."""


URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""The beginning of the URL of a job."""


def _place(given: str | Path) -> str | Path:
    """Return a URL as text, and a folder as `Path`."""
    if not isinstance(given, str):
        return given
    text = resolve(given, "job")
    add_secrets(text)
    return text if URL.match(text) else Path(text)


@attrs.frozen
class Job:
    """A durable job. After a kill at any moment, the same crawl with the same job continues."""

    place: str | Path = attrs.field(converter=_place, repr=False)
    """Its folder, which is created if it does not exist; or the URL of a job that many workers share, such as
    ``postgresql://user@host/database/NAME``. ``env:NAME`` is the value of an environment variable."""
    override: bool = False
    """Continue even if the spider, its arguments or its settings have changed."""

    @property
    def folder(self) -> Path | None:
        """Its folder; `None` if it has a URL."""
        return self.place if isinstance(self.place, Path) else None

    @property
    def shown(self) -> str:
        """Its place as it may be shown."""
        return str(self.place) if isinstance(self.place, Path) else hide_userinfo(self.place.partition("?")[0])

    def named(self, name: str) -> Job:
        """Return the job of one of several spiders: a folder in its folder, or a URL that ends in ``_name``."""
        if isinstance(self.place, Path):
            return attrs.evolve(self, place=self.place / name)
        base, mark, query = self.place.partition("?")
        return attrs.evolve(self, place=f"{base}_{NOT_IN_NAMES.sub('_', name.lower())}{mark}{query}")

    def check(self) -> None:
        """Check a URL, and that the packages for it are installed; or that a folder can be looked at.

        Raises:
            ConfigError: It is not the URL of a job, or a package is not installed.
            JobError: The folder has an impossible name, or lies where this process may not look.
            PluginError: An installed store cannot be imported.
        """
        if isinstance(self.place, str):
            from crawler.store.registry import find_store  # noqa: PLC0415 - few crawls share a job

            find_store(self.place)
            return
        try:
            self.place.exists()
        except OSError as error:
            raise JobError(f"cannot use {self.place} as a job folder: {error_reason(error)}") from error

    def open(self, spider: Spider, settings: Settings, *, again: bool = False) -> AbstractAsyncContextManager[Store]:
        """Open the job of a crawl, and close it at the end of the block.

        With `again`, a folder queues the requests whose hosts an earlier run gave up.

        Raises:
            ConfigError: The URL is wrong, or a package is not installed.
            JobError: The job cannot be used, or belongs to another crawl.
        """
        known, power = identity(spider, settings), settings.durability == "power"
        if isinstance(self.place, str):
            from crawler.store.registry import find_store  # noqa: PLC0415 - few crawls share a job

            return find_store(self.place).open(self.place, known, power=power, override=self.override)
        return _opened(self.place, known, power=power, override=self.override, again=again)


@asynccontextmanager
async def _opened(folder: Path, known: Identity, *, power: bool, override: bool, again: bool) -> AsyncIterator[Store]:
    from crawler.store.sqlite import SqliteStore  # noqa: PLC0415 - only a job needs it

    store = SqliteStore(folder, known, power=power, override=override)
    store.again = again
    with store:
        yield store


def identity(spider: Spider, settings: Settings) -> Identity:
    """Return what identifies a crawl: spider, arguments, and the settings in `IDENTITY_SETTINGS`."""
    given = dict(_arguments(spider))
    references = {name: _shown_reference(text) for name, text in spider.environment_arguments.items() if name in given}
    hidden = {name for name in given if is_secret_argument(spider, name)}
    texts = {text for name in hidden | references.keys() for text in _texts(given[name])} | spider.given_secrets
    values = {text for text in texts if len(text) >= MIN_LENGTH}
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
    """Return an argument that names environment variables, without secrets next to the names."""
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
