"""`PageOptions`."""

from __future__ import annotations

from typing import Any

import pytest
from crawler_plugins.browser.page_options import Action, PageOptions, Wait, parse_action, parse_block, parse_wait
from support.cases import each


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("load", Wait("load")),
        (" idle ", Wait("idle")),
        ("2.5", Wait("seconds", "2.5")),
        ("#app > p", Wait("selector", "#app > p")),
        ("js: window.ready", Wait("script", "window.ready")),
    ],
)
def test_the_forms_of_a_wait(text: str, wait: Wait) -> None:
    assert parse_wait(text) == wait


@pytest.mark.parametrize("text", ["", " ", "js:", "-1", "1e9", "inf"])
def test_invalid_waits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wait must be"):
        parse_wait(text)


@pytest.mark.parametrize(
    ("given", "verb", "words"),
    [
        ("click '.load more' 3", "click", (".load more", "3")),
        (["click", ".load more"], "click", (".load more",)),
        ("type [name=q] 'green tea'", "type", ("[name=q]", "green tea")),
        ("press Enter", "press", ("Enter",)),
        ("press a", "press", ("a",)),
        ("scroll", "scroll", ()),
        (["scroll", 5], "scroll", ("5",)),
        ("evaluate document.title = 'a b'", "evaluate", ("document.title = 'a b'",)),
        ("wait '#x y'", "wait", ("#x y",)),
    ],
)
def test_actions(given: Any, verb: str, words: tuple[str, ...]) -> None:
    assert parse_action(given) == Action(verb, words)


@each(
    "given", ["", "fly", "click", "click ''", "click a b", "scroll x", "press", "press Nothing", "type a", "wait ''",
              "click 'a", 7, [["click"]], {}, "evaluate"],
)  # fmt: skip
def test_invalid_actions_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="actions|wait must be"):
        parse_action(given)


def test_which_requests_are_blocked() -> None:
    options = PageOptions()
    assert options.blocks("image", "https://a.test/a.png")
    assert not options.blocks("stylesheet", "https://a.test/a.css")
    assert not options.changed({"screenshot": True}).blocks("image", "https://a.test/a.png")
    options = options.changed({"block": ["script", "*.ads.test/*"]})
    assert options.blocks("script", "https://a.test/a.js")
    assert options.blocks("xhr", "https://x.ads.test/a")
    assert not options.blocks("image", "https://a.test/a.png")
    with pytest.raises(ValueError, match="'pictures' is neither"):
        parse_block(["pictures"])


def test_options_of_a_request_override_those_of_the_plugin() -> None:
    options = PageOptions(timeout=9.0).changed({"wait": 2, "actions": ["scroll"], "pdf": True})
    assert options == PageOptions(wait=Wait("seconds", "2"), actions=(Action("scroll", ()),), timeout=9.0, pdf=True)


@pytest.mark.parametrize(
    "given",
    [{"wiat": "load"}, {"wait": None}, {"timeout": "soon"}, {"timeout": 0}, {"pdf": "yes"}, {"actions": "scroll"}],
)
def test_wrong_options_of_a_request(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no such option|timeout must be"):
        PageOptions().changed(given)
