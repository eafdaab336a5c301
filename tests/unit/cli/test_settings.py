"""``crawler settings``."""

from __future__ import annotations

import json

import attrs

from crawler.settings.settings import Settings

SPIDER = """\
from crawler import Settings, Spider

class Books(Spider):
    start_urls = ["http://127.0.0.1:9/"]
    settings = Settings(delay=1.5, workers=2, pacing={"a.test": {"rate": "1/s"}}, headers={"X-Key": "s3cret"})

    def parse(self, response):
        return None
"""


def test_every_setting_is_printed_with_its_meaning(command):
    code, out, err = command("settings")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for field in attrs.fields(Settings):
        if not field.name.startswith("_"):
            assert any(line.split(" ")[0] == field.name for line in lines), field.name
    assert "Maximum number of requests in flight" in out


def test_the_source_of_each_value_is_named(command, tmp_path):
    (tmp_path / "books.py").write_text(SPIDER)
    (tmp_path / "crawler.toml").write_text('[settings]\nworkers = 4\n[settings.pacing]\n"b.test" = {rate = "2/s"}\n')
    code, out, err = command("settings", "books.py", "--diff", "-s", "max_pages=3", env={"CRAWLER_JITTER": "0.5"})
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "workers 4 (crawler.toml)" in lines
    assert "delay 1.5 (spider books)" in lines
    assert "jitter 0.5 (environment)" in lines
    assert "max_pages 3 (-s)" in lines
    assert 'pacing {"b.test":{"rate":["2/s"]},"a.test":{"rate":["1/s"]}} (spider books, crawler.toml)' in lines
    assert "s3cret" not in out


def test_without_a_difference_that_is_said(command):
    assert command("settings", "--diff") == (0, "every setting has its default\n", "")


def test_programs_get_json(command):
    code, out, err = command("settings", "--json", "-s", "workers=3")
    assert (code, err) == (0, "")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (rows["workers"]["value"], rows["workers"]["default"], rows["workers"]["source"]) == (3, 32, "-s")
    assert rows["delay"]["source"] == "default"
