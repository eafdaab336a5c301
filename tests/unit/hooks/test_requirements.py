"""Packages that a plugin requires: a missing one is named with the command that installs it."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError, PluginError
from crawler.hooks.plugin import Plugin
from crawler.hooks.requirements import require
from crawler.hooks.table import HookTable


def test_installed_modules_are_imported():
    require("plugin x", {"json": "x", "os.path": "x"})


@pytest.mark.parametrize("module", ["duckling", "duckling.pond", "json.duckling"])
def test_a_missing_module_is_named_with_the_command_that_installs_it(module):
    with pytest.raises(ConfigError) as caught:
        require("plugin x", {module: "trio-crawler[duckling]"})
    line = f"plugin x needs {module}, which is not installed: pip install 'trio-crawler[duckling]'"
    assert str(caught.value) == line


@pytest.mark.parametrize("body", ["import duckling", "1 / 0"])
def test_a_module_that_cannot_be_imported_is_not_missing(tmp_path, monkeypatch, body):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"broken_{len(body)}.py").write_text(body)
    with pytest.raises(PluginError, match=r"needs broken_\d+, which cannot be imported"):
        require("plugin x", {f"broken_{len(body)}": "x"})


class Needy(Plugin):
    requires = {"duckling": "trio-crawler[duckling]"}


def test_a_plugin_without_its_package_is_refused_before_the_crawl():
    with pytest.raises(ConfigError, match=r"plugin needy needs duckling"):
        HookTable.build([Plugin(), Needy()])
