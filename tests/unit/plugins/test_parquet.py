"""`Parquet`: one file after a crawl, a folder of parts in a job, a table for each type, and nothing lost by kills."""

from __future__ import annotations

import signal
import textwrap
from types import SimpleNamespace

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crawler_plugins.outputs.parquet import Parquet
from support.environments import environment
from support.processes import PIPE, Process

from crawler import ConfigError, Row, Settings
from crawler.sinks import open_output

CRAWL = SimpleNamespace(settings=Settings(), spider=SimpleNamespace(name="quotes"), clock=lambda: 0.0)


def row(item, kind=""):
    return Row(msgspec.json.encode(item), "key", "http://site.test/", None, kind)


async def store(sink, *items, flush=True):
    async with sink.lifespan(CRAWL):
        sink.persist([one if isinstance(one, Row) else row(one) for one in items])
        if flush:
            sink.flush()


def read(path):
    return pq.read_table(path).to_pylist()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


async def test_a_crawl_without_a_job_makes_one_file(tmp_path):
    path = tmp_path / "items.parquet"
    await store(open_output(f"{path}?rows=2&compression=snappy"), *[{"n": n} for n in range(5)], {"n": 0.5, "s": ["x"]})
    assert [tuple(one.values()) for one in read(path)] == [(n, None) for n in range(5)] + [(0.5, '["x"]')]
    assert names(tmp_path) == ["items.parquet"]


async def test_a_crawl_without_items_makes_an_empty_table(tmp_path):
    await store(Parquet(tmp_path / "items.parquet"))
    assert pq.read_table(tmp_path / "items.parquet").column_names == ["_rescued_data"]  # DuckDB needs a column
    assert read(tmp_path / "items.parquet") == []


async def test_items_are_appended_to_a_file(tmp_path):
    path = tmp_path / "items.parquet"
    await store(Parquet(path), {"n": 1})
    await store(Parquet(path, "append"))
    await store(Parquet(path, "append"), {"n": 0.5}, {"s": "x"})
    assert read(path) == [{"n": 1, "s": None}, {"n": 0.5, "s": None}, {"n": None, "s": "x"}]
    await store(Parquet(path, "overwrite"), {"n": 2})
    assert read(path) == [{"n": 2}]


async def test_files_that_cannot_be_appended_to_are_refused(tmp_path):
    path = tmp_path / "items.parquet"
    path.write_text("x")
    with pytest.raises(ConfigError, match=r"cannot append to .*Parquet.* \(--overwrite"):
        Parquet(path, "append")
    pq.write_table(pa.table({"when": pa.array([0], pa.timestamp("s"))}), path)
    with pytest.raises(ConfigError, match="column 'when' has the type timestamp"):
        Parquet(path, "append")
    with pytest.raises(ConfigError, match="exists already"):
        Parquet(path)


async def test_the_parts_of_a_killed_crawl_are_kept_until_somebody_decides(tmp_path):
    path = tmp_path / "items.parquet"
    await store(Parquet(path, rows=2), *[{"n": n} for n in range(4)], flush=False)
    assert read(tmp_path / "items.parquet.parts") == [{"n": n} for n in range(4)]
    with pytest.raises(ConfigError, match=r"items.parquet.parts has the items of a crawl that was killed"):
        Parquet(path)
    await store(Parquet(path, "overwrite"), {"n": 9})
    assert (names(tmp_path), read(path)) == (["items.parquet"], [{"n": 9}])


async def test_each_type_of_item_has_a_table_of_its_own(tmp_path):
    rows = [row({"q": 1}, "Quote"), row({"a": "x"}, "Author"), row({"i": True}), row({"q": 2}, "Quote")]
    await store(open_output(f"{tmp_path}/%(type)s.parquet?rows=1"), *rows)
    assert read(tmp_path / "Quote.parquet") == [{"q": 1}, {"q": 2}]
    assert read(tmp_path / "Author.parquet") == [{"a": "x"}]
    assert names(tmp_path) == ["Author.parquet", "Quote.parquet", "item.parquet"]
    await store(open_output(f"{tmp_path}/%(type)s.parquet", if_exists="append", job=None), row({"q": 3}, "Quote"))
    assert read(tmp_path / "Quote.parquet") == [{"q": 1}, {"q": 2}, {"q": 3}]
    with pytest.raises(ConfigError, match=r"has the field %\(type\)s only"):
        open_output(f"{tmp_path}/%(n)d.parquet")


