"""`HookTable`: the order of plugins, and breaches of the contract, which are rejected before the crawl starts."""

from __future__ import annotations

import functools
import logging
from contextlib import asynccontextmanager, contextmanager

import pytest
from support.cases import each

from crawler import Drop, Plugin, PluginError, Spider
from crawler.hooks.table import HOOKS, HookTable
from crawler.other_names import OTHER_NAMES
from crawler.spiders import SiteSpider


class Shop(Spider):
    def parse(self, response):
        return None


def plugin(name: str = "mine", **members) -> Plugin:
    """Return an instance of a plugin class with these members."""
    return type("Mine", (Plugin,), {"name": name, **members})()


def names(hooks) -> list[str]:
    return [hook.plugin.name for hook in hooks]


class Everything(Plugin):
    """Overrides every hook with a valid method."""

    @asynccontextmanager
    async def lifespan(self, crawl):
        yield

    def admit(self, request):
        return Drop()

    async def answer(self, request):
        return None

    async def fetch(self, request, send):
        return await send(request)

    def parse(self, response):
        yield {}

    async def refine(self, item, response):
        return item

    async def persist(self, batch):
        return None

    def measure(self, usage):
        return None

    async def failed(self, failure):
        yield {}


# ---- contents --------------------------------------------------------------------------------------------------------


def test_a_plugin_that_overrides_no_hook_is_never_called():
    table = HookTable.build([Shop(), plugin()])
    assert {hook: getattr(table, hook) for hook in HOOKS} == dict.fromkeys(HOOKS, ())


def test_every_hook_can_be_overridden():
    everything = Everything()
    table = HookTable.build([Shop(), everything])
    for hook in HOOKS:
        [entry] = getattr(table, hook)
        assert entry.plugin is everything
        assert entry.call == getattr(everything, hook)


def test_every_hook_is_called_in_the_order_of_the_plugins():
    class Spidery(Shop):
        name = "spider"

        def admit(self, request):
            return None

    members = {"admit": lambda self, request: None, "measure": lambda self, usage: None}
    table = HookTable.build([Spidery(), plugin("b", **members), plugin("a", **members), plugin("c")])
    assert names(table.admit) == ["spider", "b", "a"]
    assert names(table.measure) == ["b", "a"]


def test_the_parse_of_the_spider_is_its_default_callback_not_a_hook():
    table = HookTable.build([Shop(), plugin(parse=lambda self, response: None)])
    assert names(table.parse) == ["mine"]


def test_the_spider_is_a_plugin_for_all_other_hooks():
    assert names(HookTable.build([SiteSpider("https://site.test/")]).admit) == ["site"]


def test_a_hook_may_come_from_a_base_class_or_be_overridden_again():
    class Base(Everything):
        pass

    class Again(Base):
        def admit(self, request):
            return None

    for kind in (Base, Again):
        one = kind()
        assert HookTable.build([Shop(), one]).admit[0].call == one.admit


@pytest.mark.parametrize(
    "wrapper", [staticmethod, lambda function: classmethod(lambda cls, request: function(request))]
)
def test_a_hook_may_be_a_static_or_class_method(wrapper):
    one = plugin(admit=wrapper(lambda request: Drop("static")))
    assert HookTable.build([Shop(), one]).admit[0].call(None) == Drop("static")


def test_a_decorated_hook_is_checked_by_the_function_that_it_wraps():
    def logged(method):
        @functools.wraps(method)
        def inner(self, *arguments):
            return method(self, *arguments)

        return inner

    assert HookTable.build([Shop(), plugin(admit=logged(lambda self, request: None))]).admit
    with pytest.raises(PluginError, match=r"Mine.admit\(\) cannot be called"):
        HookTable.build([Shop(), plugin(admit=logged(lambda self: None))])


