"""`Spider`: where a crawl starts, and what each page yields."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, get_origin

from crawler.environment import resolve_values
from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.messages import Produced, Request, Response
from crawler.settings import Settings
from crawler.suggest import did_you_mean

__all__ = ["Spider"]


class Spider(Plugin):
    """Defines where a crawl starts and what each page yields. Subclass it, set `start_urls`, and write `parse`::

        class Quotes(Spider):
            start_urls = ["https://quotes.example/"]

            def parse(self, response):
                for quote in response.css("div.quote"):
                    yield {"text": quote.css("span.text::text").get()}
                yield from response.follow_all("li.next a")

    Annotated attributes of the class are its arguments. They are set by keyword, or by ``-a NAME=VALUE`` on the command
    line::

        class Shop(Spider):
            category: str = "books"

        Shop(category="toys")

    The value ``env:NAME`` stands for the value of an environment variable.

    A spider is also the first plugin of its crawl, so it may define any hook of `Plugin`. ``self.crawl`` is the running
    crawl, and ``self.state`` a dict of JSON values that a durable job keeps.

    Raises:
        ConfigError: The class declares no argument of that name.
    """

    start_urls: Sequence[str] = ()
    """The first pages of the crawl."""
    allowed_domains: Sequence[str] | None = None
    """Hosts that the crawl stays on; `None` means any.

    ``example.com`` includes its subdomains, and ``=example.com`` does not. ``~www.example.co.uk`` means all hosts of
    its registrable domain, ``example.com:81`` one port."""
    accept_status: Iterable[int] = ()
    """HTTP statuses that reach callbacks, in addition to 200–299."""
    settings: Settings = Settings()
    """Settings of this spider, or a dict of them. Those of base classes are merged, and subclasses take precedence."""
    plugins: Sequence[Plugin] = ()
    """Plugins that the crawl uses, in addition to those it is given."""
    auth: Mapping[str, Any] = {}
    """Credentials by origin, such as ``{"https://api.example": ("user", "password")}``, sent with every request there.

    A value may also be ``"Bearer TOKEN"`` or an `httpx.Auth`. ``https://*.example.com`` means all subdomains.
    `Request.auth` takes precedence."""
    login: Any = None
    """A `Login`, or a list of them: how the crawl logs in, and keeps its sessions alive. It may be a property."""

    secret_arguments: ClassVar[frozenset[str]] = frozenset()
    """Names of arguments that hold secrets, in addition to those that say so, such as ``token`` and ``api_key``."""
    environment_arguments: Mapping[str, Any] = {}
    """Arguments that were given as ``env:NAME``, as they were given. A job stores these, not the values."""
    given_secrets: frozenset[str] = frozenset()
    """Values of secret arguments. A job stores none of them, whatever attribute holds it."""
    waypoints: ClassVar[frozenset[str]] = frozenset()
    """Names of callbacks whose requests only lead to pages, such as those of sitemaps.

    The settings `include`, `skip_extensions` and `dedup_content` do not apply to them."""

    def __init__(self, **arguments: Any) -> None:
        declared = self.declared_arguments() if arguments else {}
        for name, value in arguments.items():
            if name not in declared:
                raise ConfigError(
                    f"spider {type(self).__name__} has no argument {name!r}{did_you_mean(name, declared)}"
                )
            resolved = resolve_values(value, f"{type(self).__name__}: argument {name}")
            if resolved is not value:
                self.environment_arguments = {**self.environment_arguments, name: value}
            setattr(self, name, resolved)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("settings", Spider.settings)
        if isinstance(own, dict):
            cls.settings = Settings(**own)
        elif not isinstance(own, Settings):
            raise ConfigError(f"spider {cls.__name__}: settings must be a Settings object, not {own!r}")

    @classmethod
    def declared_arguments(cls) -> dict[str, inspect.Parameter]:
        """Return the arguments of the constructor: the annotated attributes of the class, and `start_urls`."""
        own: dict[str, Any] = {"start_urls": Sequence[str]}
        for base in reversed(cls.__mro__):
            if base not in Spider.__mro__:
                own |= _annotations(base)
        return {
            name: inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=getattr(cls, name, None), annotation=annotation
            )
            for name, annotation in own.items()
            if not name.startswith("_") and not _is_class_variable(annotation)
        }

    @classmethod
    def merged_settings(cls) -> Settings:
        """Return the settings of the class, merged with those of its base classes."""
        merged = Settings()
        for base in reversed(cls.__mro__):
            own = base.__dict__.get("settings")
            if isinstance(own, Settings):
                merged = merged | own
        return merged

    def start(self) -> Produced:
        """Yield the first requests; by default one for each of `start_urls`.

        It may have any form of a callback, and may never end: requests are taken from it as they are needed.
        """
        return self._start_requests()

    def _start_requests(self) -> Iterator[Request]:
        for url in self.start_urls:
            yield Request(url)

    def parse(self, response: Response) -> Produced:
        """Handle a response; the callback of every request that names none.

        Return or yield items and requests, in any of these forms: a generator, a function or ``async def`` that returns
        an iterable or `None`, or an async generator.

        Parameters:
            response: A response with an accepted status.
        """
        raise NotImplementedError(f"{type(self).__name__} has no parse(response): define it, or name a callback")


def _annotations(base: type) -> dict[str, Any]:
    """Return the annotations of a class itself, resolved if possible."""
    try:
        return inspect.get_annotations(base, eval_str=True)
    except (NameError, TypeError, AttributeError):
        return inspect.get_annotations(base)


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):  # it could not be resolved
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar
