"""`CrawlSpider`: crawls a site by rules: which links to follow, and which method handles the pages."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from crawler import html
from crawler.errors import ConfigError
from crawler.messages import Produced, Request, Response
from crawler.messages.handlers import parameter_hints
from crawler.messages.request import set_position
from crawler.spiders.arguments import method_name
from crawler.spiders.rules import Rule
from crawler.spiders.spider import Spider
from crawler.suggest import did_you_mean

__all__ = ["CrawlSpider"]

OPTIONS: Final = frozenset(inspect.signature(Request).parameters) - {"url", "callback", "errback", "cb_kwargs"}
"""Arguments of `Request` that `Rule.options` may set."""
MAX_REMEMBERED: Final = 16_384
"""Maximum number of URLs whose rule is cached."""


class _CompiledRule(Struct, frozen=True, eq=False):
    """A rule whose methods have been resolved."""

    rule: Rule
    options: dict[str, Any]
    """Arguments of `Response.follow_all`."""
    process_links: Any
    process_request: Any


class CrawlSpider(Spider):
    """Crawls pages by rules::

        class Books(CrawlSpider):
            start_urls = ["https://books.example/"]
            allowed_domains = ["books.example"]
            rules = [Rule(r"/book/", callback="parse_book"), Rule(r"/page/")]

            def parse_book(self, response):
                yield {"title": response.css("h1::text").get()}

    The rules apply to the links of every start page, and of every page whose rule follows. The first rule that accepts
    a link decides; a link that no rule accepts is ignored. Links that the crawl has seen cost no request.

    `parse` applies the rules: do not override it. Use `parse_start` for start pages, and other names for callbacks.

    Raises:
        ConfigError: An argument or a rule is invalid.
    """

    rules: ClassVar[Sequence[Rule]] = ()
    """The rules, in the order in which they are tried."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "parse" in vars(cls):
            raise ConfigError(f"{cls.__name__}.parse would replace the rules: give it another name, such as parse_item")

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._rule_by_url: dict[str, int] = {}
        self._compile_rules(self.rules)

    def parse_start(self, response: Response) -> Produced:
        """Return or yield items and requests of a start page, in any form of a callback. Rules apply in addition."""
        return None

    def parse(self, response: Response) -> Produced:
        """Handle a start page: apply the rules, then call `parse_start`."""
        self._add_links(response)
        return self.parse_start(response)

    def follow_rules(self, response: Response) -> Iterator[Request]:
        """Yield requests for the links of a page, by the rules. Your own callbacks may call it, too.

        Raises:
            ValueError: A value in the options of a rule is invalid.
        """
        if not response.is_html:
            return
        ready = self._compiled
        taken: set[str] = set()
        plain = self._claimed_by_url(response, ready) if any(one.rule.by_url for one in ready) else {}
        for index, one in enumerate(ready):
            links: Iterable[Any]
            if one.rule.by_url:
                links = [url for url in plain.get(index, ()) if url not in taken]
                taken.update(links)
            else:
                links = self._claimed_links(one, response, taken)
            requests = response.follow_all(links, **one.options)
            if one.process_request is None:
                yield from requests
            else:
                yield from self._processed(one.process_request, requests, response)

    def parse_and_follow(self, response: Response, callback: str, arguments: dict[str, Any]) -> Produced:
        """Handle a page whose rule has a callback and follows links.

        Parameters:
            response: The page.
            callback: Name of the method that gets it.
            arguments: Keyword arguments of that method.
        """
        self._add_links(response)
        method = getattr(self, callback)
        hints = parameter_hints(getattr(method, "__func__", method))
        produced: Produced = method(
            response,
            **{name: msgspec.convert(value, hints.get(name, Any)) for name, value in arguments.items()},
        )
        return produced

    def _add_links(self, response: Response) -> None:
        for request in self.follow_rules(response):
            self.crawl.add(request)

    def _no_callback(self, response: Response) -> None:
        """Handle a page that only plugins use."""

    def _claimed_by_url(self, response: Response, ready: Sequence[_CompiledRule]) -> dict[int, list[str]]:
        """Return the links of a page by the index of the first rule that accepts their URL."""
        takers = self._rule_by_url
        found: dict[int, list[str]] = {}
        areas = html.hrefs(response.document, response.url, ("area",), response.encoding)
        for url in dict.fromkeys([*response.hrefs(), *areas]) if areas else response.hrefs():
            index = takers.get(url)
            if index is None:
                if len(takers) >= MAX_REMEMBERED:
                    takers.clear()
                fitting = (n for n, one in enumerate(ready) if one.rule.by_url and one.rule.matches(url))
                index = takers[url] = next(fitting, -1)
            if index >= 0:
                found.setdefault(index, []).append(url)
        return found

    @staticmethod
    def _claimed_links(one: _CompiledRule, response: Response, taken: set[str]) -> Iterable[Any]:
        """Return the links that a rule accepts by more than their URL."""
        links: Iterable[Any] = one.rule.links(response, taken)
        if one.process_links is not None:
            links = list(one.process_links(links) or ())
        links = list(links)
        taken.update(link.url if isinstance(link, html.Link) else str(link) for link in links)
        return links

    @staticmethod
    def _processed(process: Any, requests: Iterable[Request], response: Response) -> Iterator[Request]:
        for request in requests:
            changed = process(request, response)
            if isinstance(changed, Request):
                yield set_position(changed, request.depth) if changed.depth == 0 else changed
            elif changed is not None:
                raise TypeError(f"process_request returns a Request or None, not {type(changed).__name__}")

    @functools.cached_property
    def _compiled(self) -> list[_CompiledRule]:
        """The rules at the time of the first page."""
        return self._compile_rules(self.rules)

    def _compile_rules(self, rules: Any) -> list[_CompiledRule]:
        kind = type(self).__name__
        if isinstance(rules, (str, Rule)) or not isinstance(rules, Iterable):
            raise ConfigError(f"{kind}: rules must be a list of Rule, not {rules!r}")
        return [self._compile_rule(rule, f"rule {number} of {kind}") for number, rule in enumerate(rules, 1)]

    def _compile_rule(self, rule: Any, where: str) -> _CompiledRule:
        if not isinstance(rule, Rule):
            raise ConfigError(f"{where} is not a Rule: {rule!r}")
        callback = method_name(self, rule.callback, f"{where}: callback")
        unknown = next((name for name in rule.options if name not in OPTIONS), None)
        if unknown is not None:
            raise ConfigError(f"{where}: options: unknown option {unknown!r}{did_you_mean(unknown, OPTIONS)}")
        options = rule.options | {"errback": method_name(self, rule.errback, f"{where}: errback")}
        try:
            method = None if callback is None else getattr(self, callback)
            Request("https://rule.invalid/", method, cb_kwargs=rule.cb_kwargs, **options)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from None
        if callback is None:
            options["callback"] = "follow_rules" if rule.follow else "_no_callback"
        elif rule.follow:
            options["callback"] = "parse_and_follow"
            options["cb_kwargs"] = {"callback": callback, "arguments": rule.cb_kwargs}
        elif rule.cb_kwargs:
            options |= {"callback": method, "cb_kwargs": rule.cb_kwargs}
        else:
            options["callback"] = callback
        return _CompiledRule(
            rule,
            options,
            self._function(rule.process_links, f"{where}: process_links"),
            self._function(rule.process_request, f"{where}: process_request"),
        )

    def _function(self, given: Any, where: str) -> Any:
        """Return a function, or the method of a given name. A function of the class body becomes a method."""
        if given is None:
            return None
        if isinstance(given, str) or getattr(type(self), getattr(given, "__name__", ""), None) is given:
            return getattr(self, str(method_name(self, given, where)))
        return given