def test_the_name_of_a_job_output_is_text_whatever_the_file_is_called(tmp_path):
    path = tmp_path / b"items-\xff.parquet".decode(errors="surrogateescape")
    assert Parquet(path, job=tmp_path).name == r"parquet:items-\xff.parquet"


async def test_a_failed_end_is_repeated_without_a_loss(tmp_path, monkeypatch):
    sink = open_output(f"{tmp_path}/%(type)s.parquet")
    join, calls = Parquet._join, []

    def fail_once(self, path, dataset):
        calls.append(path)
        if len(calls) == 2:
            raise OSError("away")
        join(self, path, dataset)

    monkeypatch.setattr(Parquet, "_join", fail_once)
    async with sink.lifespan(CRAWL):
        sink.persist([row({"q": 1}, "Quote"), row({"a": 1}, "Author")])
        with pytest.raises(OSError, match="away"):
            sink.flush()
        sink.flush()
    assert (read(tmp_path / "Quote.parquet"), read(tmp_path / "Author.parquet")) == ([{"q": 1}], [{"a": 1}])


def test_options_that_are_wrong_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="must be zstd, snappy, gzip, lz4, brotli or none"):
        open_output(f"{tmp_path}/a.parquet?compression=zip")
    with pytest.raises(ConfigError, match="compression must be zstd, snappy"):
        Parquet(tmp_path / "a.parquet", compression="zip")
    (tmp_path / "a.parquet").write_text("")
    with pytest.raises(ConfigError, match="is a file, and a job writes a folder"):
        Parquet(tmp_path / "a.parquet", job=tmp_path / "job")


KILLED = """
    import os, signal, sys
    from crawler import Settings, Spider, run
    from crawler.testing import FakeSite
    from crawler_plugins.outputs import folders

    left = [int(sys.argv[1])]

    def event(function):  # the process dies before the n-th event
        def wrapper(*args):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args)
        return wrapper

    folders.replace = event(folders.replace)
    folders.LocalFolder.write = event(folders.LocalFolder.write)
    folders.LocalFolder.delete = event(folders.LocalFolder.delete)
    folders._sync = event(folders._sync)

    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(60)]

        def parse(self, response):
            n = int(response.url.rpartition("/")[2])
            yield {"n": n if n % 7 else n / 4, f"of{n % 5}": [n], "text": str(n) if n % 3 else n}

    site = FakeSite({f"/{n}": "<p>x</p>" for n in range(60)})
    settings = Settings(obey_robots=False, delay=0, per_host=8)
    output = f"items.parquet?rows={sys.argv[2]}&seconds=0"
    run(Numbers(), settings=settings, outputs=[output], job="job", transport=site.transport)
"""


def test_kills_at_each_step_of_a_job_lose_nothing_and_double_nothing(tmp_path):
    (tmp_path / "killed.py").write_text(textwrap.dedent(KILLED))

    def end(*arguments):
        process = Process([*map(str, arguments)], cwd=tmp_path, env=environment(), stderr=PIPE)
        return process, process.communicate(timeout=30)[1]

    for event, limit in ((6, 5), (4, 7), (20, 4)):
        process, _ = end("killed.py", event, limit)
        assert process.returncode == -signal.SIGKILL
    process, err = end("killed.py", 0, 11)
    assert process.returncode == 0, err
    assert all(path.match("part-*.parquet") for path in (tmp_path / "items.parquet").iterdir())
    rows = read(tmp_path / "items.parquet")
    assert {f"of{n}" for n in range(5)} < rows[0].keys()
    whole = {r["n"] for r in rows if r["n"] is not None}
    rescued = [msgspec.json.decode(r["_rescued_data"]) for r in rows if r["_rescued_data"]]
    assert len(rows) == 60
    kept = [msgspec.json.decode(row[name])[0] for row in rows for name in row if name.startswith("of") and row[name]]
    assert sorted(kept) == list(range(60))
    assert whole == {n if n % 7 else n / 4 for n in range(60)}
    assert len(rescued) in (20, 40)  # text or numbers, whichever came first
    process, err = end("-m", "crawler", "job", "job", "--export", "one.parquet")
    assert (process.returncode, err) == (0, "wrote 60 items to one.parquet\n")
    assert sorted(map(repr, read(tmp_path / "one.parquet"))) == sorted(map(repr, rows))
