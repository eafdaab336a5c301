"""Settings and plugins from file, environment and command line."""

from __future__ import annotations

import inspect
import sys

import pytest

from crawler import Spider
from crawler.cli.configuration import Configuration, parse_pairs
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
def load(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE, sys.modules[__name__])

    def load(toml="", *, environment=None, **texts):
        (tmp_path / "crawler.toml").write_text(toml, encoding="utf-8")
        return Configuration.load(folder=tmp_path, environment=environment or {}, **texts)

    return load


def test_without_any_source_the_configuration_is_empty(tmp_path):
    configuration = Configuration.load(folder=tmp_path, environment={"HOME": "/root", "CRAWLERS": "1"})
    assert (configuration.settings.given, configuration.plugins) == ({}, ())


def test_the_environment_overrides_the_file_and_the_command_line_overrides_both(load):
    configuration = load(
        '[settings]\nworkers = 1\ndelay = 1\njitter = 0.5\npacing = {"a.example" = {rate = "1/s"}}\n',
        environment={"CRAWLER_DELAY": "2", "CRAWLER_OBEY_ROBOTS": "false", "CRAWLER_MAX_DEPTH": "none"},
        settings=["jitter=0.1", 'pacing={"b.example": {"delay": 3}}'],
    )
    assert configuration.settings.given == {
        "workers": 1,
        "delay": 2.0,
        "jitter": 0.1,
        "obey_robots": False,
        "max_depth": None,
        "pacing": {"a.example": Pace(rate="1/s"), "b.example": Pace(delay=3)},
    }


def test_the_last_value_of_a_name_wins():
    assert parse_pairs(["a=1", "b==x=", "a="], "-s") == {"a": "", "b": "=x="}


@pytest.mark.parametrize("text", ["a", "=1", " =1", ""])
def test_a_text_that_is_not_a_pair_is_refused(text):
    with pytest.raises(ConfigError, match="-s takes NAME=VALUE"):
        parse_pairs([text], "-s")


@pytest.mark.parametrize("name", sorted({*inspect.get_annotations(Spider)} - {"settings"}))
def test_an_attribute_of_a_spider_is_not_a_setting(load, name):
    with pytest.raises(ConfigError, match=r"^crawler\.toml: setting delay: the environment variable 'NONE' is not"):
        load('[settings]\ndelay = "env:NONE"\n')


@pytest.mark.parametrize("name", ["mapped", f"{MODULE}:Mapped"])
def test_an_option_of_the_command_line_may_be_an_entry_of_a_mapping(load, name):
    toml = f'[plugins."{MODULE}:Mapped".shares]\ntitle = 0.5\nprice = 0.5\n'
    (made,) = load(toml, options=[f"{name}.shares.price=1"]).plugins
    assert made.shares == {"title": 0.5, "price": 1.0}


class Mapped(Plugin):
    def __init__(self, shares: dict[str, float]) -> None:
        self.shares = shares
