"""What the environment configures."""

from __future__ import annotations

import pytest

from crawler.cli.environment_variables import from_environment
from crawler.errors import ConfigError


def test_settings_outputs_plugins_arguments_and_the_job():
    found = from_environment(
        {
            "CRAWLER_WORKERS": "3",
            "CRAWLER_OUTPUTS": "a.jsonl, b.csv,",
            "CRAWLER_PLUGINS": '["cache", "module:Class"]',
            "CRAWLER_ARGUMENTS": '{"page": 2, "name": "poetry"}',
            "CRAWLER_JOB": "a.job",
            "HOME": "/root",
        }
    )
    assert found.settings.given == {"workers": 3}
    assert (found.outputs, found.plugins) == (("a.jsonl", "b.csv"), {"cache": {}, "module:Class": {}})
    assert (found.arguments, found.job) == ({"page": "2", "name": "poetry"}, "a.job")


def test_an_unknown_name_is_a_warning(caplog):
    from_environment({"CRAWLER_WORKRES": "3", "CRAWLER_OUTPUT": "a"})
    assert "CRAWLER_WORKRES in the environment is not a setting (did you mean CRAWLER_WORKERS?)" in caplog.messages
    assert "CRAWLER_OUTPUT in the environment is not a setting (did you mean CRAWLER_OUTPUTS?)" in caplog.messages


def test_a_variable_of_a_plugin_is_not_a_setting(caplog):
    from_environment({"CRAWLER_BROWSER": "/usr/bin/chromium"})
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("CRAWLER_WORKERS", "many", "workers"),
        ("CRAWLER_OUTPUTS", "[1]", "CRAWLER_OUTPUTS is not a list of strings"),
        ("CRAWLER_OUTPUTS", "[", "CRAWLER_OUTPUTS is not a list of strings"),
        ("CRAWLER_ARGUMENTS", "page=2", "CRAWLER_ARGUMENTS is not a JSON object"),
        ("CRAWLER_ARGUMENTS", "[]", "CRAWLER_ARGUMENTS is not a JSON object"),
    ],
)
def test_an_error_names_the_variable(name, text, message):
    with pytest.raises(ConfigError) as caught:
        from_environment({name: text})
    assert str(caught.value).startswith("environment: ")
    assert message in str(caught.value)
