"""JSON-LD: mistakes of pages, and values that an item can hold."""

from __future__ import annotations

import time

import msgspec
import pytest
from support.cases import each

from crawler.html import parse
from crawler.html.json_ld import json_ld, json_ld_objects


def blocks(*scripts: str) -> list:
    page = "".join(f'<script type="application/ld+json">{script}</script>' for script in scripts)
    return json_ld(parse(page.encode("utf-8", "surrogatepass"), "utf-8"))


@each(
    ("script", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\ufeff {"a": "x\ny\t"}', {"a": "x\ny\t"}),
        ('{"a": 1};', {"a": 1}),
        ('<!-- {"a": 1} -->', {"a": 1}),
        ('//<![CDATA[\n{"a": 1}\n//]]>', {"a": 1}),
        ('/*<![CDATA[*/{"a": 1}/*]]>*/', {"a": 1}),
        ("[NaN, Infinity, 1e999, -1e999]", [None] * 4),
        ('["\\ud800"]', ["\ufffd"]),
        (f"[{2**64 - 1}, {2**70}, {10**400}]", [2**64 - 1, float(2**70), None]),
        ('"text"', "text"),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('{"a": "x,}", /* of it, } */ "b": 2, // the end\n}', {"a": "x,}", "b": 2}),
        ('{"a": "http://x.example/*/ // <!-- -->",}', {"a": "http://x.example/*/ // <!-- -->"}),
        ('<!-- Ann joined. -->\n{"a": 1}', {"a": 1}),
    ],
)
def test_a_block_is_read(script, value):
    found = blocks(script)
    assert found == [value]
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


@pytest.mark.parametrize("script", ["", "{", "{'a': 1}", "9" * 5000, "[" * 100_000, '{"a":' * 100_000])
def test_a_broken_block_does_not_hide_the_others(script):
    assert blocks(script, '{"b": 2}') == [{"b": 2}]


def test_a_deep_block_is_cut_so_that_an_item_can_hold_it():
    found = blocks("[" * 900 + "]" * 900)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


def test_objects_of_lists_and_graphs():
    found = blocks('[{"n": 1}, 5]', '{"n": 2, "@graph": [{"n": 3}, "x"]}', '{"n": 4, "@graph": 5}')
    assert [one["n"] for one in json_ld_objects(found)] == [1, 2, 3, 4]


@pytest.mark.parametrize("piece", ['{"a": "x",', "/*", "<!--", '"\\', ",   ", "//"])
def test_a_broken_block_of_megabytes_takes_linear_time(piece):
    started = time.process_time()
    assert blocks(piece * (5_000_000 // len(piece)), '{"b": 2}')[-1] == {"b": 2}
    assert time.process_time() - started < 20
