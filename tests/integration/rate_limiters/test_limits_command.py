"""``crawler limits URL`` names the limits of real servers that a crawl of theirs keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from integration.rate_limiters import clients
from integration.rate_limiters.catalogue import SERVERS
from integration.rate_limiters.servers import Running, serving
from integration.rate_limiters.test_real_limits import Numbered

from crawler import crawl

DECLARED = [name for name, server in SERVERS.items() if server.declares]
VAGUE = {"quart", "slowapi", "verdaccio"}
"""The servers whose first response does not tell the length of the window: a bucket, which says when it will be full;
windows that end a moment later than stated; and windows that do not begin with a request."""
WAITING = ["django-rest", "django-ninja"]
"""Servers that tell only in a refusal when to try again, and refill nothing until then."""
SOME = 25
"""Pages of a crawl: more than a quota."""


@dataclass
class Seen:
    """The findings of the command and of a crawl, one after the other, at one server."""

    command: dict[str, Any]
    lane: dict[str, Any]
    refused: dict[str, Any] | None
    """The findings of the command just after a burst."""


async def look(running: Running) -> dict[str, Any]:
    """Return what the command prints."""
    command = [sys.executable, "-m", "crawler", "limits", running.page(0), "--json"]
    return json.loads((await trio.run_process(command, capture_stdout=True)).stdout)


async def see(running: Running, found: dict[str, Seen]) -> None:
    """Run the command, a crawl, and in a server that states waits a burst and the command again."""
    command = await look(running)
    await trio.sleep(running.server.quotas[0].seconds)  # the window of the command has ended
    spider = Numbered(running)
    del spider.start_urls[SOME:]
    report = await crawl(spider)
    refused = None
    if running.name in WAITING:
        await clients.greedy(running, range(2 * SOME))
        refused = await look(running)
    found[running.name] = Seen(command, report.lanes[running.url.rstrip("/")], refused)


async def see_all(stack: ExitStack) -> dict[str, Seen]:
    """Look at all servers at the same time."""
    found: dict[str, Seen] = {}
    async with trio.open_nursery() as nursery:
        for running in stack.enter_context(serving(*DECLARED, *WAITING)):
            nursery.start_soon(see, running, found)
            await trio.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Seen]]:
    with ExitStack() as stack:
        yield trio.run(see_all, stack)


def window(policy: dict[str, Any]) -> float:
    """Return the window of a policy, in seconds; that of a rate is the time in which it returns the limit."""
    return policy.get("window") or policy["limit"] / policy["rate"]


@pytest.mark.parametrize("name", DECLARED)
def test_the_command_names_the_limit_that_the_crawl_keeps(name: str, seen) -> None:
    said, kept = seen[name].command["policies"], seen[name].lane["quotas"]
    assert {policy: it["limit"] for policy, it in kept.items()} == {policy: it["limit"] for policy, it in said.items()}
    assert sorted(it["limit"] for it in said.values()) == [quota.requests for quota in SERVERS[name].quotas]
    if name not in VAGUE:
        windows = [quota.seconds for quota in SERVERS[name].quotas]
        assert sorted(window(it) for it in said.values()) == windows
        assert sorted(window(it) for it in kept.values()) == pytest.approx(windows, rel=0.1)


@pytest.mark.parametrize("name", WAITING)
def test_a_limit_that_only_refusals_tell_is_named_only_then(name: str, seen) -> None:
    it = seen[name]
    assert (it.command["policies"], it.command["refused"]) == ({}, False)
    assert (it.refused["refused"], it.refused["held_by"]) == (True, "refusal")
    [stated] = [float(value) for field, value in it.refused["fields"] if field.lower() == "retry-after"]
    assert stated - 0.5 <= it.refused["next_in"] <= stated + 1  # the jitter of a crawl
