"""Settings and plugins from file, environment and command line."""

from __future__ import annotations

import inspect
import logging
import sys

import pytest

from crawler import Spider
from crawler.cli.configuration import Layers, pairs
from crawler.errors import ConfigError
from crawler.hooks.plugin import Plugin
from crawler.limits.pace import Pace


class Cache(Plugin):
    def __init__(self, folder: str = ".", days: float = 1.0, kinds: list[str] = [], on: bool = False) -> None:  # noqa: B006
        self.options = (folder, days, kinds, on)


class Other(Plugin):
    pass


MODULE = "plugins_of_this_test"
CACHE, OTHER = f"{MODULE}:Cache", f"{MODULE}:Other"


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE, sys.modules[__name__])

    def read(toml="", *, environment=None, **texts):
        (tmp_path / "crawler.toml").write_text(toml, encoding="utf-8")
        return Layers.read(folder=tmp_path, environment=environment or {}, **texts)

    return read


def test_nothing_given_is_nothing(tmp_path):
    layers = Layers.read(folder=tmp_path, environment={"HOME": "/root", "CRAWLERS": "1"})
    assert (layers.settings.given, layers.plugins) == ({}, ())


def test_each_layer_goes_over_the_one_before(read):
    layers = read(
        '[settings]\nworkers = 1\ndelay = 1\njitter = 0.5\npacing = {"a.example" = {rate = "1/s"}}\n',
        environment={"CRAWLER_DELAY": "2", "CRAWLER_OBEY_ROBOTS": "false", "CRAWLER_MAX_DEPTH": "none"},
        settings=["jitter=0.1", 'pacing={"b.example": {"delay": 3}}'],
    )
    assert layers.settings.given == {
        "workers": 1,
        "delay": 2.0,
        "jitter": 0.1,
        "obey_robots": False,
        "max_depth": None,
        "pacing": {"a.example": Pace(rate="1/s"), "b.example": Pace(delay=3)},
    }


def test_the_last_of_two_values_counts():
    assert pairs(["a=1", "b==x=", "a="], "-s") == {"a": "", "b": "=x="}


@pytest.mark.parametrize("text", ["a", "=1", " =1", ""])
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(ConfigError, match="-s wants NAME=VALUE"):
        pairs([text], "-s")


@pytest.mark.parametrize("name", sorted({*inspect.get_annotations(Spider)} - {"settings"}))
def test_what_a_spider_has_as_an_attribute_is_no_setting(read, name):
    with pytest.raises(ConfigError, match=f"^no such setting: {name}, which is an attribute of the spider$"):
        read(settings=[f"{name}=x"])


def test_an_unknown_name_in_the_environment_is_only_warned_of(read, caplog):
    with caplog.at_level(logging.WARNING):
        read(environment={"CRAWLER_DELAYS": "1", "CRAWLER_TOKEN_OF_MINE": "x"})
    assert [record.message for record in caplog.records] == [
        "CRAWLER_DELAYS in the environment is not a setting (did you mean CRAWLER_DELAY?)",
        "CRAWLER_TOKEN_OF_MINE in the environment is not a setting",
    ]


def test_plugins_come_in_order_with_options_of_their_types_and_the_command_line_goes_over_the_file(read):
    toml = f'[plugins."{CACHE}"]\nfolder = "pages"\ndays = 2\nkinds = ["a", "b"]\non = true\n'
    layers = read(toml, plugins=[OTHER, CACHE], options=["cache.days=3.5"])
    assert [plugin.name for plugin in layers.plugins] == ["cache", "other"]
    assert layers.plugins[0].options == ("pages", 3.5, ["a", "b"], True)
    [cache] = read(plugins=[CACHE], options=["cache.folder=a.b=c", f"{CACHE}.on=true"]).plugins
    assert cache.options == ("a.b=c", 1.0, [], True)


def test_plugins_of_the_file_may_be_a_list_of_names(read):
    assert [plugin.name for plugin in read(f'plugins = ["{OTHER}", "{CACHE}"]').plugins] == ["other", "cache"]


@pytest.mark.parametrize("name", ["cache", CACHE])
def test_a_plugin_can_be_left_out_by_its_name_or_by_how_it_was_named(read, name):
    layers = read(f'plugins = ["{OTHER}", "{CACHE}"]', without=[name, "else"])
    assert [plugin.name for plugin in layers.plugins] == ["other"]
    assert layers.left_out == {name}
