"""The sink of a file name, and the outputs that are rejected before the crawl starts."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint

import pytest
from support.crawls import CRAWL

from crawler.errors import ConfigError, CrawlFailed, PluginError
from crawler.sinks import Csv, Json, JsonLines, Stdout, choose, open_output


@pytest.fixture
def points(monkeypatch):
    """Install outputs: name to ``module:Class``."""

    def install(outputs):
        found = {name: EntryPoint(name, value, choose.GROUP) for name, value in outputs.items()}
        monkeypatch.setattr(choose, "entry_points_of", lambda group: found)

    return install


def test_a_built_in_output_cannot_be_replaced(points):
    points({".jsonl": "crawler.sinks:Csv", ".lines": "crawler.sinks:JsonLines", "lines": "crawler.sinks:JsonLines"})
    assert choose.find_output(".jsonl") is choose.find_output(".lines") is JsonLines
    assert choose.output_names() == [".jsonl", ".json", ".csv", ".lines", "lines"]
    assert choose.find_output(".other") is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("crawler.sinks.none:Sink", "output .x cannot be imported: ModuleNotFoundError"),
        ("crawler.errors:ConfigError", "output .x is not a Plugin"),
        ("crawler:Spider", r"output .x: Spider has no persist\(\), so it cannot store items"),
    ],
)
def test_an_output_that_cannot_be_used_is_a_plugin_error(points, value, message):
    points({".x": value})
    with pytest.raises(PluginError, match=message):
        choose.find_output(".x")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", JsonLines),
        ("a.json", Json),
        ("a.b.csv", Csv),
        ("UPPER.JSONL", JsonLines),
        ("a.jl", JsonLines),
        ("a.jl.gz", JsonLines),
        ("a.ndjson", JsonLines),
    ],
)
def test_the_ending_chooses_the_sink(tmp_path, name, kind):
    assert type(open_output(tmp_path / name)) is kind
    assert not (tmp_path / name).exists()


def test_an_output_may_be_the_value_of_an_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", f"{tmp_path}/a.csv")
    assert type(open_output("env:PLACE")) is Csv
    with pytest.raises(ConfigError, match="output: the environment variable 'OTHER' is not set"):
        open_output("env:OTHER")


def test_a_dash_is_standard_output():
    assert isinstance(open_output("-"), Stdout)


def test_two_outputs_have_two_names(tmp_path):
    one, other = open_output(tmp_path / "a.jsonl"), open_output(tmp_path / "b.jsonl")
    assert one.name == f"jsonl:{tmp_path}/a.jsonl" != other.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("items.xml", "'items.xml' has the unknown extension '.xml': use .jsonl, .json, .csv, "),
        ("items.jsnl", "did you mean .jsonl?"),
        ("items", "'items' has no extension"),
        ("--quiet", "'--quiet' has no extension"),
        ("nowhere/items.csv", "no such folder: nowhere"),
    ],
)
def test_an_invalid_output_is_rejected_with_one_line(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        open_output(name)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_is_rejected(tmp_path):
    (tmp_path / "items.json").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        open_output(tmp_path / "items.json", if_exists="overwrite")


def test_a_pipe_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "items.json")
    with pytest.raises(ConfigError, match="not a regular file"):
        open_output(tmp_path / "items.json", if_exists="overwrite")


def test_an_existing_file_is_rejected_with_advice(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("")
    with pytest.raises(ConfigError, match="exists already: --overwrite replaces it, --append"):
        open_output(path)


def test_a_folder_without_permission_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK))
    with pytest.raises(ConfigError, match="no permission to write"):
        open_output(tmp_path / "items.jsonl")


async def test_a_file_that_appeared_since_the_check_is_not_overwritten(tmp_path, keep):
    path = tmp_path / "items.jsonl"
    sink = open_output(path)
    path.write_text("somebody else's\n")
    with pytest.raises(ConfigError, match="exists already"):
        await keep(sink, [{"n": 1}])
    assert path.read_text() == "somebody else's\n"


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
async def test_overwriting_replaces_the_old_file_when_the_crawl_starts(tmp_path, keep, ending):
    path = tmp_path / f"items.{ending}"
    path.write_text("old " * 1000)
    sink = open_output(path, if_exists="overwrite")
    assert path.read_text().startswith("old")
    await keep(sink, [{"n": 1}])
    assert "old" not in path.read_text()


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
async def test_appending_to_a_missing_file_creates_it(tmp_path, keep, ending):
    missing, empty, fresh = (tmp_path / f"{name}.{ending}" for name in ("missing", "empty", "fresh"))
    empty.write_text("")
    await keep(open_output(fresh), [{"n": 1}])
    await keep(open_output(missing, if_exists="append"), [{"n": 1}])
    await keep(open_output(empty, if_exists="append"), [{"n": 1}])
    assert missing.read_bytes() == empty.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
async def test_a_batch_that_does_not_fit_on_the_disk_leaves_no_trace_and_can_be_retried(
    tmp_path, rows, full_disk, ending
):
    path, whole = tmp_path / f"items.{ending}", tmp_path / f"whole.{ending}"
    first, second = rows([{"n": 1}]), rows([{"n": 2}, {"n": 3}])
    sink = open_output(whole)
    async with sink.lifespan(CRAWL):
        await sink.persist(first)
        before = whole.read_bytes()
        await sink.persist(second)
    sink = open_output(path)
    async with sink.lifespan(CRAWL):
        await sink.persist(first)
        disk = sink.file = full_disk(sink.file, 3)
        with pytest.raises(
            CrawlFailed, match=f"cannot write .*{ending}: the disk is full .*; free some space, then run"
        ):
            await sink.persist(second)
        if ending == "json":  # the closing bracket needs space, too
            before = before.removesuffix(b"\n]\n")
        assert path.read_bytes() == before
        disk.room = 10_000
        await sink.persist(second)
    assert path.read_bytes() == whole.read_bytes()
