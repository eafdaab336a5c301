"""Every output and plugin refuses wrong options with one line and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import pytest

from crawler.hooks.load import installed
from crawler.sinks.choose import output_names

OUTPUTS = {
    ".jsonl": ["none/a.jsonl", "a.jsonl?max_rows=many", "a.jsonl?max_rows=5", "a.jsonl?colour=red", "taken/a.jsonl",
               "a%(x)s.jsonl", "a%(n)z.jsonl", "a-%(n)d.jsonl?max_rows=0", "a-%(n)d.jsonl?max_bytes=-1", "folder.jsonl",
               "a.jsonl?max_rows=1&max_rows=2", "old.jsonl", "-%(n)d"],
    ".json": ["none/a.json", "a.json?max_rows=-1", "a.json.bz2", "a.json?indent=2", "folder.json", "old.json"],
    ".csv": ["none/a.csv", "a.csv?delimiter=;", "a.csv?max_bytes=x", "folder.csv", "a.csv.bz2", "old.csv"],
    ".arrows": ["none/a.arrows", "a.arrows?rows=5", "a.arrows.gz", "folder.arrows", "old.arrows"],
    ".parquet": ["none/a.parquet", "a.parquet?rows=0", "a.parquet?rows=x", "a.parquet?seconds=-1",
                 "a.parquet?seconds=nan", "a.parquet?compression=zip", "a-%(n)d.parquet", "folder.parquet",
                 "a.parquet.gz", "a.parquet?colour=red", "old.parquet"],
    ".sqlite": ["none/a.sqlite", "a.sqlite?table=", "a.sqlite?table=%25(x)s", "a.sqlite?retry=1", "folder.sqlite",
                "%(type)s.sqlite", "%(n)d.sqlite",
                "old.sqlite"],
    ".duckdb": ["none/a.duckdb", "a.duckdb?table=", "a.duckdb?table=%25(x)s", "a.duckdb?colour=red", "folder.duckdb",
                "%(time)s.duckdb",
                "old.duckdb"],
    ".delta": ["none/a.delta", "a.delta?colour=red", "a.delta?rows=0", "a.delta?rows=x", "a.delta?seconds=-1"],
    "delta+s3": ["delta+s3://", "delta+s3://bucket", "delta+s3://bucket/a?rows=0", "delta+s3://bucket/a?colour=red", "delta+s3://me:secret@bucket/a"],
    "delta+gs": ["delta+gs://", "delta+gs://bucket", "delta+gs://bucket/a?rows=0", "delta+gs://bucket/a?colour=red", "delta+gs://me:secret@bucket/a"],
    "delta+az": ["delta+az://", "delta+az://bucket", "delta+az://bucket/a?rows=0", "delta+az://bucket/a?colour=red", "delta+az://me:secret@bucket/a"],
    "mongodb": ["mongodb://127.0.0.1:1", "mongodb://127.0.0.1:1/x?retry=-1", "mongodb://127.0.0.1:port/x",
                "mongodb://127.0.0.1:1/x?collection="],
    "mongodb+srv": ["mongodb+srv://127.0.0.1", "mongodb+srv://nosuch.invalid/x?retry=-1",
                    "mongodb+srv://nosuch.invalid/x?collection="],
    "postgresql": ["postgresql://127.0.0.1:1/x?connect_timeout=2", "postgresql://127.0.0.1:1/x?table=",
                   "postgresql://127.0.0.1:1/x?retry=-1", "postgresql://127.0.0.1:1/x?retry=soon",
                   "postgresql://127.0.0.1:1/x?colour=red", "postgresql://127.0.0.1:1/x?table=a&table=b",
                   "postgresql://127.0.0.1:port/x"],
    "mysql": ["mysql://127.0.0.1:1/x", "mysql://127.0.0.1:1", "mysql://127.0.0.1:port/x", "mysql://127.0.0.1:1/x/y",
              "mysql://127.0.0.1:1/x?table=", "mysql://127.0.0.1:1/x?retry=nan", "mysql://127.0.0.1:1/x?charset=latin1",
              "mysql://127.0.0.1:1/x?ssl_ca=none.pem"],
    "mariadb": ["mariadb://127.0.0.1:1/x", "mariadb://127.0.0.1:1", "mariadb://127.0.0.1:1/x?retry=-1"],
    "s3": ["s3://bucket", "s3://bucket/a.csv", "s3://bucket/%(type)s.jsonl", "s3://me:secret@bucket/a.jsonl",
           "s3://bucket/a.jsonl?rows=0", "s3://bucket/a.jsonl?seconds=-1", "s3://bucket/a.parquet?compression=zip",
           "s3://bucket/a.jsonl?colour=red"],
    "gs": ["gs://bucket", "gs://bucket/a.csv", "gs://me:secret@bucket/a.jsonl", "gs://bucket/a.jsonl?rows=none"],
    "az": ["az://bucket", "az://bucket/a.csv", "az://me:secret@bucket/a.jsonl", "az://bucket/a.jsonl?rows=0"],
}  # fmt: skip
"""Wrong outputs by extension or scheme."""
PLUGINS = {
    "browser": ["every=some", "every=needed", "wait=js:", "wait=-1", "actions=fly", "actions=click", "block=pictures",
                "timeout=0", "timeout=soon", "tabs=0", "tabs=65", "memory=100", "screenshot=perhaps", "viewport=800",
                "viewport=0x0", "locale=de_DE", "executable=none", "url=http://host/", "network=none",
                "network=own every=needed wait=p", "colour=red"],
    "budget": ["requests=0", "requests=many", "bytes=-1", "price=-1", "per=page", "then=wait", "window=0",
               "requests=5 webhook=nowhere", "requests=5 threshold=2", ""],
    "cache": ["path=none/cache.sqlite", "path=folder.sqlite", "max_age=-1", "max_age=old", "ignore_statuses=ok"],
    "chunks": ["size=0", "size=many", "size=10 overlap=10", "overlap=-1", "tokenizer=none:none", "field="],
    "coverage": ["most=0", "most=all", "colour=red"],
    "dedup": ["memory=-1", "memory=0", "memory=much"],
    "errors": ["every=0", "most=0", "path=", "path=/", "path=none/errors.jsonl", "path=folder.csv"],
    "expect": ["min_items=-1", "min_items=some", "max_error_rate=200%", "max_error_rate=few", "max_loss=-1",
               "coverage=title",
               "history=none/runs.sqlite", ""],
    "files": ["fields=", "min_bytes=5 max_bytes=4", "types=png", "concurrency=0", "timeout=0", "expires=-1",
              "path=../{name}", "path={colour}", "required=perhaps", "folder=old.csv"],
    "heartbeat": ["every=0", "every=-5", "every=soon"],
    "http_cache": ["path=none/cache.sqlite", "path=folder.sqlite", "allow_stale=perhaps", "colour=red"],
    "images": ["min_width=-1", "max_pixels=0", "convert=gif", 'thumbs={"a": [0, 1]}', "thumbs=small",
               "thumb_path={colour}"],
    "llms_txt": ["path=x", "colour=red", "every=5"],
    "near_duplicates": ["bits=16", "bits=-1", "memory=0", "text=", "field="],
    "opentelemetry": ["exporter=none", "exporter=console,otlp", "colour=red"],
    "prometheus": ["", "textfile=/", "port=-1", "port=70000", "port=9 every=0", "port=9 lanes=-1",
                   "textfile=none/a.prom", "textfile=folder.csv"],
    "quota": ["threshold=2", "threshold=few", "then=wait", "pause=-1", "every=-1", "webhook=nowhere"],
    "recrawl": ["", "compare=head", "min_interval=-1", "path=none/a.sqlite", "path=a.sqlite changes=none/a.jsonl"],
    "replay": ["", "path=[1]", "path=none.warc.gz", "path=old.csv", "path=folder.csv"],
    "required": ["", "fields=", "colour=red"],
    "stalls": ["threshold=0", "threshold=soon", "path=none/stalls.jsonl"],
    "validate": ["", "model=none:None", "model=builtins:int", "schema=none.json", "schema=old.csv",
                 "schema=old.csv then=keep", "model=decimal:Decimal then=drop"],
    "warc": ["", "path=none/site.warc", "path=site.zip", "path=folder.csv", "path=site.warc max_size=0",
             "path=site.warc level=10", "path=site.warc level=best", "path=site.warc revisits=perhaps",
             "path=old.warc"],
    "web": ["port=-1", "port=70000", "port=any", "token=short", "host=nosuch.invalid", "colour=red"],
}  # fmt: skip
"""Wrong options by plugin."""


@pytest.fixture
def folder(books, tmp_path):
    """A folder with a spider, files of other programs, and folders with the names of files."""
    for ending in ("jsonl", "json", "csv", "arrows", "parquet", "sqlite", "duckdb", "warc"):
        (tmp_path / f"old.{ending}").write_text("something else\n" * 100)
        (tmp_path / f"folder.{ending}").mkdir()
    (tmp_path / "taken").write_text("")
    return tmp_path


def contents(folder):
    found = {path.relative_to(folder): path for path in folder.rglob("*") if "__pycache__" not in path.parts}
    return {name: path.read_bytes() if path.is_file() else None for name, path in found.items()}


def test_every_output_and_plugin_is_in_the_tables():
    assert {*output_names()} - OUTPUTS.keys() == set()
    assert {*installed()} - PLUGINS.keys() == set()
    assert min(map(len, (*OUTPUTS.values(), *PLUGINS.values()))) >= 3


@pytest.mark.parametrize("output", [one for several in OUTPUTS.values() for one in several])
def test_a_wrong_output_is_refused(refused, folder, output, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    before = contents(folder)
    said = refused("run", "books.py", "-o", output)
    assert "secret" not in said
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("plugin", "options"), [(plugin, options) for plugin, several in PLUGINS.items() for options in several]
)
def test_wrong_options_of_a_plugin_are_refused(refused, folder, plugin, options):
    before = contents(folder)
    words = [word for option in _split(options) for word in ("-P", f"{plugin}.{option}")]
    refused("run", "books.py", "-p", plugin, *words)
    assert contents(folder) == before


def _split(options):
    """Return options that are separated by a space; a value in braces may contain spaces."""
    return [options] if "{" in options else options.split()
