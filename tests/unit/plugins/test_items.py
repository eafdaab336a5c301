"""Fields of items. Items of every kind in whole crawls are in test_files_plugin.py."""

from __future__ import annotations

import time

import attrs
import pytest
from crawler_plugins.files.items import links_of, with_field


@attrs.define
class Item:
    doc: object = None


def test_links_are_in_order_and_unique():
    item = {"a": ["x", "y", "x"], "b": "z", "c": None, "d": ("y", "w"), "e": 7}
    assert links_of(item, ("a", "b", "c", "d", "missing")) == ["x", "y", "z", "w"]
    assert links_of(item, ("e",)) == [7]
    assert links_of(Item(doc=["x"]), ("doc", "missing")) == ["x"]


def test_many_links_take_linear_time():
    began = time.process_time()
    assert len(links_of({"a": [str(number) for number in range(50_000)]}, ("a",))) == 50_000
    assert time.process_time() - began < 1.0


def test_an_item_is_copied_not_changed():
    item = {"a": 1}
    assert with_field(item, "files", []) == {"a": 1, "files": []}
    assert item == {"a": 1}
    changed = Item(doc=1)
    assert with_field(changed, "doc", 2) == Item(doc=2)
    assert changed.doc == 1


def test_a_class_without_the_field_is_named():
    with pytest.raises(TypeError, match="Item has no field 'files': add it"):
        with_field(Item(), "files", [])
