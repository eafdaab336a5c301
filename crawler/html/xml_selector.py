"""`XmlSelector`: selectors of an XML document, in whose tree names are case-sensitive and may have prefixes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import turbohtml
from turbohtml import Document, Element, Node

from crawler.content.encoding import replace_surrogates
from crawler.html.selector import Selector, SelectorList
from crawler.html.xml_names import Namespaces, css_by_name, xpath_by_name
from crawler.html.xml_tree import is_declaration, parse_xml

__all__ = ["XmlSelector"]


class XmlSelector(Selector):
    """A part of an XML document, with methods to select from it.

    In CSS, ``g|price`` selects elements with a prefix and ``*|price`` those with any; in XPath, ``g:price`` does. A
    prefix that is not registered is that of the document. A text that is queried is parsed as HTML, since descriptions
    in feeds are HTML.

    Parameters:
        text: XML to parse. A document that is not well-formed is repaired.
        root: A turbohtml node.
        namespaces: What the selectors of one document share. Default: its own.

    Raises:
        TypeError: Both `text` and `root` are given, or neither.
    """

    __slots__ = ("_namespaces",)

    def __init__(
        self, text: str | None = None, *, root: Node | None = None, namespaces: Namespaces | None = None
    ) -> None:
        if (text is None) == (root is None):
            raise TypeError("give an XmlSelector either text or root")
        super().__init__(root=root if text is None else parse_xml(text))
        self._namespaces = Namespaces(self.root) if namespaces is None else namespaces

    def register_namespace(self, prefix: str, uri: str) -> None:
        """Let a prefix stand for a namespace in the queries of all selectors of the document."""
        self._namespaces.register(prefix, uri)

    def css(self, query: str) -> SelectorList:
        """Select by a CSS selector. See `Selector.css`."""
        if "|" not in query:
            return super().css(query)
        declared = {prefix for prefixes in self._namespaces.declared().values() for prefix in prefixes}
        by_name = css_by_name(query, self._namespaces.prefixes(None), tuple(sorted(declared)))
        try:
            return super().css(by_name)
        except ValueError as error:
            raise ValueError(str(error).replace(repr(by_name), repr(query))) from None

    def xpath(self, query: str, namespaces: Mapping[str, str] | None = None, **variables: Any) -> SelectorList:
        """Select by an XPath 1.0 expression. See `Selector.xpath`.

        Parameters:
            query: The expression. ``namespace-uri()`` is not available.
            namespaces: Prefixes of this expression and their namespaces.
            variables: Values of its ``$name`` variables.
        """
        by_name = xpath_by_name(query, self._namespaces.prefixes(namespaces))
        try:
            return super().xpath(by_name, **variables)
        except ValueError as error:
            raise ValueError(str(error).replace(repr(by_name), repr(query))) from None

    def get(self, default: Any = None) -> Any:
        """Return an element as XML, with the declarations of the namespaces around it.

        Parameters:
            default: Not used; `SelectorList.get` has it.
        """
        if isinstance(self.root, Document):
            return ""
        part = copy.deepcopy(self.root)
        if isinstance(part, Element):
            declarations = self._declarations(part.tag)
            attributes = {name: value for name, value in part.attrs.items() if not is_declaration(name)}
            part.attrs.clear()
            part.attrs.update(declarations | attributes)
        frame = turbohtml.parse_xml("<_/>").root
        assert frame is not None
        frame.append(part)
        return replace_surrogates(frame.inner_xml)

    def remove_namespaces(self) -> None:
        """Remove the prefixes of all elements and attributes, and the declarations of namespaces."""
        super().remove_namespaces()
        self._namespaces.forget()

    @property
    def text(self) -> str:
        """All text of an element, white space collapsed."""
        return " ".join(self.root.text.split())

    @property
    def attrib(self) -> dict[str, str]:
        """The attributes of an element; empty for anything else."""
        return {name: value for name, value in super().attrib.items() if not is_declaration(name)}

    def _list(self, found: Iterable[Any]) -> SelectorList:
        return SelectorList(
            [
                XmlSelector(root=one, namespaces=self._namespaces) if isinstance(one, Node) else Selector(root=one)
                for one in found
            ]
        )

    def _declarations(self, tag: str) -> dict[str, str]:
        """Return the declarations in scope, that of the element itself first, and then the nearest."""
        found: dict[str, str] = {}
        # Elements around an element whose declarations of namespaces `XmlSelector.get` repeats.
        for element in (self.root, *islice(self.root.ancestors, 256)):
            for name in filter(is_declaration, element.attrs if isinstance(element, Element) else ()):
                found.setdefault(name, element.attr(name) or "")
        own = f"xmlns:{tag.partition(':')[0]}" if ":" in tag else "xmlns"
        return {own: found[own]} | found if own in found else found
