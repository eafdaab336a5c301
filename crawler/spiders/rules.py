"""`Rule`: which links of a page a `CrawlSpider` follows, and which method handles the pages they lead to."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from crawler import html
from crawler.errors import ConfigError
from crawler.html import Link
from crawler.html.link_regions import links_in_regions
from crawler.messages import Response
from crawler.messages.handlers import Handler
from crawler.scope import Scope

__all__ = ["Patterns", "Rule"]

Patterns: TypeAlias = str | re.Pattern[str] | Iterable[str | re.Pattern[str]]
"""A regular expression that is searched for in a URL, or several of them."""
Texts: TypeAlias = str | Iterable[str]
"""A string, or several of them."""
USUAL_TAGS: Final = ("a", "area")
USUAL_ATTRIBUTES: Final = ("href",)
TAG: Final = re.compile(r"[A-Za-z][\w-]*")


@attrs.frozen(init=False, eq=False)
class Rule:
    r"""Which links a `CrawlSpider` follows, and which method handles the pages they lead to::

        Rule(r"/books/\d+", "parse_book")
        Rule(r"/page/", restrict_css="nav.pages")

    A link must meet all given criteria. Methods are given by name, or as functions of the class body.

    Parameters:
        allow: Regular expressions; one of them must be found in the URL. Empty allows any URL.
        callback: Method that gets the response of each page.
        follow: Whether the rules are applied to the links of these pages, too. `None` means only without a callback.
        deny: Regular expressions; none of them may be found in the URL.
        allow_domains: Hosts, with their subdomains, that links may lead to. Empty allows any in scope of the crawl.
        deny_domains: Hosts, with their subdomains, that links may not lead to.
        restrict_css: CSS selectors of regions. Links count if they match, or are inside a match.
        restrict_xpath: XPath expressions of further regions.
        tags: Tag names of the linking elements.
        attributes: Attributes that hold the URL.
        text: A regular expression that must be found in the text of the link. `None` allows any text.
        skip_nofollow: Whether links with ``rel=nofollow``, ``ugc`` or ``sponsored`` are left out.
        cb_kwargs: Keyword arguments of the callback.
        errback: Method that gets the `Failure` of a page.
        options: Further arguments of each `Request`: ``{"priority": 5, "session": "a"}``.
        process_links: Method or function that gets a list of `Link` and returns the links or URLs to follow.
        process_request: Method or function that gets each request and the response it was found in, and returns a
            request, or `None` to drop it.

    Raises:
        ConfigError: An argument is invalid.
    """

    allow: tuple[re.Pattern[str], ...]
    callback: Handler
    follow: bool
    deny: tuple[re.Pattern[str], ...]
    allow_domains: Scope | None
    deny_domains: Scope | None
    restrict_css: tuple[str, ...]
    restrict_xpath: tuple[str, ...]
    tags: tuple[str, ...]
    attributes: tuple[str, ...]
    text: re.Pattern[str] | None
    skip_nofollow: bool
    cb_kwargs: dict[str, Any]
    errback: Handler
    options: dict[str, Any]
    process_links: str | Callable[..., Any] | None
    process_request: str | Callable[..., Any] | None
    by_url: bool
    """Whether the URL of a link alone decides, and links are those of `Response.hrefs` and ``<area href>``."""

    def __init__(
        self,
        allow: Patterns = (),
        callback: Handler = None,
        *,
        follow: bool | None = None,
        deny: Patterns = (),
        allow_domains: Texts = (),
        deny_domains: Texts = (),
        restrict_css: Texts = (),
        restrict_xpath: Texts = (),
        tags: Texts = USUAL_TAGS,
        attributes: Texts = USUAL_ATTRIBUTES,
        text: str | re.Pattern[str] | None = None,
        skip_nofollow: bool = False,
        cb_kwargs: Mapping[str, Any] | None = None,
        errback: Handler = None,
        options: Mapping[str, Any] | None = None,
        process_links: str | Callable[..., Any] | None = None,
        process_request: str | Callable[..., Any] | None = None,
    ) -> None:
        css, xpath = _texts("restrict_css", restrict_css), _texts("restrict_xpath", restrict_xpath)
        kinds, places = _texts("tags", tags), _texts("attributes", attributes)
        if wrong := [kind for kind in kinds if not TAG.fullmatch(kind)]:
            raise ConfigError(f"Rule: tags: not a tag name: {wrong[0]!r}")
        _try("restrict_css", html.Selector("<p>").css, css)
        _try("restrict_xpath", html.Selector("<p>").xpath, xpath)
        usual = (kinds, places) == (USUAL_TAGS, USUAL_ATTRIBUTES)
        self.__attrs_init__(
            allow=_patterns("allow", allow),
            callback=_handler("callback", callback),
            follow=callback is None if follow is None else _boolean("follow", follow),
            deny=_patterns("deny", deny),
            allow_domains=_domains("allow_domains", allow_domains),
            deny_domains=_domains("deny_domains", deny_domains),
            restrict_css=css,
            restrict_xpath=xpath,
            tags=kinds,
            attributes=places,
            text=None if text is None else _patterns("text", (text,))[0],
            skip_nofollow=_boolean("skip_nofollow", skip_nofollow),
            cb_kwargs=_mapping("cb_kwargs", cb_kwargs),
            errback=_handler("errback", errback),
            options=_mapping("options", options),
            process_links=_handler("process_links", process_links),
            process_request=_handler("process_request", process_request),
            by_url=usual and not (css or xpath or text is not None or skip_nofollow or process_links),
        )

    def matches(self, url: str) -> bool:
        """Return whether the rule accepts a URL.

        Parameters:
            url: Canonical URL.
        """
        if self.allow and not any(pattern.search(url) for pattern in self.allow):
            return False
        if self.deny and any(pattern.search(url) for pattern in self.deny):
            return False
        if self.allow_domains is not None and self.allow_domains.refuses(url, 0) is not None:
            return False
        return self.deny_domains is None or self.deny_domains.refuses(url, 0) is not None

    def links(self, response: Response, taken: Container[str]) -> list[Link]:
        """Return the links of a page that the rule accepts, without repeats.

        Parameters:
            response: An HTML page.
            taken: URLs that an earlier rule has claimed.
        """
        picked = links_in_regions(
            response.document,
            response.url,
            tags=self.tags,
            attributes=self.attributes,
            css=self.restrict_css,
            xpath=self.restrict_xpath,
            encoding=response.encoding,
        )
        found: dict[str, Link] = {}
        for link in picked:
            url = link.url
            if url in taken or url in found or not self.matches(url):
                continue
            if self.skip_nofollow and link.nofollow:
                continue
            if self.text is None or self.text.search(link.text):
                found[url] = link
        return list(found.values())


def _patterns(name: str, value: Any) -> tuple[re.Pattern[str], ...]:
    several = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else (value,)
    patterns = []
    for one in several:
        if not isinstance(one.pattern if isinstance(one, re.Pattern) else one, str):
            raise ConfigError(f"Rule: {name} must be a regular expression or several, not {value!r}")
        try:
            patterns.append(re.compile(one))
        except re.error as error:
            raise ConfigError(f"Rule: {name}: {error}: {one!r}") from None
    return tuple(patterns)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    several = tuple(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else (value,)
    for text in several:
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(f"Rule: {name} must be a string or several, not {value!r}")
    return several


def _domains(name: str, value: Any) -> Scope | None:
    domains = _texts(name, value)
    try:
        return Scope(domains=domains) if domains else None
    except ConfigError as error:
        raise ConfigError(f"Rule: {str(error).replace('allowed_domains', name, 1)}") from None


def _handler(name: str, value: Any) -> Any:
    if value is not None and not callable(value) and not isinstance(value, str):
        raise ConfigError(f"Rule: {name} must be a method or its name, not {value!r}")
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"Rule: {name} must be true or false, not {value!r}")
    return value


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise ConfigError(f"Rule: {name} must be a mapping of names to values, not {value!r}")
    return dict(value or {})


def _try(name: str, find: Callable[[str], object], queries: Iterable[str]) -> None:
    for query in queries:
        try:
            find(query)
        except ValueError as error:
            raise ConfigError(f"Rule: {name}: {error}") from None
