"""`Scope`: which requests belong to a crawl, and why others do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import attrs

from crawler.scope.domains import Domains
from crawler.scope.traps import TemplateCounter, session_template, template, trap_of
from crawler.settings import Settings

if TYPE_CHECKING:
    from crawler.scope.patterns import FileTypes, Patterns

__all__ = ["Scope"]


def _patterns(setting: str, patterns: tuple[str, ...]) -> Patterns | None:
    if not patterns:
        return None
    from crawler.scope.patterns import Patterns  # noqa: PLC0415 - few crawls need it

    return Patterns(setting, patterns)


def _file_types(names: tuple[str, ...]) -> FileTypes | None:
    if not names:
        return None
    from crawler.scope.patterns import FileTypes  # noqa: PLC0415 - few crawls need it

    return FileTypes(names)


@attrs.frozen
class Scope:
    """The limits of a crawl. Only domains, depth and `exclude` apply to start pages; everything applies to links."""

    domains: Domains | None = attrs.field(default=None, converter=attrs.converters.optional(Domains))
    """The allowed hosts; `None` means any."""
    max_depth: int | None = None
    """Maximum number of links from a start page; `None` means no limit."""
    include: Patterns | None = attrs.field(default=None, kw_only=True)
    """Patterns, one of which a link must match; `None` means no restriction."""
    exclude: Patterns | None = attrs.field(default=None, kw_only=True)
    """Patterns that no request may match."""
    skip_extensions: FileTypes | None = attrs.field(default=None, kw_only=True)
    """File types that links must not have."""
    max_url_length: int | None = attrs.field(default=None, kw_only=True)
    """Maximum characters of a URL; `None` means no limit."""
    traps: bool = attrs.field(default=False, kw_only=True)
    """Whether URLs that look like crawler traps are refused."""
    template_counter: TemplateCounter | None = attrs.field(default=None, kw_only=True)
    """Counts URLs that differ only in numbers; `None` means no limit."""
    # Five URLs may differ only in a session identifier.
    _session_counter: TemplateCounter = attrs.field(init=False, factory=lambda: TemplateCounter(5))

    @classmethod
    def of(cls, domains: Iterable[str] | None, settings: Settings) -> Self:
        """Return the scope of a crawl."""
        return cls(
            domains,
            settings.max_depth,
            include=_patterns("include", settings.include),
            exclude=_patterns("exclude", settings.exclude),
            skip_extensions=_file_types(settings.skip_extensions),
            max_url_length=settings.max_url_length,
            traps=settings.traps,
            template_counter=TemplateCounter(settings.max_per_template) if settings.max_per_template else None,
        )

    @property
    def is_everything(self) -> bool:
        """Whether the scope refuses nothing."""
        return not self.traps and all(
            limit is None
            for limit in (
                self.domains, self.max_depth, self.include, self.exclude, self.skip_extensions, self.max_url_length,
                self.template_counter,
            )
        )  # fmt: skip

    def refuses(self, url: str, depth: int, *, is_waypoint: bool = False) -> str | None:
        """Return why a request is out of scope, in one word that the report counts by; `None` if it is not.

        Stateless.
        """
        if self.max_depth is not None and depth > self.max_depth:
            return "depth"
        if self.domains is not None and not self.domains.match(url):
            return "scope"
        if self.exclude is not None and self.exclude.match(url):
            return "exclude"
        return self._refuses_link(url, is_waypoint=is_waypoint) if depth else None

    def _refuses_link(self, url: str, *, is_waypoint: bool) -> str | None:
        if self.max_url_length is not None and len(url) > self.max_url_length:
            return "trap_length"
        if self.include is not None and not is_waypoint and not self.include.match(url):
            return "include"
        if self.skip_extensions is not None and not is_waypoint and self.skip_extensions.match(url):
            return "extension"
        return trap_of(url) if self.traps else None

    def overrun(self, url: str, depth: int) -> str | None:
        """Count a request that is about to enter the crawl; return why it is one too many of its kind, or `None`."""
        if not depth:
            return None
        if self.traps:
            without = session_template(url)
            if without is not url and without != url and self._session_counter.overrun(without, url):
                return "trap_session"
        if self.template_counter is not None:
            shape = template(url)
            if shape != url and self.template_counter.overrun(shape, url):
                return "trap_run"
        return None
