"""Namespaces in queries of XML. Elements are called as in the document, so ``g:price`` becomes a test of the name.

A prefix that is registered stands for the prefixes that the document declares for the same namespace; any other stands
for itself. A prefix means the same in the whole document, and a name without one is an element without a prefix,
whatever the default namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final, TypeAlias

from turbohtml import Element, Node

from crawler.html.xml_tree import is_declaration

__all__ = ["Namespaces", "css_by_name", "xpath_by_name"]

Prefixes: TypeAlias = "tuple[tuple[str, tuple[str, ...]], ...]"
"""Prefixes of queries, each with those of the document; an empty one means names without a prefix."""


_PART: Final = r"[^\W\d][\w.-]*+"
_XPATH: Final = re.compile(
    rf"""(?P<string> "[^"]*+" | '[^']*+' )
    | (?P<every> @\s*+\* )
    | (?<![\w.-])local-name\s*+\(\s*+(?P<argument>[^()"']*+)\)
    | (?<![\w.-])(?P<uri>namespace-uri)\s*+\(
    | (?P<axis>@\s*+|attribute\s*+::\s*+)?+(?<![\w.$-])(?P<prefix>{_PART}):(?P<local>{_PART}|\*)(?![\w.:-]|\s*+\()""",
    re.VERBOSE,
)
_IDENTIFIER: Final = r"(?:[\w-]|\\.)++"
_CSS: Final = re.compile(
    rf"""(?P<string> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
    | (?P<bracket> \[\s*+ )?+ (?P<prefix>{_IDENTIFIER}|\*|) \|(?![|=]) (?P<local>{_IDENTIFIER}|\*)
    | {_IDENTIFIER} """,
    re.VERBOSE | re.DOTALL,
)


class Namespaces:
    """The namespaces of one document, shared by all its selectors."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._registered: dict[str, str] = {}
        self._declared: dict[str, tuple[str, ...]] | None = None

    def register(self, prefix: str, uri: str) -> None:
        """Register a prefix of queries for a namespace."""
        self._registered[prefix] = uri

    def forget(self) -> None:
        """Read the declarations of the document again when they are needed next."""
        self._declared = None

    def prefixes(self, further: Mapping[str, str] | None) -> Prefixes:
        """Return the registered prefixes, and those of `further`, with their prefixes in the document."""
        registered = {**self._registered, **further} if further else self._registered
        return tuple((prefix, self.declared().get(uri, ())) for prefix, uri in registered.items())

    def declared(self) -> dict[str, tuple[str, ...]]:
        """Return the prefixes that the document declares for each namespace."""
        if self._declared is None:
            found: dict[str, tuple[str, ...]] = {}
            # Different declarations of a document that count. Each may become a part of the queries.
            for prefix, uri in islice(dict.fromkeys(self._declarations()), 256):
                found[uri] = (*found.get(uri, ()), prefix)
            self._declared = found
        return self._declared

    def _declarations(self) -> Iterator[tuple[str, str]]:
        for element in self._root.xpath('//*[@*[starts-with(name(), "xmlns")]]'):  # type: ignore[union-attr]
            assert isinstance(element, Element)
            yield from (
                (name.partition(":")[2], element.attr(name) or "") for name in filter(is_declaration, element.attrs)
            )


@lru_cache(maxsize=1024)
def xpath_by_name(query: str, prefixes: Prefixes = (), *, is_xml: bool = True) -> str:
    """Return an XPath expression that finds by their names what `query` finds by prefixes."""
    known = dict(prefixes)

    def replace(found: re.Match[str]) -> str:
        axis, prefix, local = found["axis"] or "", found["prefix"], found["local"]
        if found["string"] or (prefix is None and not is_xml):
            return found[0]
        if found["every"]:
            return '@*[not(starts-with(concat(name(), ":"), "xmlns:"))]'
        if found["uri"]:
            raise ValueError(f"XPath expression {query!r}: namespace-uri() is not available; register a prefix instead")
        if prefix is None:
            name = f"name({_XPATH.sub(replace, found['argument'])})"
            return f'substring({name}, string-length(substring-before({name}, ":")) + 1 + contains({name}, ":"))'
        tests = [_test(one, local) for one in known.get(prefix, (prefix,)) if one or not axis]
        return f"{axis}*[{' or '.join(tests) or 'false()'}]"

    return _XPATH.sub(replace, query)


@lru_cache(maxsize=1024)
def css_by_name(query: str, prefixes: Prefixes, declared: tuple[str, ...]) -> str:
    """Return a CSS selector that finds by their names what ``prefix|name`` finds in `query`."""
    known = dict(prefixes)

    def replace(found: re.Match[str]) -> str:
        prefix, local, bracket = found["prefix"], found["local"], found["bracket"]
        if local is None or prefix == "*" == local:
            return "*" if local else found[0]
        if local == "*":
            raise ValueError(f"CSS selector {query!r}: {prefix}|* is not available; the XPath expression {prefix}:* is")
        written = ("", *declared) if prefix == "*" else known.get(prefix, (prefix,))
        names = list(dict.fromkeys(f"{one}\\:{local}" if one else local for one in written))
        if bracket:
            return f"{bracket}{names[0] if names else local}"
        return names[0] if len(names) == 1 else f":is({', '.join(names)})" if names else ":not(*)"

    return _CSS.sub(replace, query)


def _test(prefix: str, local: str) -> str:
    if local != "*":
        return f'name()="{prefix}:{local}"' if prefix else f'name()="{local}"'
    return f'starts-with(name(), "{prefix}:")' if prefix else 'not(contains(name(), ":"))'
