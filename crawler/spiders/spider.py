"""`Spider`: where a crawl starts, and what it makes of each page."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, get_origin

from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.messages import Produced, Request, Response
from crawler.settings import Settings
from crawler.suggest import did_you_mean

__all__ = ["Spider"]


class Spider(Plugin):
    """The first plugin of a crawl. Subclass it, name start pages, write `parse`.

    Keyword arguments set the annotated attributes of the class; others are refused::

        class Shop(Spider):
            category: str = "books"

        Shop(category="toys")

    Raises:
        ConfigError: an argument that the class does not declare.
    """

    start_urls: Sequence[str] = ()
    """Pages to begin with."""
    allowed_domains: Sequence[str] | None = None
    """Hosts to stay on; `None`: anywhere. ``example.com`` is meant with its subdomains, ``=example.com`` alone,
    ``~www.example.co.uk`` with all hosts of its registrable domain, ``example.com:81`` on one port."""
    accept_status: Iterable[int] = ()
    """Statuses that reach callbacks beside 200 to 299."""
    settings: Settings = Settings()
    """What this spider needs; merged along its base classes."""
    plugins: Sequence[Plugin] = ()
    """Plugins that it brings along."""
    auth: Mapping[str, Any] = {}
    """What an origin is given with every request, such as ``{"https://api.example": ("user", "password")}``; the value
    may also be ``"Bearer TOKEN"`` or any `httpx.Auth`. ``https://*.example.com`` stands for all subdomains of a domain.
    `Request.auth` goes before it."""

    waypoints: ClassVar[frozenset[str]] = frozenset()
    """Names of callbacks whose requests only lead to pages, as those for sitemaps do: they need not match `include`,
    nor have a file type that is wanted, and `dedup_content` does not compare them."""

    def __init__(self, **arguments: Any) -> None:
        declared = self.declared_arguments() if arguments else {}
        for name, value in arguments.items():
            if name not in declared:
                raise ConfigError(
                    f"spider {type(self).__name__} has no argument {name!r}{did_you_mean(name, declared)}"
                )
            setattr(self, name, value)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("settings", Spider.settings)
        if isinstance(own, dict):
            cls.settings = Settings(**own)
        elif not isinstance(own, Settings):
            raise ConfigError(f"spider {cls.__name__}: settings must be Settings, not {own!r}")

    @classmethod
    def declared_arguments(cls) -> dict[str, inspect.Parameter]:
        """The annotated attributes of the class that `__init__` sets, and `start_urls`."""
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
        """`settings` of this class over those of its bases."""
        merged = Settings()
        for base in reversed(cls.__mro__):
            own = base.__dict__.get("settings")
            if isinstance(own, Settings):
                merged = merged | own
        return merged

    def start(self) -> Produced:
        """The first requests, in any form of `parse`; pulled as they are needed, so it may never end."""
        return self._start_requests()

    def _start_requests(self) -> Iterator[Request]:
        for url in self.start_urls:
            yield Request(url)

    def parse(self, response: Response) -> Produced:
        """Callback of every request that names none."""
        raise NotImplementedError(f"{type(self).__name__} has no parse(response): write one, or name a callback")


def _annotations(base: type) -> dict[str, Any]:
    """The annotations of a class itself, resolved where that can be done."""
    try:
        return inspect.get_annotations(base, eval_str=True)
    except (NameError, TypeError, AttributeError):
        return inspect.get_annotations(base)


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):  # one that cannot be resolved
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar
