"""JSON of millions of small values is decoded in one go: no collection of garbage looks at them meanwhile."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from crawler import Response
from crawler.content.json_values import collector_paused, decode_json
from crawler.feeds import read_feed
from crawler.records import json_array_records, json_lines_records

LISTS = "[" + "[]," * 100_000 + "[]]"


@contextmanager
def collections() -> Iterator[list[str]]:
    """Collect the phases of the garbage collector in the block."""
    seen: list[str] = []
    gc.collect()
    gc.callbacks.append(lambda phase, _: seen.append(phase))
    try:
        yield seen
    finally:
        gc.callbacks.pop()


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: decode_json(LISTS), id="text"),
        pytest.param(lambda: decode_json(LISTS.encode()), id="bytes"),
        pytest.param(lambda: Response("http://a.test/", 200, {}, LISTS.encode()).json(), id="response"),
        pytest.param(lambda: list(json_lines_records([LISTS, "\n"])), id="lines"),
        pytest.param(lambda: list(json_array_records([f"[{LISTS}]"])), id="array"),
        pytest.param(lambda: list(json_array_records([f'{{"a":{LISTS},"b":[1]}}'], ("b",))), id="skipped"),
        pytest.param(lambda: read_feed(f'{{"items":[],"a":{LISTS}}}'.encode(), "http://a.test/"), id="feed"),
    ],
)
def test_the_collector_does_not_run_while_a_large_text_is_decoded(read: Callable[[], object]) -> None:
    gc.enable()
    with collections() as seen:
        kept = read()
    assert kept is not None
    assert seen.count("start") <= 3, "it runs once when it is resumed, not after each 700 lists"
    assert gc.isenabled()


def test_a_text_that_is_wrong_leaves_the_collector_on() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(LISTS[:-1])
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_small_texts_are_decoded_with_the_collector_on() -> None:
    assert decode_json(b'{"a":[1,2.5,null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("text", [r'{"a":"cut \ud83d"}', r'{"a":"\uDE00 cut","b":"\ud83d\ude00"}', r'["\ud83d\u0041"]'])
def test_a_surrogate_without_its_other_half_is_kept(text: str) -> None:
    assert decode_json(text) == decode_json(text.encode()) == json.loads(text)
    assert Response("http://a.test/", 200, {}, text.encode()).json() == json.loads(text)


@pytest.mark.parametrize(
    "text", [r'["\ud83d", NaN]', r'["\ud83d", -Infinity]', r'["\ud83d"', r'["\ud83d", {]', r"\ud83d"]
)
def test_such_a_text_is_refused_as_any_other_if_it_is_not_json(text: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(msgspec.DecodeError):
            decode_json(form)
