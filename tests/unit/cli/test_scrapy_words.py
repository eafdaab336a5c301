"""Commands and options of Scrapy are named as they are called here."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.cli.commands import COMMANDS
from crawler.cli.scrapy_words import COMMANDS_OF_SCRAPY, OPTIONS_OF_SCRAPY, hint_of_project, hint_of_scrapy


@pytest.mark.parametrize("name", COMMANDS_OF_SCRAPY)
def test_a_command_of_scrapy_is_named(name):
    assert hint_of_scrapy(f'unknown command "{name}"') == f'unknown command "{name}" (here: {COMMANDS_OF_SCRAPY[name]})'
    assert name not in COMMANDS


@pytest.mark.parametrize(
    ("name", "here"), [("crawl", "crawler run --scrapy PROJECT SPIDER"), ("list", "crawler scrapy check PROJECT")]
)
def test_an_action_of_the_command_scrapy_is_named(name, here):
    message = f'invalid value "{name}" for ACTION'
    assert hint_of_scrapy(f'{message}. Choose from: "check"') == f"{message} (here: {here})"


@pytest.mark.parametrize("folder", [".", "shop", "shop/spiders"])
def test_the_project_that_a_folder_belongs_to_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop/spiders").mkdir(parents=True)
    assert hint_of_project(Path(folder)) == ""
    (tmp_path / "scrapy.cfg").touch()
    assert hint_of_project(Path(folder)) == " (spiders of this Scrapy project: crawler run --scrapy . NAME)"


@pytest.mark.parametrize("name", OPTIONS_OF_SCRAPY)
def test_an_option_of_scrapy_is_named_instead_of_the_closest_one(name):
    here = f"unknown option: {name} (here: {OPTIONS_OF_SCRAPY[name]})"
    assert hint_of_scrapy(f"unknown option: {name}") == here
    assert hint_of_scrapy(f"unknown option: {name}. Did you mean --no-plugin?") == here


@pytest.mark.parametrize("message", ['unknown command "craw"', "unknown option: -OO", "-o needs a value"])
def test_other_messages_stay(message):
    assert hint_of_scrapy(message) == ""
