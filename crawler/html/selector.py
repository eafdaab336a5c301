"""`Selector` and `SelectorList`: CSS, XPath, regular expressions and JMESPath, with the methods of parsel.

Differences from parsel: the tree is the one that browsers build (WHATWG), so there is always a ``<head>``; strings that
are queried (a text, an attribute, a JSON string) are parsed as HTML; CSS is that of browsers and ``:contains()``,
without ``[a!=b]``.
"""

from __future__ import annotations

import html
import importlib
import json
import re
from collections.abc import Generator, Iterable, Mapping
from functools import lru_cache
from re import Pattern
from typing import Any, SupportsIndex, TypeAlias, overload

import turbohtml
from turbohtml import Document, Element, Node, XPath

from crawler.content.encoding import decode, replace_surrogates
from crawler.html.css import select
from crawler.html.tree import is_bounded, parse_steps, parse_text
from crawler.lazy_pattern import lazy_pattern

__all__ = ["Selector", "SelectorList", "parse", "parse_in_steps"]

_Variable: TypeAlias = "str | float | bool | Element | Iterable[Element]"

_NOTHING: Any = object()
_new = object.__new__
_ENTITY = lazy_pattern(r"&(?!(?:lt|amp);)(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPE = lazy_pattern(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def parse(body: bytes, label: str) -> Document:
    """Parse the body of an HTML page.

    The content of ``<noscript>`` is parsed as HTML, as in browsers without scripts; so is that of declarative shadow
    roots.

    Parameters:
        body: The content.
        label: WHATWG name of its encoding, as `crawler.content.detect_encoding` returns it.
    """
    if label == "utf-8" and is_bounded(body):  # most pages: turbohtml decodes them while it parses, as `decode` does
        return turbohtml.parse(body, encoding=label, positions=False, allow_declarative_shadow_roots=False)
    return parse_text(decode(body, label))


def parse_in_steps(body: bytes, label: str) -> Generator[None, None, Document]:
    """Parse the body of a large page as `parse` does, and yield several times a second."""
    text = decode(body, label)
    yield
    return (yield from parse_steps(text))


class Selector:
    """A part of a page, with methods to select from it. Give either `text` or `root`.

    Parameters:
        text: HTML to parse.
        root: A turbohtml node, a string, or a JSON value for `jmespath`.

    Raises:
        TypeError: Both arguments are given, or neither.
    """

    __slots__ = ("root",)

    root: Any
    """The node, string or JSON value."""

    def __init__(self, text: str | None = None, *, root: Any = _NOTHING) -> None:
        if (text is None) == (root is _NOTHING):
            raise TypeError("give a Selector either text or root")
        if text is not None:
            root = parse_text(text)
        self.root = (root.root or root) if isinstance(root, Document) else root

    def css(self, query: str) -> SelectorList:
        """Select by a CSS selector. ``::attr(name)`` selects attributes, ``::text`` the texts directly inside elements.

        The text of ``<p>a <b>b</b></p>`` is two texts, of which ``p::text`` selects the first; `text` has all of it.

        Raises:
            ValueError: The selector is invalid.
        """
        node = self._node()
        return SelectorList() if node is None else self._list(select(node, query))

    def xpath(self, query: str, namespaces: Mapping[str, str] | None = None, **variables: _Variable) -> SelectorList:
        """Select by an XPath 1.0 expression. ``//`` starts at the document, ``.//`` at this node.

        The functions ``re:test(text, pattern)`` and ``has-class(name, ...)`` are available. A number, boolean or string
        as the result becomes one string; booleans are ``1`` and ``0``. Avoid ``[preceding-sibling::p]``: it takes
        seconds with a thousand siblings, which ``[preceding-sibling::p[1]]`` does not.

        HTML has no namespaces: ``g:price`` selects elements that are written so.

        Parameters:
            query: The expression.
            namespaces: Prefixes and their namespaces, for `XmlSelector`.
            variables: Values of its ``$name`` variables.

        Raises:
            ValueError: The expression is invalid, or uses an unknown function or variable.
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
        return self._list(found if isinstance(found, list) else [str(found)])

    def jmespath(self, expression: str) -> SelectorList:
        """Select from a JSON value, or from text that is JSON, by a JMESPath expression.

        A list becomes one selector per element; ``null`` and invalid JSON become none.

        Raises:
            ValueError: The expression is invalid.
            ImportError: jmespath is not installed.
        """
        found = _jmespath(expression, self._json())
        if found is None:
            return SelectorList()
        return _list(found if isinstance(found, list) else [found])

    def get(self, default: Any = None) -> Any:
        """Return an element as HTML, a text or attribute as a string, a JSON value as it is.

        Parameters:
            default: Not used; `SelectorList.get` has it.
        """
        if isinstance(self.root, str):
            return replace_surrogates(self.root)
        return replace_surrogates(self.root.html) if isinstance(self.root, Node) else self.root

    def getall(self) -> list[Any]:
        """Return a list with the result of `get`."""
        return [self.get()]

    def extract(self) -> Any:
        """Return the result of `get`, by its former name."""
        return self.get()

    def drop(self) -> None:
        """Remove the node from its page. Other selectors of the page, and links that are read later, miss it too.

        Raises:
            ValueError: The selector holds a text, an attribute or a value, or its node has no parent.
        """
        parent = self.root.parent if isinstance(self.root, Node) else self
        if parent is self:
            raise ValueError(f"{self!r} is not an element: select the element without ::text or ::attr() and drop that")
        if parent is None or isinstance(parent, Document):
            raise ValueError(f"{self!r} has no parent that it could be removed from")
        self.root.extract()

    def register_namespace(self, prefix: str, uri: str) -> None:
        """Let a prefix stand for a namespace in queries of XML. HTML has no namespaces: there it has no effect.

        Parameters:
            prefix: The prefix in queries. The document may use another one.
            uri: Name of the namespace.
        """

    def remove_namespaces(self) -> None:
        """Remove the prefixes of all elements and attributes, and the declarations of namespaces.

        ``g:price`` becomes ``price``. An attribute keeps its prefix if the element has one of the name without it.
        """
        if isinstance(self.root, Node):
            _remove_prefixes(self.root)

    @property
    def text(self) -> str:
        """All text of an element as a browser shows it: blocks on lines of their own, white space collapsed.

        Scripts, styles and hidden elements are left out, and the cells of a row are separated by tabs. ``::text`` in
        `css` selects the texts directly inside an element instead, as they are written.
        """
        from crawler.html.inner_text import inner_text  # noqa: PLC0415 - not every spider needs it

        if isinstance(self.root, Node):
            return replace_surrogates(inner_text(self.root))
        return " ".join(str(self.get()).split())

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of an element; empty for anything else."""
        if not isinstance(self.root, Element):
            return {}
        element = self.root
        return {name: replace_surrogates(element.attr(name) or "") for name in element.attrs}

    def re(self, pattern: str | Pattern[str], *, replace_entities: bool = True) -> list[str]:
        """Return all matches of a regular expression in the result of `get`.

        Parameters:
            pattern: The expression. With a group named ``extract``, only the first match of that group is returned;
                with other groups, each group of each match.
            replace_entities: Whether character references such as ``&eacute;`` are replaced, except ``&lt;`` and
                ``&amp;``.
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
        """Return the first match of a regular expression; `default` if there is none. See `re`."""
        return next(iter(self.re(pattern, replace_entities=replace_entities)), default)

    def __bool__(self) -> bool:
        """Whether the selector has content: false for an empty string."""
        return isinstance(self.root, Node) or bool(self.root)

    def __repr__(self) -> str:
        shown = str(self.get())
        return f"<Selector {shown[:40] + '…' if len(shown) > 40 else shown!r}>"

    def _node(self) -> Node | None:
        if isinstance(self.root, Node):
            return self.root
        return parse_text(self.root).root if isinstance(self.root, str) else None

    def _list(self, found: Iterable[Any]) -> SelectorList:
        return _list(found)

    def _json(self) -> Any:
        if not isinstance(self.root, (Node, str)):
            return self.root
        text = self.root.text if isinstance(self.root, Node) else self.root
        try:
            return json.loads(_ESCAPE.sub(_without_half_pair, replace_surrogates(text)))
        except (ValueError, RecursionError):
            return None


class SelectorList(list[Selector]):
    """The result of a query: a list of selectors with the methods of `Selector`."""

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
        """Return the results of `Selector.css` for each selector in one list."""
        return SelectorList([found for one in self for found in one.css(query)])

    def xpath(self, query: str, namespaces: Mapping[str, str] | None = None, **variables: _Variable) -> SelectorList:
        """Return the results of `Selector.xpath` for each selector in one list."""
        return SelectorList([found for one in self for found in one.xpath(query, namespaces, **variables)])

    def jmespath(self, expression: str) -> SelectorList:
        """Return the results of `Selector.jmespath` for each selector in one list."""
        return SelectorList([found for one in self for found in one.jmespath(expression)])

    def get(self, default: Any = None) -> Any:
        """Return the result of `Selector.get` for the first selector; `default` if there is none."""
        return self[0].get() if self else default

    def getall(self) -> list[Any]:
        """Return the result of `Selector.get` for each selector."""
        return [one.get() for one in self]

    def extract(self) -> list[Any]:
        """Return the result of `getall`, by its former name."""
        return self.getall()

    def extract_first(self, default: Any = None) -> Any:
        """Return the result of `get`, by its former name."""
        return self.get(default)

    def drop(self) -> None:
        """Remove the node of each selector from its page. See `Selector.drop`."""
        for one in self:
            one.drop()

    @property
    def text(self) -> str:
        """`Selector.text` of the first selector; empty if there is none."""
        return self[0].text if self else ""

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of the first element; empty if there is none."""
        return self[0].attrib if self else {}

    def re(self, pattern: str | Pattern[str], *, replace_entities: bool = True) -> list[str]:
        """Return the matches of `Selector.re` for each selector in one list."""
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
    selectors = SelectorList()
    for one in found:
        selector = _new(Selector)  # there are no arguments to check, and pages have thousands
        selector.root = one
        selectors.append(selector)
    return selectors


def _has_class(context: Any, *names: str) -> bool:
    """Implement XPath's ``has-class('a', 'b')``: whether the node has all of these classes."""
    node = context.context_node
    return isinstance(node, Element) and all(node.has_class(name) for name in names)


@lru_cache(maxsize=1024)
def _xpath(query: str) -> XPath:
    if not isinstance(query, str):
        raise TypeError(f"must be str, not {type(query).__name__}")
    if ":" in query:
        from crawler.html.xml_names import xpath_by_name  # noqa: PLC0415 - few queries need it

        query = xpath_by_name(query, is_xml=False)
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
    """Return an escape of JSON unchanged, unless it is half of a surrogate pair."""
    return r"\ufffd" if len(escape[0]) == 6 else escape[0]


def _character(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])


def _remove_prefixes(node: Node) -> None:
    """Remove the prefixes of elements and attributes in `node`, itself included, and namespace declarations.

    An attribute keeps its prefix if the element has one of the name without it.
    """
    elements = node.select("*")
    if isinstance(node, Element):
        elements.append(node)
    for element in elements:
        if ":" in element.tag.strip(":"):
            element.tag = element.tag.partition(":")[2]
        for name in list(element.attrs):
            if name == "xmlns" or name.startswith("xmlns:"):
                del element.attrs[name]
            elif ":" in name.strip(":") and (local := name.partition(":")[2]) not in element.attrs:
                element.attrs[local] = element.attr(name) or ""
                del element.attrs[name]
