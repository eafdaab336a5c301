"""`hint_for`: what to write instead, for the commonest mistakes in callbacks.

Each entry of the tables below is a mistake that newcomers make, mostly from Scrapy, requests or asyncio. The hint ends
the message of the exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ATTRIBUTES", "IMPORTS", "MESSAGES", "describe_error", "hint_for", "message_of"]

ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    "Spider": {
        "crawler": "self.crawl is the running crawl",
        "custom_settings": "set settings = Settings(…) in the class",
        "log": "use logging.getLogger(__name__)",
        "logger": "use logging.getLogger(__name__)",
        "make_requests_from_url": "write Request(url)",
        "session": "name a cookie session in Request(url, session=…)",
        "stats": "count with self.crawl.count(name), and read self.crawl.stats",
    },
    "Crawl": {
        "engine": "the methods are here: self.crawl.stop(reason), self.crawl.add(request)",
        "signals": "a plugin has hooks instead: lifespan(), measure(), failed()",
    },
    "Response": {
        "content": "use response.body, the bytes, or response.text",
        "find": "use response.css(selector)",
        "find_all": "use response.css(selector)",
        "html": "use response.text, or response.css(selector)",
        "ok": "compare response.status; callbacks get 200 to 299 only",
        "raise_for_status": "callbacks get the statuses 200 to 299 only; others reach the errback",
        "select": "use response.css(selector)",
        "soup": "use response.css(selector)",
        "status_code": "use response.status",
        "url_join": "use response.urljoin(href)",
    },
    "Selector": {
        "find": "use .css(selector)",
        "find_all": "use .css(selector)",
        "get_text": "use .text",
        "href": "use .attrib['href']",
        "inner_text": "use .text",
        "select": "use .css(selector)",
        "string": "use .text",
        "strip": "use .get() or .text, which are strings",
        "text_content": "use .text",
    },
    "Headers": {
        "getall": "use .get_list(name)",
        "getlist": "use .get_list(name)",
    },
    "Settings": {
        "get": "settings are attributes, such as self.crawl.settings.delay",
        "getbool": "settings are attributes, such as self.crawl.settings.obey_robots",
        "getint": "settings are attributes, such as self.crawl.settings.workers",
    },
    "NoneType": dict.fromkeys(
        ("css", "lower", "replace", "split", "strip", "upper", "xpath"),
        "a selector found nothing, so .get() returned None; .get('') returns an empty string",
    ),
}
"""By class, or base class: an attribute that does not exist, and its replacement."""

ITEMS: Final = "an item is a dict, a dataclass, or an instance of an attrs, msgspec or pydantic class"
FEED_SPIDER: Final = "write from crawler.spiders import FeedSpider"
RUN: Final = "write run(Quotes()), which waits for the end of the crawl"
IMPORTS: Final[Mapping[str, str]] = {
    "CSVFeedSpider": FEED_SPIDER,
    "CloseSpider": "call self.crawl.stop(reason)",
    "CrawlerProcess": RUN,
    "CrawlerRunner": RUN,
    "DropItem": "write return Drop(reason) in the hook refine of a plugin",
    "Field": ITEMS,
    "FormRequest": 'write response.form().submit({…}), or Request(url, method="POST", data={…})',
    "HtmlResponse": "write Response",
    "IgnoreRequest": "write return Drop(reason) in the hook admit of a plugin",
    "ItemAdapter": ITEMS,
    "ItemLoader": ITEMS,
    "JsonRequest": 'write Request(url, method="POST", json={…})',
    "LinkExtractor": "give its arguments to Rule, or write response.follow_all(css)",
    "TextResponse": "write Response",
    "XMLFeedSpider": FEED_SPIDER,
}
"""Names of Scrapy that spiders import from here, and their replacements."""
IN_TRIO: Final = (
    "callbacks run in trio, not asyncio: await trio functions, or run a blocking library in trio.to_thread.run_sync(…)"
)
YIELD_EACH: Final = "write yield from …, or in async def: for each in …: yield each"
UNCALLED: Final = "name the method without calling it: callback=self.parse_item"
MESSAGES: Final = (
    (RuntimeError, "no running event loop", "callbacks run in trio, not asyncio: await trio.sleep(…)"),
    (RuntimeError, "asyncio.run() cannot be called", "callbacks run in trio, not asyncio: write async def and await"),
    (RuntimeError, "no current event loop", "callbacks run in trio, not asyncio: await trio.sleep(…)"),
    (TypeError, "Are you trying to use a library written for some other framework", IN_TRIO),
    (TypeError, "can't be used in 'await' expression", "the function is not async: leave out await"),
    (TypeError, "'async_generator' object is not iterable", "write async for"),
    (TypeError, "'coroutine' object is not iterable", "await it: write async def and await"),
    (TypeError, "requests and items, not generator", YIELD_EACH),
    (TypeError, "requests and items, not list", YIELD_EACH),
    (TypeError, "requests and items, not tuple", YIELD_EACH),
    (TypeError, "requests and items, not async_generator", "write async for each in …: yield each"),
    (TypeError, "requests and items, not coroutine", "await it: write async def and await"),
    (TypeError, "Encoding objects of type Selector", "write .get() for the first match as text, .getall() for all"),
    (TypeError, "Encoding objects of type Response", "yield its url, text or markdown()"),
    (TypeError, "Encoding objects of type ReceivedHeaders", "yield dict(response.headers.pairs)"),
    (TypeError, "Encoding objects of type Element", "yield the url and the text of a link"),
    (TypeError, "Encoding objects of type coroutine", "await it"),
    (TypeError, "Encoding objects of type generator", "make it a list: list(…)"),
    (TypeError, "url must be str, not NoneType", "a selector found nothing, so .get() returned None"),
    (ValueError, "not a web link: None", "a selector found nothing; response.follow_all(css) follows what is there"),
    (ValueError, "not a web link: [", "follow takes one link: write yield from response.follow_all(…)"),
    (ValueError, "not a web link: ", "response.follow_all(css) leaves out what is not one, such as mailto: links"),
    (ValueError, "not a URL: ", "for a link of a page write response.follow(href)"),
    (TypeError, "or its name, not <generator object", UNCALLED),
    (TypeError, "or its name, not <coroutine object", UNCALLED),
    (TypeError, "or its name, not <async_generator object", UNCALLED),
    (TypeError, "or its name, not functools.partial(", "pass arguments of the callback in cb_kwargs={…}"),
    (TypeError, "Rule.__init__() got an unexpected keyword argument 'attrs'", "write attributes=…"),
    (TypeError, "Rule.__init__() got an unexpected keyword argument 'restrict_text'", "write text=…"),
    (TypeError, "Rule.__init__() got an unexpected keyword argument 'restrict_xpaths'", "write restrict_xpath=…"),
    (TypeError, "unexpected keyword argument 'formdata'", 'write method="POST", data={…}'),
    (ModuleNotFoundError, "No module named 'requests'", "fetch in place with await self.crawl.fetch(Request(url))"),
)  # fmt: skip
"""Class of the exception, a part of its message, and what to do."""


def hint_for(error: BaseException) -> str:
    """Return what to write instead, to follow the message of an exception; empty if it is not a common mistake."""
    hint = _attribute_hint(error) if isinstance(error, AttributeError) else _message_hint(error)
    return f" ({hint})" if hint else ""


def message_of(error: BaseException) -> str:
    """Return the message of an exception. A class of a user may have no usable one."""
    try:
        return str(error)
    except Exception as broken:
        return f"its message cannot be shown ({type(broken).__name__} in __str__)"


def describe_error(error: BaseException) -> str:
    """Return the class and the message of an exception, with its hint."""
    message = message_of(error)
    return f"{type(error).__name__}{message and f': {message}'}{hint_for(error)}"


def _attribute_hint(error: AttributeError) -> str:
    for base in type(error.obj).__mro__:
        hint = ATTRIBUTES.get(base.__name__.removesuffix("List"), {}).get(error.name or "")
        if hint:
            return hint
        if base.__name__ == "Spider" and _is_annotated(type(error.obj), error.name or ""):
            return f"run it with -a {error.name}=…, or give it a value in the class"
    return ""


def _is_annotated(kind: type, name: str) -> bool:
    """Return whether a class or a base of it declares an attribute by an annotation without a value."""
    from inspect import get_annotations  # noqa: PLC0415 - only for errors

    try:
        return any(name in get_annotations(base) for base in kind.__mro__)
    except NameError:  # an annotation that cannot be resolved
        return False


def _message_hint(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "to end the crawl, call self.crawl.stop(reason)"
    if isinstance(error, ImportError) and error.name == "crawler":
        return next((hint for name, hint in IMPORTS.items() if f"cannot import name '{name}'" in str(error)), "")
    for kind, part, hint in MESSAGES:
        if isinstance(error, kind) and part in message_of(error):
            return hint
    return ""
