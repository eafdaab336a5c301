"""`describe_step`, `describe_tasks`: what keeps a crawl from stopping."""

from __future__ import annotations

import threading
from functools import partial

import trio
from support.compiled import Function, compiled
from trio.testing import wait_all_tasks_blocked

from crawler import Plugin
from crawler.watchdog import describe_step, describe_tasks

WAIT = "await trio.sleep_forever()"
WORKER = compiled("crawler.engine.worker", "work", "await (call() if call else trio.sleep_forever())")
START = compiled(
    "crawler.engine.new_requests", "start", "async with trio.open_nursery() as n: [n.start_soon(f) for f in call]"
)


async def described(*functions: Function) -> str:
    """Return the description of a crawl whose tasks run some functions."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(START, functions)
        await wait_all_tasks_blocked()
        (root,) = nursery.child_tasks
        found = describe_tasks(root)
        nursery.cancel_scope.cancel()
    return found


async def test_the_step_of_an_event_loop_is_named_from_another_thread() -> None:
    task, thread = trio.lowlevel.current_task(), threading.get_ident()
    found: list[str | None] = []
    asking = threading.Thread(target=lambda: found.append(describe_step(thread, task)))
    asking.start()
    asking.join()  # it blocks the loop
    assert found[0] is not None
    assert ".py:" in found[0]


async def test_a_loop_that_waits_and_a_thread_without_one_execute_nothing() -> None:
    task, thread = trio.lowlevel.current_task(), threading.get_ident()
    assert await trio.to_thread.run_sync(describe_step, thread, task) is None
    assert describe_step(-1, task) is None
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    assert other.ident is not None
    assert describe_step(other.ident, task) is None
    done.set()
    other.join()


async def test_a_handler_is_named_and_not_the_code_around_it_or_the_functions_that_it_calls() -> None:
    library = compiled("library", "call", WAIT)
    parse = partial(compiled("books", "parse", "await call()"), library)
    assert await described(partial(WORKER, parse), WORKER) == "parse (parse.py:2)"


async def test_the_callback_of_a_ready_made_spider_is_a_handler() -> None:
    parse = compiled("crawler.spiders.sitemap", "parse", WAIT)
    assert await described(partial(WORKER, parse)) == "parse (parse.py:2)"


async def test_without_handlers_the_innermost_code_of_the_framework_is_named() -> None:
    commit = compiled("crawler.store.sqlite", "commit", WAIT)
    assert await described(partial(WORKER, commit)) == "commit (commit.py:2)"


async def test_a_task_whose_nursery_is_empty_is_named() -> None:
    waits = compiled("crawler.engine.session", "finish", f"async with trio.open_nursery(): {WAIT}")
    assert await described(waits) == "finish (finish.py:2)"


async def test_each_place_is_named_once_and_three_at_most() -> None:
    functions = [compiled("books", name, WAIT) for name in ("a", "b", "c", "d", "e")]
    found = await described(*functions, functions[0])
    assert found.endswith(" and 2 more")
    assert found.count(".py:2)") == 3


async def test_a_hook_is_named_with_its_plugin() -> None:
    class Waits(Plugin):
        name = "waits"

        async def fetch(self, *_: object) -> None:
            await trio.sleep_forever()

    function = partial(WORKER, Waits().fetch)
    found = await described(function)
    assert found.startswith("test_a_hook_is_named_with_its_plugin.<locals>.Waits.fetch (")
    assert found.endswith(") of the plugin waits")
