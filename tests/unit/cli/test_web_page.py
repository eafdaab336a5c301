"""``crawler run --ui``."""

from __future__ import annotations

import pytest

from crawler.cli.app import main
from crawler.cli.web_page import address_options, with_web_page
from crawler.errors import ConfigError


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("", "127.0.0.1", 0),
        ("8700", "127.0.0.1", 8700),
        (":8700", "127.0.0.1", 8700),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:80", "::1", 80),
        ("box.test", "box.test", 0),
    ],
)
def test_addresses(address, host, port):
    assert {"host": "127.0.0.1"} | address_options(address) == {"host": host, "port": str(port)}
    assert [plugin.name for plugin in with_web_page([], address)] == ["web"]


def test_an_invalid_port_and_a_second_web_page_are_refused():
    with pytest.raises(ConfigError, match="port must be from 0 to 65535"):
        with_web_page([], "127.0.0.1:70000")
    with pytest.raises(ConfigError, match="use either --ui or -p web, not both"):
        with_web_page(with_web_page([], ""), "")


@pytest.mark.parametrize("words", [["--ui", "books.py"], ["books.py", "--ui"], ["books.py", "--ui", "-q"]])
def test_the_option_needs_no_value(in_process, capsys, words):
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert "no such file: books.py" in error or "unknown option: -q" in error