@pytest.mark.parametrize("form", ["generator", "async", "async generator", "plain"])
def test_parse_may_be_any_kind_of_function(form):
    def generator(self, response):
        yield {}

    async def coroutine(self, response):
        return None

    async def async_generator(self, response):
        yield {}

    methods = {"generator": generator, "async": coroutine, "async generator": async_generator}
    assert HookTable.build([Shop(), plugin(parse=methods.get(form, lambda self, response: None))]).parse


def test_additional_parameters_with_defaults_are_allowed():
    assert HookTable.build([Shop(), plugin(admit=lambda self, request, strict=False, *more, **others: None)]).admit


# ---- breaches --------------------------------------------------------------------------------------------------------


async def async_one(self, argument):
    return None


async def async_two(self, one, two):
    return None


async def async_generator(self, argument):
    yield {}


def generator(self, argument):
    yield {}


def sync_one(self, argument):
    return None


def sync_two(self, one, two):
    return None


@contextmanager
def sync_context(self, crawl):
    yield


BREACHES = [
    ("lifespan", async_generator, "must be an async context manager: decorate it with @asynccontextmanager"),
    ("lifespan", async_one, "must be an async context manager: decorate it with @asynccontextmanager"),
    ("lifespan", generator, "must be an async context manager: decorate it with @asynccontextmanager"),
    ("lifespan", sync_context, "must be an async context manager: decorate it with @asynccontextmanager"),
    ("lifespan", asynccontextmanager(async_two), "cannot be called: missing a required argument: 'two'"),
    ("admit", async_one, "must not be async: the crawl does not wait for this hook"),
    ("admit", async_generator, "must not be async: the crawl does not wait for this hook"),
    ("admit", generator, "must return its result, not yield it"),
    ("admit", sync_two, "cannot be called: missing a required argument: 'two'"),
    ("admit", lambda self: None, "cannot be called: too many positional arguments"),
    ("admit", lambda: None, "cannot be called: invalid method signature"),
    ("admit", lambda self, request, *, strict: None, "cannot be called: missing a required argument: 'strict'"),
    ("admit", staticmethod(sync_one), "cannot be called: missing a required argument: 'argument'"),
    ("admit", None, "must be a method, not None"),
    ("admit", 5, "must be a method, not 5"),
    ("admit", property(lambda self: 5), "must be a method, not 5"),
    ("answer", sync_one, "must be `async def`"),
    ("answer", async_generator, "must be `async def` without yield"),
    ("answer", async_two, "cannot be called: missing a required argument: 'two'"),
    ("fetch", sync_two, "must be `async def`"),
    ("fetch", async_one, "cannot be called: too many positional arguments"),
    ("parse", sync_two, "cannot be called: missing a required argument: 'two'"),
    ("refine", sync_two, "must be `async def`"),
    ("refine", async_one, "cannot be called: too many positional arguments"),
    ("refine", async_generator, "must be `async def` without yield"),
    ("persist", generator, "must not yield: it returns the position to resume from"),
    ("persist", async_generator, "must not yield: it returns the position to resume from"),
    ("persist", async_two, "cannot be called: missing a required argument: 'two'"),
    ("measure", async_one, "must not be async: the crawl does not wait for this hook"),
    ("measure", generator, "must return its result, not yield it"),
    ("failed", sync_one, "must be `async def`"),
    ("failed", generator, "must be `async def`"),
    ("failed", async_two, "cannot be called: missing a required argument: 'two'"),
]


@each(("hook", "method", "words"), BREACHES)
def test_a_breach_of_the_contract_is_reported(hook, method, words):
    with pytest.raises(PluginError) as caught:
        HookTable.build([Shop(), plugin(**{hook: method})])
    message, _, expected = str(caught.value).partition("; write ")
    assert message == f"Mine.{hook}() {words}"
    assert ("cannot be called" in words) is (f"def {hook}(self, " in expected)


def test_every_hook_has_a_breach_above():
    assert {hook for hook, *_ in BREACHES} == set(HOOKS)


def test_the_hooks_of_a_spider_follow_the_same_contract():
    class Wrong(Shop):
        async def admit(self, request):
            return None

    with pytest.raises(PluginError, match=r"^Wrong.admit\(\) must not be async"):
        HookTable.build([Wrong()])


