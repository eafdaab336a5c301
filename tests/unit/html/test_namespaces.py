"""`Selector.remove_namespaces`: elements and attributes by their local names."""

from __future__ import annotations

from crawler.html import Selector
from crawler.html.namespaces import remove_prefixes


def test_prefixes_and_declarations_are_removed():
    page = Selector('<rss xmlns="u" xmlns:g="v"><g:price g:cur="EUR">5</g:price><g:a><g:b>1</g:b></g:a></rss>')
    assert page.css("price").getall() == []
    page.remove_namespaces()
    assert page.css("rss").get() == '<rss><price cur="EUR">5</price><a><b>1</b></a></rss>'
    assert page.xpath("//price/@cur").getall() == ["EUR"]


def test_an_attribute_keeps_its_prefix_if_there_is_one_of_the_same_name():
    page = Selector('<g:price g:cur="EUR" cur="USD" g:tax="" :odd=1 odd:=2>5</g:price>')
    page.remove_namespaces()
    assert page.css("price").attrib == {"g:cur": "EUR", "cur": "USD", "tax": "", ":odd": "1", "odd:": "2"}


def test_an_element_and_its_descendants_lose_their_prefixes_but_nothing_outside():
    page = Selector("<x:a><x:b><x:c>1</x:c></x:b></x:a>")
    part = Selector(root=page.root.select_one(r"x\:b"))
    part.remove_namespaces()
    assert page.css("body").get() == "<body><x:a><b><c>1</c></b></x:a></body>"


def test_a_text_has_no_namespaces():
    text = Selector("<p>x:y</p>").css("p::text")[0]
    text.remove_namespaces()
    assert text.get() == "x:y"


def test_a_page_without_prefixes_stays_as_it_is():
    page = Selector("<p class=a>1<br></p>")
    before = page.get()
    remove_prefixes(page.root)
    assert page.get() == before
