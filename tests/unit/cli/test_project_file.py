"""The configuration in ``crawler.toml`` or ``pyproject.toml``."""

from __future__ import annotations

import pytest

from crawler.cli.project_file import from_project
from crawler.errors import ConfigError

FULL = """\
outputs = ["a.jsonl", "b.csv"]
job = "a.job"
[settings]
workers = 3
[arguments]
page = 2
tags = ["x"]
name = "poetry"
[plugins.cache]
folder = "pages"
"""


def test_a_file_has_settings_plugins_arguments_outputs_and_a_job(tmp_path):
    (tmp_path / "crawler.toml").write_text(FULL)
    file = from_project(tmp_path)
    assert (file.source, file.settings.given) == ("crawler.toml", {"workers": 3})
    assert file.plugins == {"cache": {"folder": "pages"}}
    assert file.arguments == {"page": "2", "tags": '["x"]', "name": "poetry"}
    assert (file.outputs, file.job) == (("a.jsonl", "b.csv"), "a.job")


def test_pyproject_has_the_same_in_a_table_of_its_own(tmp_path):
    text = '[project]\nname = "x"\n[tool.crawler]\noutputs = "a.csv"\nplugins = ["cache"]\n'
    (tmp_path / "pyproject.toml").write_text(text + "[tool.crawler.settings]\nworkers = 3\n")
    file = from_project(tmp_path)
    assert (file.source, file.settings.given) == ("pyproject.toml", {"workers": 3})
    assert (file.outputs, file.plugins) == (("a.csv",), {"cache": {}})


@pytest.mark.parametrize(
    "text",
    [
        '[tool.crawler]\njob = "a.job"\n',
        '[ tool . "crawler" ]\njob = "a.job"\n',
        "[tool]\ncrawler.job = 'a.job'\n",
        '[ "tool" ]\ncrawler = { job = "a.job" }\n',
        'tool = { crawler = { job = "a.job" } }\n',
        "'tool'.crawler.job = 'a.job'\n",
    ],
)
def test_the_table_may_be_spelt_in_any_way_that_toml_allows(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert from_project(tmp_path).job == "a.job"


@pytest.mark.parametrize("text", ['[project]\nname = "x"\n', "not toml [", "tool = 1\n"])
def test_a_pyproject_of_another_program_is_left_alone(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    assert from_project(tmp_path).source == ""


def test_crawler_toml_comes_first(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.crawler.settings]\nworkers = 3\n")
    (tmp_path / "crawler.toml").write_text("[settings]\nworkers = 4\n")
    assert from_project(tmp_path).settings.workers == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = 3", "no such key: workers: it is a setting, which belongs in [settings]"),
        ("per_domain = 3", "it is a setting, which belongs in [settings]"),
        ("setings = 3", "did you mean settings?"),
        ("outputs = 3", "outputs must be a list of strings"),
        ("outputs = [3]", "outputs must be a list of strings"),
        ("job = 3", "job must be the path of a folder"),
        ("settings = 3", "settings must be a table"),
        ("arguments = 3", "arguments must be a table"),
        ("plugins = 3", "plugins must be a list of names, or tables"),
        ("plugins = [3]", "plugins must be a list of names, or tables"),
        ("[plugins]\ncache = 3", "plugins must be a list of names, or tables"),
        ("[settings]\nworkers = 0", "workers"),
        ("[settings]\nnosuch = 0", "nosuch"),
        ("[", "crawler.toml: "),
    ],
)
def test_an_error_names_the_entry(tmp_path, text, message):
    (tmp_path / "crawler.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        from_project(tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith("crawler.toml: ")


def test_the_table_of_pyproject_must_be_a_table(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool]\ncrawler = 3\n")
    with pytest.raises(ConfigError, match=r"pyproject.toml: tool.crawler must be a table"):
        from_project(tmp_path)


def test_a_folder_with_the_name_of_the_file_is_named(tmp_path):
    (tmp_path / "pyproject.toml").mkdir()
    assert from_project(tmp_path).source == ""
    (tmp_path / "crawler.toml").mkdir()
    with pytest.raises(ConfigError, match=r"^crawler\.toml: is a directory$"):
        from_project(tmp_path)
