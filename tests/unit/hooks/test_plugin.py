"""The base class of plugins: its name, its default hooks, and the protocol `Crawl`."""

from __future__ import annotations

import inspect

import pytest

from crawler import Plugin, Spider
from crawler.hooks.crawl import Crawl
from crawler.hooks.table import HOOKS
from crawler.testing import callback_results, response_for

SYNC = {"admit": (None,), "parse": (None,), "measure": (None,), "persist": ([],)}
ASYNC = {"answer": (None,), "fetch": (None, None), "refine": (None, None), "failed": (None,)}


def test_a_plugin_is_named_after_its_class_unless_it_has_a_name():
    class MyCache(Plugin):
        pass

    class Named(MyCache):
        name = "other"

    class Derived(Named):
        pass

    assert (MyCache.name, Named.name, Derived.name) == ("mycache", "other", "derived")


@pytest.mark.parametrize("hook", SYNC)
def test_a_hook_that_is_not_overridden_returns_none(hook):
    assert getattr(Plugin(), hook)(*SYNC[hook]) is None


@pytest.mark.parametrize("hook", ASYNC)
async def test_an_async_hook_that_is_not_overridden_returns_none(hook):
    assert await getattr(Plugin(), hook)(*ASYNC[hook]) is None


async def test_a_lifespan_that_is_not_overridden_does_nothing():
    async with Plugin().lifespan(None) as value:
        assert value is None


def test_the_base_class_has_every_hook_and_documents_it():
    assert {*SYNC, *ASYNC, "lifespan"} == set(HOOKS)
    assert all(inspect.getdoc(getattr(Plugin, hook)) for hook in HOOKS)


async def test_the_crawl_of_the_engine_has_every_attribute_of_the_protocol(autojump_clock):
    spider = type("Empty", (Spider,), {"parse": lambda self, response: None})()
    await callback_results(spider, response_for("https://site.test/", "x"))
    promised = {name for name in (*vars(Crawl), *inspect.get_annotations(Crawl)) if not name.startswith("_")}
    assert len(promised) > 10
    assert [name for name in sorted(promised) if not hasattr(spider.crawl, name)] == []
