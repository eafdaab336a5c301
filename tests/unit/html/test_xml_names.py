"""Prefixes in queries: tests of names as the document writes them."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler.html.xml_names import Namespaces, css_by_name, xpath_by_name
from crawler.html.xml_tree import parse_xml

PREFIXES = (("g", ("g",)), ("two", ("a", "b")), ("default", ("",)), ("both", ("", "c")), ("none", ()))


@each(
    ("query", "expected"),
    [
        ("//item/title", "//item/title"),
        ("//g:price/text()", '//*[name()="g:price"]/text()'),
        ("//other:x", '//*[name()="other:x"]'),
        ("//two:x", '//*[name()="a:x" or name()="b:x"]'),
        ("//default:x/@default:y", '//*[name()="x"]/@*[false()]'),
        ("//both:x/@both:y", '//*[name()="x" or name()="c:x"]/@*[name()="c:y"]'),
        ("//none:x", "//*[false()]"),
        ("g:*|default:*", '*[starts-with(name(), "g:")]|*[not(contains(name(), ":"))]'),
        ("self::g:x/child::g:y", 'self::*[name()="g:x"]/child::*[name()="g:y"]'),
        ("attribute::g:x", 'attribute::*[name()="g:x"]'),
        ("//a[.=\"g:x\" or @b='g:y']", "//a[.=\"g:x\" or @b='g:y']"),
        ("//a[re:test(., 'x')]/following-sibling::b", "//a[re:test(., 'x')]/following-sibling::b"),
        ("//@*", '//@*[not(starts-with(concat(name(), ":"), "xmlns:"))]'),
    ],
)
def test_xpath(query, expected):
    assert xpath_by_name(query, PREFIXES) == expected


def test_a_local_name_follows_the_prefix():
    node = parse_xml("<a xmlns:g='u'><g:b g:c='1'/><d/></a>")
    assert [one.tag for one in node.xpath(xpath_by_name('//*[local-name()="b" or local-name(.)="d"]'))] == ["g:b", "d"]
    assert node.xpath(xpath_by_name('//@*[local-name()="c"]')) == ["1"]
    assert node.xpath(xpath_by_name("local-name(//g:b)")) == "b"


def test_the_names_of_namespaces_are_refused():
    with pytest.raises(ValueError, match=r"namespace-uri\(\) is not available"):
        xpath_by_name("//*[namespace-uri() = 'u']")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("item link::text", "item link::text"),
        ("g|price::text", r"g\:price::text"),
        ("other|x", r"other\:x"),
        ("two|x > y", r":is(a\:x, b\:x) > y"),
        ("default|x, both|x", r"x, :is(x, c\:x)"),
        ("none|x", ":not(*)"),
        ("*|x, *|*, |y", r":is(x, g\:x, h\:x), *, y"),
        ("a[g|b] c[two|d='1'] e[none|f]", r"a[g\:b] c[a\:d='1'] e[f]"),
        ("a[lang|='en']", "a[lang|='en']"),
        ('a[b="g|c"]', 'a[b="g|c"]'),
        (r"a\|b", r"a\|b"),
    ],
)
def test_css(query, expected):
    assert css_by_name(query, PREFIXES, ("g", "h")) == expected


def test_css_does_not_select_by_prefix_alone():
    with pytest.raises(ValueError, match=r"g\|\* is not available; the XPath expression g:\* is"):
        css_by_name("g|*", PREFIXES, ())


def test_the_prefixes_of_a_document_are_found_once(monkeypatch):
    document = parse_xml("<a xmlns='u' xmlns:x='v'><b xmlns:y='v' xmlns:x='v'/></a>")
    namespaces = Namespaces(document)
    assert namespaces.declared() == {"u": ("",), "v": ("x", "y")}
    assert namespaces.declared() is namespaces.declared()
    namespaces.register("p", "v")
    assert namespaces.prefixes({"q": "u", "r": "w"}) == (("p", ("x", "y")), ("q", ("",)), ("r", ()))
    assert namespaces.prefixes(None) == (("p", ("x", "y")),)


def test_a_document_does_not_make_queries_as_long_as_it_likes():
    declarations = " ".join(f"xmlns:p{n}='u'" for n in range(1000))
    document = parse_xml(f"<a {declarations}/>")
    assert len(Namespaces(document).declared()["u"]) == 256


def test_declarations_that_were_removed_are_forgotten():
    document = parse_xml("<a xmlns='u'/>")
    namespaces = Namespaces(document)
    assert namespaces.declared() == {"u": ("",)}
    del document.root.attrs["xmlns"]
    namespaces.forget()
    assert namespaces.declared() == {}
