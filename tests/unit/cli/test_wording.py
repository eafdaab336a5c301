"""Messages of the framework in terms of the command line."""

from __future__ import annotations

import pytest

from crawler.cli.wording import OPTIONS, for_command_line
from crawler.errors import ConfigError, JobError
from crawler.sinks import open_output


def test_an_existing_output_is_named_in_python_and_on_the_command_line(tmp_path):
    (tmp_path / "items.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError) as caught:
        open_output(str(tmp_path / "items.jsonl"))
    message = str(caught.value)
    assert message.endswith('exists already: if_exists="overwrite" replaces it, if_exists="append" adds to it')
    assert for_command_line(message).endswith("exists already: --overwrite replaces it, --append adds to it")


def test_each_argument_has_an_option():
    for argument, option in OPTIONS.items():
        assert for_command_line(f"a {argument} b") == f"a {option} b"
    assert for_command_line(str(JobError("no argument"))) == "no argument"