def test_a_hook_on_an_instance_is_rejected():
    one = plugin()
    one.admit = lambda request: None
    with pytest.raises(PluginError, match=r"^Mine.admit\(\) must be a method of the class"):
        HookTable.build([Shop(), one])


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("presist", "persist"),
        ("amdit", "admit"),
        ("refines", "refine"),
        ("life_span", "lifespan"),
        ("on_failed", "failed"),
    ],
)
def test_a_misspelt_hook_is_rejected_with_the_closest_name(misspelt, meant):
    for method in (sync_one, async_one):
        with pytest.raises(PluginError) as caught:
            HookTable.build([Shop(), plugin(**{misspelt: method})])
        assert str(caught.value) == f"Mine.{misspelt}() is not a hook (did you mean {meant}()?)"


@pytest.mark.parametrize("name", ["_presist", "helper", "write", "get", "connect"])
def test_a_plugin_may_have_other_methods(name):
    assert HookTable.build([Shop(), plugin(**{name: sync_one})]) == HookTable.build([Shop(), plugin()])


def test_a_misspelt_hook_of_a_spider_is_only_warned_about(caplog):
    class Odd(Shop):
        def presist(self, batch):
            return None

        def parse_item(self, response):
            return None

    with caplog.at_level(logging.WARNING, "crawler.hooks"):
        HookTable.build([Odd()])
    assert [record.getMessage() for record in caplog.records] == [
        "Odd.presist() is not a hook (did you mean persist()?)"
    ]


@pytest.mark.parametrize(("name", "meant"), OTHER_NAMES["definition"].items())
@pytest.mark.parametrize("base", [Spider, Plugin])
def test_names_that_only_scrapy_knows_are_warned_about(caplog, base, name, meant):
    old = type("Old", (base,), {name: None})()
    HookTable.build([old] if base is Spider else [Shop(), old])
    assert caplog.messages == [f"Old.{name} has a meaning in Scrapy only (did you mean {meant}?)"]


def test_such_a_name_is_found_in_a_base_class_and_not_in_one_of_the_package(caplog):
    old = type("Old", (Spider,), {"start_requests": lambda self: [], "custom_settings": {"DOWNLOAD_DELAY": 1}})
    HookTable.build([type("Derived", (old,), {"start": None, "parse_item": None})()])
    assert [message.split()[0] for message in caplog.messages] == [
        "Derived.custom_settings",
        "Derived.start_requests",
    ]


def test_a_spider_of_the_package_is_not_warned_about(caplog):
    with caplog.at_level(logging.WARNING):
        HookTable.build([SiteSpider("https://site.test/")])
    assert caplog.records == []


# ---- names -----------------------------------------------------------------------------------------------------------


def test_two_plugins_with_the_same_name_are_rejected():
    class Other(Plugin):
        name = "mine"

    with pytest.raises(PluginError, match=r"^two plugins have the name 'mine': Mine and Other$"):
        HookTable.build([Shop(), plugin(), Other()])
    with pytest.raises(PluginError, match=r"^two plugins have the name 'shop': Shop and Mine$"):
        HookTable.build([Shop(), plugin("shop")])


def test_one_plugin_cannot_be_listed_twice():
    one = plugin()
    with pytest.raises(PluginError, match=r"^the plugin 'mine' is listed twice$"):
        HookTable.build([Shop(), one, one])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Everything, "is a class: pass an instance, Everything()"),
        (5, "5 is not a Plugin"),
        ("jsonl", "'jsonl' is not a Plugin"),
        ("dedup", "'dedup' is not a Plugin: pass an instance, Dedup() of crawler_plugins.dedup"),
    ],
)
def test_an_object_that_is_not_a_plugin_is_rejected(wrong, words):
    with pytest.raises(PluginError) as caught:
        HookTable.build([Shop(), wrong])
    assert str(caught.value).endswith(words)
