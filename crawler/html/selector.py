"""`Selector` and `SelectorList`: CSS, XPath, regular expressions and JMESPath, with the methods parsel made known.

Where it differs from parsel: the tree is the one browsers build (WHATWG), so there is always a ``<head>``; a string (a
text, an attribute, a value of JSON) that is queried is taken as HTML; CSS is the one of browsers, without
``:contains()`` and ``[a!=b]``.
"""

from __future__ import annotations

import html
import importlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from re import Pattern
from typing import Any, SupportsIndex, TypeAlias, overload

import turbohtml
from turbohtml import Document, Element, Node, XPath

from crawler.content.encoding import decode, replace_surrogates
from crawler.html.css import select
from crawler.html.tree import is_bounded, parse_text

__all__ = ["Selector", "SelectorList", "parse"]

_Variable: TypeAlias = "str | float | bool | Element | Iterable[Element]"

_NOTHING: Any = object()
_ENTITY = re.compile(r"&(?!(?:lt|amp);)(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPE = re.compile(r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def parse(body: bytes, label: str) -> Document:
    """The tree of an HTML body.

    Parameters:
        body: the content, bytes.
        label: its encoding, as `crawler.html.detect_encoding` gives it.

    What is in ``<noscript>`` is parsed as HTML, as without scripts, and so is what is in a declarative shadow root.
    """
    if label == "utf-8" and is_bounded(body):  # what most pages are: decoded on the way, as `decode` does it
        return turbohtml.parse(body, encoding=label, positions=False, allow_declarative_shadow_roots=False)
    return parse_text(decode(body, label))


class Selector:
    """A part of a page, and the means to find parts of it.

    Parameters:
        text: HTML to parse, or
        root: a node of turbohtml, a string, or a value of JSON (then for `jmespath`).
    """

    __slots__ = ("root",)

    root: Any
    """The node, the string or the value of JSON."""

    def __init__(self, text: str | None = None, *, root: Any = _NOTHING) -> None:
        if (text is None) == (root is _NOTHING):
            raise TypeError("a Selector takes either a text or a root")
        if text is not None:
            root = parse_text(text)
        self.root = (root.root or root) if isinstance(root, Document) else root

    def css(self, query: str) -> SelectorList:
        """What a CSS selector finds, with ``::text`` and ``::attr(name)`` for texts and attributes.

        Raises:
            ValueError: it is no CSS selector.
        """
        node = self._node()
        return SelectorList() if node is None else _list(select(node, query))

    def xpath(self, query: str, **variables: _Variable) -> SelectorList:
        """What an XPath 1.0 expression finds; ``//`` starts at the document, ``.//`` at this node.

        ``re:test(text, pattern)`` and ``has-class(name, ...)`` are there too; `variables` are its ``$name``.
        A number, a boolean or a string is a result of one string; a boolean is ``1`` or ``0``.
        Among a thousand siblings ``[preceding-sibling::p]`` takes seconds, ``[preceding-sibling::p[1]]`` does not.

        Raises:
            ValueError: it is no XPath expression, or a function or variable is unknown.
        """
        node = self._node()
        if node is None:
            return SelectorList()
        try:
            found = _xpath(query)(node, **variables)
        except (TypeError, ValueError, re.error) as error:  # the last one from a pattern of re:test
            reason = " ".join(str(error).removeprefix("xpath: ").split())
            raise ValueError(f"XPath expression {query!r}: {reason}") from None
        if isinstance(found, bool):
            found = int(found)
        return _list(found if isinstance(found, list) else [str(found)])

    def jmespath(self, expression: str) -> SelectorList:
        """What a JMESPath expression finds in a value of JSON, or in JSON that is the text here.

        A list is its elements; ``null``, and what is no JSON, is nothing.

        Raises:
            ValueError: it is no JMESPath expression.
            ImportError: jmespath is not installed.
        """
        found = _jmespath(expression, self._json())
        if found is None:
            return SelectorList()
        return _list(found if isinstance(found, list) else [found])

    def get(self, default: Any = None) -> Any:
        """The HTML of an element, the string of a text or an attribute, a value of JSON as it is.

        `default` is for `SelectorList.get`, whose signature this shares.
        """
        if isinstance(self.root, str):
            return replace_surrogates(self.root)
        return replace_surrogates(self.root.html) if isinstance(self.root, Node) else self.root

    def getall(self) -> list[Any]:
        """`get`, in a list of one."""
        return [self.get()]

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of an element; empty for anything else."""
        if not isinstance(self.root, Element):
            return {}
        element = self.root
        return {name: replace_surrogates(element.attr(name) or "") for name in element.attrs}

    def re(self, pattern: str | Pattern[str], *, replace_entities: bool = True) -> list[str]:
        """All matches of a regular expression in what `get` gives.

        Parameters:
            pattern: with a group named ``extract``, the first match of that; with groups, each group of each match.
            replace_entities: whether ``&eacute;`` and the like become characters, all but ``&lt;`` and ``&amp;``.
        """
        compiled = re.compile(pattern)
        text = self.get()
        if not isinstance(text, str):
            text = json.dumps(text, ensure_ascii=False)
        if "extract" in compiled.groupindex:
            match = compiled.search(text)
            found = [match["extract"] or ""] if match else []
        else:
            found = [group or "" for match in compiled.finditer(text) for group in match.groups() or (match[0],)]
        return [_ENTITY.sub(_character, one) for one in found] if replace_entities else found

    @overload
    def re_first(
        self, pattern: str | Pattern[str], default: None = None, *, replace_entities: bool = True
    ) -> str | None: ...
    @overload
    def re_first(self, pattern: str | Pattern[str], default: str, *, replace_entities: bool = True) -> str: ...
    def re_first(
        self, pattern: str | Pattern[str], default: str | None = None, *, replace_entities: bool = True
    ) -> str | None:
        """The first match of a regular expression, or `default`."""
        return next(iter(self.re(pattern, replace_entities=replace_entities)), default)

    def __bool__(self) -> bool:
        """Whether there is any content: false for an empty string."""
        return isinstance(self.root, Node) or bool(self.root)

    def __repr__(self) -> str:
        shown = str(self.get())
        return f"<Selector {shown[:40] + '…' if len(shown) > 40 else shown!r}>"

    def _node(self) -> Node | None:
        if isinstance(self.root, str):
            return parse_text(self.root).root
        return self.root if isinstance(self.root, Node) else None

    def _json(self) -> Any:
        if not isinstance(self.root, (Node, str)):
            return self.root
        text = self.root.text if isinstance(self.root, Node) else self.root
        try:
            return json.loads(_ESCAPE.sub(_without_half_pair, replace_surrogates(text)))
        except (ValueError, RecursionError):
            return None


class SelectorList(list[Selector]):
    """What a query found: a list, with the methods of a `Selector` for all of it."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Selector: ...
    @overload
    def __getitem__(self, index: slice, /) -> SelectorList: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> Selector | SelectorList:
        """One, or with a slice a shorter list of this kind."""
        found = super().__getitem__(index)
        return SelectorList(found) if isinstance(found, list) else found

    def css(self, query: str) -> SelectorList:
        """`Selector.css` of each, in one list."""
        return SelectorList([found for one in self for found in one.css(query)])

    def xpath(self, query: str, **variables: _Variable) -> SelectorList:
        """`Selector.xpath` of each, in one list."""
        return SelectorList([found for one in self for found in one.xpath(query, **variables)])

    def jmespath(self, expression: str) -> SelectorList:
        """`Selector.jmespath` of each, in one list."""
        return SelectorList([found for one in self for found in one.jmespath(expression)])

    def get(self, default: Any = None) -> Any:
        """`Selector.get` of the first, or `default`."""
        return self[0].get() if self else default

    def getall(self) -> list[Any]:
        """`Selector.get` of each."""
        return [one.get() for one in self]

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of the first; empty when there is none."""
        return self[0].attrib if self else {}

    def re(self, pattern: str | Pattern[str], *, replace_entities: bool = True) -> list[str]:
        """`Selector.re` of each, in one list."""
        compiled = re.compile(pattern)
        return [match for one in self for match in one.re(compiled, replace_entities=replace_entities)]

    @overload
    def re_first(
        self, pattern: str | Pattern[str], default: None = None, *, replace_entities: bool = True
    ) -> str | None: ...
    @overload
    def re_first(self, pattern: str | Pattern[str], default: str, *, replace_entities: bool = True) -> str: ...
    def re_first(
        self, pattern: str | Pattern[str], default: str | None = None, *, replace_entities: bool = True
    ) -> str | None:
        """The first match in any of them, or `default`."""
        compiled = re.compile(pattern)
        return next((match for one in self for match in one.re(compiled, replace_entities=replace_entities)), default)


def _list(found: Iterable[Any]) -> SelectorList:
    return SelectorList([Selector(root=one) for one in found])


def _has_class(context: Any, *names: str) -> bool:
    """XPath's ``has-class('a', 'b')``: whether the node has all of these classes."""
    node = context.context_node
    return isinstance(node, Element) and all(node.has_class(name) for name in names)


@lru_cache(maxsize=1024)
def _xpath(query: str) -> XPath:
    return XPath(query, extensions={(None, "has-class"): _has_class})


def _jmespath(expression: str, data: Any) -> Any:
    try:
        jmespath = importlib.import_module("jmespath")
    except ImportError:
        raise ImportError("jmespath is not installed: pip install 'trio-crawler[jmespath]'") from None
    try:
        return jmespath.search(expression, data)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"JMESPath expression {expression!r}: {reason}") from None


def _without_half_pair(escape: re.Match[str]) -> str:
    """An escape of JSON, unless it is half of a surrogate pair."""
    return r"\ufffd" if len(escape[0]) == 6 else escape[0]


def _character(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])
