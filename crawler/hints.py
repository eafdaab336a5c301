"""`hint_for`: what to write instead, for the commonest mistakes in callbacks, to end the message of an exception.

Mistaken names are in `other_names`; the table here is of messages of other exceptions.
"""

from __future__ import annotations

from inspect import get_annotations
from typing import Final

from crawler.other_names import other_name

__all__ = ["MESSAGES", "describe_error", "hint_for", "message_of"]

IN_TRIO: Final = (
    "callbacks run in trio, not asyncio: await trio functions, or run a blocking library in trio.to_thread.run_sync(…)"
)
YIELD_EACH: Final = "write yield from …, or in async def: for each in …: yield each"
UNCALLED: Final = "name the method without calling it: callback=self.parse_item"
ROW: Final = "a sink gets rows: row.item is the item, a dict"
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
    (TypeError, "unexpected keyword argument 'user_data'", "write meta={…}, or cb_kwargs={…} for the callback"),
    (TypeError, "'Row' object", ROW),
    (TypeError, "type Row is not JSON serializable", ROW),
    (TypeError, "Encoding objects of type Row", ROW),
    (ModuleNotFoundError, "No module named 'requests'", "fetch in place with await self.crawl.fetch(Request(url))"),
)  # fmt: skip
"""Class of the exception, a part of its message, and what to do."""


def hint_for(error: BaseException) -> str:
    """Return what to write instead, to follow the message of an exception; empty if it is not a common mistake."""
    if isinstance(error, AttributeError):
        hint = _attribute_hint(error)
    elif isinstance(error, KeyError):
        hint = other_name("missing key", str(error.args[0])) if error.args else ""
    else:
        hint = _message_hint(error)
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
    if type(error.obj).__name__ == "Row":
        return ROW
    for base in type(error.obj).__mro__:
        hint = other_name(base.__name__.removesuffix("List"), error.name or "")
        if hint:
            return hint
        if base.__name__ == "Spider" and _is_annotated(type(error.obj), error.name or ""):
            return f"run it with -a {error.name}=…, or give it a value in the class"
    return ""


def _is_annotated(kind: type, name: str) -> bool:
    """Return whether a class or a base of it declares an attribute by an annotation without a value."""
    try:
        return any(name in get_annotations(base) for base in kind.__mro__)
    except NameError:  # an annotation that cannot be resolved
        return False


def _message_hint(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "to end the crawl, call self.crawl.stop(reason)"
    if isinstance(error, ImportError) and error.name == "crawler":
        return other_name("import", str(error).partition("cannot import name '")[2].partition("'")[0])
    for kind, part, hint in MESSAGES:
        if isinstance(error, kind) and part in message_of(error):
            return hint
    return ""
