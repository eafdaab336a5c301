"""CSS selectors with ``::text`` and ``::attr(name)`` as parsel defines them, on top of turbohtml's.

============================== ============================================================================
``p::text``                    the texts that are children of a ``p``
``p ::text``, ``p *::text``    all texts inside a ``p``
``::text``, ``*::text``        all texts
``a::attr(href)``              that attribute of each ``a`` that has it; quote names that CSS cannot spell
``h1::text, a::attr(href)``    both, in document order
``p:contains("text")``         each ``p`` whose text, with that of its descendants, contains this one
============================== ============================================================================

A query is compiled once: into selectors that find elements, and one short XPath expression that leads from those to
their texts and attributes. Within an element, nothing outside it takes part in a match, and the element itself can be
a result. (turbohtml's `Element.select`, like ``querySelectorAll``, does the opposite.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

import msgspec
import turbohtml
from msgspec import Struct
from turbohtml import Document, Element, Node, XPath

from crawler.lazy_pattern import lazy_pattern

__all__ = ["select"]

_TOKEN = lazy_pattern(
    r"""
      (?P<comment> /\*.*?\*/ )
    | (?P<string> "(?:[^"\\]|\\.)*+"? | '(?:[^'\\]|\\.)*+'? )
    | (?P<escape> \\[0-9a-fA-F]{1,6}\s? | \\. )
    | (?P<pseudo> ::(?P<name>[\w-]+) (?:\( \s*+ (?P<argument> "[^"]*+" | '[^']*+' | [^()"']*+ ) \s*+ \) )? )
    | (?P<combinator> \s*[>+~]\s* | \s+ )
    | (?P<comma> , )
    | (?P<open> [(\[] )
    | (?P<close> [)\]] )
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = lazy_pattern(r"(?:[\w-]|\\.)+")
_XPATH_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_-]*")
_BLANK = turbohtml.parse("", positions=False)


class _Complex(Struct, frozen=True, eq=False):
    """One complex selector of a selector list: ``ul > li`` has the head ``ul`` and the rest `` > li``."""

    head: str
    """The part before the first combinator; empty means any element."""
    rest: str
    path: str
    """The XPath step from an element to the wanted part of it; empty means the element itself."""
    deep: bool
    """Whether `path` covers all descendants. The outermost of nested elements suffices then."""


class _Part(Struct, frozen=True, eq=False):
    """The selectors of a query that share one path."""

    page: str
    """The selector list to use in a whole document."""
    inside: str
    """The selector list to use in an element."""
    itself: str
    """The selector list that the element must match to be a result itself; empty if it cannot be one."""


class _Plan(Struct, frozen=True, eq=False):
    """A compiled query."""

    parts: tuple[_Part, ...]
    pick: XPath | None = None
    """XPath to evaluate with the elements of each part as ``$e0``, ``$e1``, …; `None` if the elements are the
    result."""
    step: XPath | None = None
    """The same from an element of the only part, which is faster if there is one element; `None` if there are several
    parts."""
    texts: tuple[str, ...] = ()
    """The arguments of ``:contains()``."""


def select(node: Node, query: str) -> list[Node | str]:
    """Return what a query finds in `node`, in document order: elements, texts and attribute values."""
    plan = _plan(query)
    if not plan.texts:
        return _find(node, plan)
    from crawler.html.contains import marked  # noqa: PLC0415 - few queries need it

    with marked(node, plan.texts):
        return _find(node, plan)


def _find(node: Node, plan: _Plan) -> list[Node | str]:
    found = [_elements(node, part) for part in plan.parts]
    if plan.pick is None:
        return cast("list[Node | str]", found[0])
    if plan.step is not None and len(found[0]) == 1:
        return cast("list[Node | str]", plan.step(found[0][0]))
    return cast("list[Node | str]", plan.pick(node, **{f"e{index}": one for index, one in enumerate(found)}))


def _elements(node: Node, part: _Part) -> list[Element]:
    document = node if isinstance(node, Document) else node.parent
    if isinstance(document, Document):  # nothing is outside; the root element is a descendant of its document
        return document.select(part.page)
    found = node.select(part.inside)
    if part.itself and isinstance(node, Element) and node.matches(part.itself):
        found.insert(0, node)
    return found


@lru_cache(maxsize=1024)
def _plan(query: str) -> _Plan:
    if not isinstance(query, str):
        raise TypeError(f"a CSS selector must be str, not {type(query).__name__}")
    if ":contains(" not in query.lower():
        return _compile(query)
    from crawler.html.contains import with_marks  # noqa: PLC0415

    plain, texts = with_marks(query)
    try:
        return msgspec.structs.replace(_compile(plain), texts=texts)
    except ValueError as error:
        raise ValueError(str(error).replace(repr(plain), repr(query))) from None


def _compile(query: str) -> _Plan:
    groups: dict[str, list[_Complex]] = {}
    for selector in _complexes(query):
        groups.setdefault(selector.path if selector.head else f"/{selector.path}", []).append(selector)
    parts: list[_Part] = []
    terms: list[str] = []
    for selectors in groups.values():
        if not selectors[0].head:
            terms.append(selectors[0].path)  # starts at the node that is searched
            continue
        terms.append(f"$e{len(parts)}/{selectors[0].path}".rstrip("/"))
        parts.append(_part(selectors, query))
    if terms == ["$e0"]:
        return _Plan(tuple(parts))
    step = XPath(terms[0].removeprefix("$e0/")) if len(terms) == len(parts) == 1 else None
    return _Plan(tuple(parts), XPath(" | ".join(terms)), step)


def _part(selectors: list[_Complex], query: str) -> _Part:
    page: list[str] = []
    inside: list[str] = []
    itself: list[str] = []
    for selector in selectors:
        head, rest = selector.head, selector.rest
        whole = [head + rest]
        scoped = [f":scope {head}{rest}"]
        if rest:
            scoped.append(f"{head}:scope{rest}")
        else:
            itself.append(head)
            if not selector.deep:
                scoped = [head]
        if selector.deep:
            whole = [f"{one}:not({one} *)" for one in whole]
            scoped = [f"{one}:not({one} *)" for one in scoped]
        page += whole
        inside += scoped
    part = _Part(", ".join(page), ", ".join(inside), ", ".join(itself))
    try:
        _BLANK.select(part.page)
        _BLANK.select(part.inside)
    except ValueError as error:
        raise _syntax_error(query, re.sub(r'\A.*": | at position \d+$', "", str(error), flags=re.DOTALL)) from None
    return part


def _complexes(query: str) -> Iterator[_Complex]:
    """Yield the complex selectors of a query. Strings, brackets and escapes are kept as written."""
    depth = 0
    pieces = [""]  # compound, combinator, compound ...
    pseudo: re.Match[str] | None = None
    for token in _TOKEN.finditer(query):
        kind = token.lastgroup
        if kind == "comment":
            continue
        if depth == 0 and kind == "comma":
            yield _complex(query, pieces, pseudo)
            pieces, pseudo = [""], None
        elif pseudo is not None:
            if not token[0].isspace():
                raise _syntax_error(query, f"{pseudo[0]} must be the end of its selector")
        elif depth == 0 and kind == "pseudo":
            pseudo = token
        elif depth == 0 and kind == "combinator":
            pieces += token[0], ""
        else:
            depth += (kind == "open") - (kind == "close")
            pieces[-1] += token[0]
    yield _complex(query, pieces, pseudo)


def _complex(query: str, pieces: list[str], pseudo: re.Match[str] | None) -> _Complex:
    if len(pieces) > 1 and not pieces[0] and pieces[1].isspace():
        del pieces[:2]
    if len(pieces) > 1 and not pieces[-1] and pieces[-2].isspace() and pseudo is None:
        del pieces[-2:]
    if not pieces[0] and (len(pieces) > 1 or pseudo is None):
        hint = "" if len(pieces) == 1 else f"; it may start with :scope {pieces[1].strip()}"
        raise _syntax_error(query, f"expected a selector{hint}")
    if pseudo is None:
        return _Complex(pieces[0], "".join(pieces[1:]), "", deep=False)
    step, deep_step = _steps(query, pseudo)
    if pieces in ([""], ["*"]):
        return _Complex("", "", deep_step, deep=True)
    if pieces[-1] in ("", "*") and pieces[-2].isspace():
        return _Complex(pieces[0], "".join(pieces[1:-2]), deep_step, deep=True)
    return _Complex(pieces[0], "".join(pieces[1:]) + ("" if pieces[-1] else "*"), step, deep=False)


def _steps(query: str, pseudo: re.Match[str]) -> tuple[str, str]:
    """Return the XPath steps to a text or an attribute: of an element, and of all its descendants."""
    name, argument = pseudo["name"].lower(), pseudo["argument"]
    if name == "text" and argument is None:
        return "text()", "descendant-or-self::text()"
    if name == "text":
        raise _syntax_error(query, "::text takes no argument")
    if name != "attr":
        raise _syntax_error(query, f"unknown pseudo-element ::{pseudo['name']}; use ::text or ::attr(name)")
    attribute = _attribute(argument or "")
    if not attribute:
        raise _syntax_error(query, "::attr(name) takes the name of one attribute")
    if _XPATH_NAME.fullmatch(attribute):
        step = f"@{attribute}"
    else:
        quote = "'" if '"' in attribute else '"'
        step = f"@*[name()={quote}{attribute}{quote}]"
    return step, f"descendant-or-self::*/{step}"


def _attribute(argument: str) -> str:
    """Return the name in the brackets of ``::attr()``, a string or an identifier; empty if it is neither."""
    if argument[:1] in ("'", '"'):
        return argument[1:-1]
    argument = argument.strip()
    return re.sub(r"\\(.)", r"\1", argument) if _IDENTIFIER.fullmatch(argument) else ""


def _syntax_error(query: str, reason: str) -> ValueError:
    return ValueError(f"CSS selector {query!r}: {reason}")
