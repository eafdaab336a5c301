"""Parts of a page that React has streamed late stand where its own scripts put them in a browser."""

from __future__ import annotations

import pytest

from crawler.html import parse
from crawler.html.streamed import put_in_place

OLD = "$RC=function(b,c,e){c=document.getElementById(c)};"
NEW = '$RB=[];$RV=function(a){};$RC=function(a,b){2===$RB.length&&("number"!==typeof $RT)};'
BOUNDARY = '<!--$?--><template id="B:0"></template><i>Loading</i><!--/$-->'
PART = '<div hidden id="S:0"><p>late</p></div>'


def body(page: str) -> str:
    document = parse(f"<body>{page}".encode(), "utf-8")
    put_in_place(document)
    document.remove("script,template,[hidden]")
    return document.select_one("body").inner_html


@pytest.mark.parametrize(
    "call",
    [
        f'{OLD};$RC("B:0","S:0")',
        f'{NEW}$RC("B:0","S:0")',
        '$RC("B:0","S:0")',
        '$RM=new Map;$RR("B:0","S:0",[["a.css"]])',
    ],
)
def test_a_late_part_takes_the_place_of_its_fallback(call):
    page = f"<div><h1>t</h1>{BOUNDARY}<p>after</p></div>{PART}<script>{call}</script>"
    assert body(page) == "<div><h1>t</h1><!--$?--><p>late</p><!--/$--><p>after</p></div>"


def test_the_script_says_which_part_belongs_where():
    page = f'a{BOUNDARY}b<div hidden id="S:7">late</div><script>$RC("B:0","S:7")</script>'
    assert body(page) == "a<!--$?-->late<!--/$-->b"


def test_an_application_may_have_a_prefix_of_its_own():
    page = f'{BOUNDARY}{PART}<script>$RC("app-B:0","app-S:0")</script>'.replace('id="', 'id="app-')
    assert body(page) == "<!--$?--><p>late</p><!--/$-->"


def test_a_segment_takes_the_place_of_its_template_alone():
    page = '<b>a<template id="P:1"></template>c</b><div hidden id="S:1"><i>b</i></div><script>$RS("S:1","P:1")</script>'
    assert body(page) == "<b>a<i>b</i>c</b>"


@pytest.mark.parametrize("calls", [("0", "1"), ("1", "0")])
def test_parts_of_parts_come_in_any_order(calls):
    inner = BOUNDARY.replace("B:0", "B:1")
    scripts = "".join(f'<script>$RC("B:{n}","S:{n}")</script>' for n in calls)
    page = f'{BOUNDARY}<div hidden id="S:0"><u>0{inner}</u></div><div hidden id="S:1"><b>1</b></div>{scripts}'
    assert body(page) == "<!--$?--><u>0<!--$?--><b>1</b><!--/$--></u><!--/$-->"


def test_a_boundary_in_a_fallback_goes_with_it():
    inside = '<!--$?--><template id="B:1"></template>x<!--/$--><!--$-->y<!--/$-->'
    page = f'{BOUNDARY.replace("<i>", inside + "<i>")}z{PART}<script>$RC("B:0","S:0")</script>'
    assert body(page) == "<!--$?--><p>late</p><!--/$-->z"
    late = '<div hidden id="S:1">no</div><script>$RC("B:1","S:1")</script>'
    assert body(page + late) == "<!--$?--><p>late</p><!--/$-->z"


def test_rows_of_a_table_come_in_a_table():
    page = (
        '<table><tbody><tr><td>1</td></tr><template id="P:1"></template></tbody></table>'
        '<table hidden><tbody id="S:1"><tr><td>2</td></tr></tbody></table><script>$RS("S:1","P:1")</script>'
    )
    assert body(page) == "<table><tbody><tr><td>1</td></tr><tr><td>2</td></tr></tbody></table>"


@pytest.mark.parametrize(
    "page",
    [
        f"{BOUNDARY}{PART}",  # no call
        f'{BOUNDARY}{PART}<script>$RX("B:0","digest")</script>',
        f'{BOUNDARY}{PART}<script>$RC("B:0","S:0","digest")</script>',
        f'{BOUNDARY}<script>$RC("B:0","S:0")</script>',
        f'{BOUNDARY}{PART}<p hidden>$RC("B:0","S:0")</p>',
    ],
)
def test_a_part_that_no_script_moves_stays_hidden(page):
    assert body(page) == "<!--$?--><i>Loading</i><!--/$-->"


@pytest.mark.parametrize(
    "page",
    [
        '<div id="S:0"><template id="B:0"></template></div><script>$RC("B:0","S:0")</script>',
        '<template id="B:0"></template><script>$RC("B:0","B:0")</script>',
        f'{PART}<!--/$--><template id="B:0"></template><script>$RC("B:0","S:0");$RC("B:0","S:0")</script>',
    ],
)
def test_calls_that_make_no_sense_are_harmless(page):
    body(page)
