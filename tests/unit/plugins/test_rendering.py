"""`render`: waits and actions, with a browser in memory. `tests/integration/browser` has a real one."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock
from unit.plugins.test_browser_plugin import render, to

from crawler import Settings


async def commands(method: str, body: str, *actions: Any, **options: Any) -> list[dict[str, Any]]:
    _, _, _, plugin = await render({"/": body}, to(actions=list(actions), **options), settings=Settings() | FREE)
    return plugin.started[0].commands(method)


async def test_a_click_hits_the_middle_of_an_element(autojump_clock: MockClock) -> None:
    events = await commands("Input.dispatchMouseEvent", "<p>#more", "click #more")
    assert [(event["type"], event["x"], event["y"]) for event in events] == [
        ("mousePressed", 10, 20), ("mouseReleased", 10, 20),
    ]  # fmt: skip
    assert len(await commands("Input.dispatchMouseEvent", "<p>#more", "click #more 3")) == 6


async def test_text_is_typed_and_keys_are_pressed(autojump_clock: MockClock) -> None:
    assert await commands("Input.insertText", "<p>#q", "type #q 'green tea'") == [{"text": "green tea"}]
    events = await commands("Input.dispatchKeyEvent", "<p>", "press Enter", "press a", "press Escape", "press Space")
    down = [(event["key"], event["windowsVirtualKeyCode"], event.get("text")) for event in events[::2]]
    assert down == [("Enter", 13, "\r"), ("a", 65, "a"), ("Escape", 27, None), (" ", 32, " ")]
    assert {event["type"] for event in events[1::2]} == {"keyUp"}


@pytest.mark.parametrize(("action", "paragraphs"), [("scroll", 4), ("scroll 2", 3)])
async def test_a_page_is_scrolled_until_it_no_longer_grows(
    action: str, paragraphs: int, autojump_clock: MockClock
) -> None:
    [response], _, _, _ = await render({"/": "<p>\nGROW 3\n"}, to(actions=[action]))
    assert len(response.css("p")) == paragraphs


async def test_a_page_is_idle_when_it_made_no_request_for_a_while(autojump_clock: MockClock) -> None:
    began = trio.current_time()
    await render({"/": "<p>x"}, to(wait="idle"))
    assert trio.current_time() - began == pytest.approx(0.2, abs=0.1)
    began = trio.current_time()
    await render({"/": "<p>x"}, to(wait="5"))
    assert trio.current_time() - began == pytest.approx(5.0, abs=0.1)


async def test_a_wait_may_be_an_action(autojump_clock: MockClock) -> None:
    responses, _, _, _ = await render({"/": "<p>#a"}, to(actions=["wait #a", "evaluate 1", "wait js:ready"]))
    assert len(responses) == 1
    _, report, _, _ = await render({"/": "<p>#a"}, to(actions=["wait #b"], timeout=5))
    assert report.kinds == {"request_error.browser_timeout": 1}
