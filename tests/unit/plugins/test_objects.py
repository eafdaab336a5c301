"""Objects in a store: each item once, after kills and outages, and a wrong bucket or key ends before the crawl."""

from __future__ import annotations

import gzip
import io
import json
import signal
import textwrap
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import msgspec
import pyarrow.parquet as pq
import pytest
import trio
from crawler_plugins.outputs.objects import ObjectFolder, _one_line
from obstore.store import from_url
from support.environments import environment
from support.objectstore import S3, GoogleStorage
from support.processes import PIPE, Process

import crawler
from crawler import ConfigError, CrawlFailed, Plugin, Row, Settings, Spider
from crawler.sinks import open_output
from crawler.testing import FakeSite

CRAWL = SimpleNamespace(settings=Settings(), spider=SimpleNamespace(name="quotes"), clock=lambda: 0.0)


@pytest.fixture(scope="module")
def server():
    with S3() as server:
        yield server


@pytest.fixture
def variables(server, monkeypatch):
    server.reset()
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    return server.variables


def row(item):
    return Row(msgspec.json.encode(item), "key", "http://site.test/")


def folder(prefix):
    return ObjectFolder("", from_url("s3://bucket"), prefix)


def content(prefix):
    return [folder(prefix).read(name) for name in folder(prefix).names()]


async def store(sink, *items):
    async with sink.lifespan(CRAWL):
        sink.persist([row(item) for item in items])
        sink.flush()


async def test_the_ending_of_the_folder_selects_the_format(variables):
    items = [{"n": 1}, {"n": 0.5, "s": "x"}, {"n": 3}]
    for ending in (".jsonl", ".jsonl.gz", ".jl.gz", ".parquet"):
        await store(open_output(f"s3://bucket/a b/items{ending}?rows=1"), *items)
    assert content("a b/items.jsonl") == [b'{"n":1}\n', b'{"n":0.5,"s":"x"}\n', b'{"n":3}\n']
    assert [json.loads(gzip.decompress(one)) for one in content("a b/items.jsonl.gz")] == items
    assert [json.loads(gzip.decompress(one)) for one in content("a b/items.jl.gz")] == items
    tables = [pq.read_table(io.BytesIO(one)) for one in content("a b/items.parquet")]
    assert [table.to_pylist() for table in tables] == [
        [{"n": 1.0, "s": None}],  # columns that were found later
        [{"n": 0.5, "s": "x"}],
        [{"n": 3.0, "s": None}],
    ]


async def test_google_cloud_storage_gets_the_same_objects(monkeypatch):
    with GoogleStorage() as google:
        for name, value in google.variables.items():
            monkeypatch.setenv(name, value)
        await store(open_output("gs://bucket/a b/items.jsonl?rows=1"), {"n": 1}, {"n": 2})
        with pytest.raises(ConfigError, match="gs://bucket/a b/items.jsonl has parts already"):
            open_output("gs://bucket/a b/items.jsonl")
        await store(open_output("gs://bucket/a b/items.jsonl", if_exists="append"), {"n": 3})
        objects = ObjectFolder("", from_url("gs://bucket"), "a b/items.jsonl")
        assert [objects.read(name) for name in objects.names()] == [b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n']
        await store(open_output("gs://bucket/a b/items.jsonl", if_exists="overwrite"), {"n": 4})
        assert [objects.read(name) for name in objects.names()] == [b'{"n":4}\n']
        with pytest.raises(ConfigError, match="gs://other/items.jsonl cannot be listed: NoSuchBucket"):
            open_output("gs://other/items.jsonl")


async def test_objects_that_exist_are_refused_kept_or_deleted(variables):
    await store(open_output("s3://bucket/items.jsonl"), {"n": 1})
    with pytest.raises(ConfigError, match="s3://bucket/items.jsonl has parts already: --overwrite deletes them"):
        open_output("s3://bucket/items.jsonl")
    await store(open_output("s3://bucket/items.jsonl", if_exists="append"), {"n": 2})
    assert content("items.jsonl") == [b'{"n":1}\n', b'{"n":2}\n']
    await store(open_output("s3://bucket/items.jsonl", if_exists="overwrite"), {"n": 3})
    assert content("items.jsonl") == [b'{"n":3}\n']


async def test_a_store_that_is_away_for_a_while_delays_the_output_only(variables, server, monkeypatch, caplog):
    monkeypatch.setattr("crawler_plugins.outputs.objects.QUIET", 0.05)
    sink = open_output("s3://bucket/items.jsonl")
    async with sink.lifespan(CRAWL):
        server.stop()
        back = threading.Timer(0.5, server.start)
        back.start()
        began = time.monotonic()
        sink.persist([row({"n": 1})])
        sink.flush()
        back.join()
        assert time.monotonic() - began > 0.4
    assert content("items.jsonl") == [b'{"n":1}\n']
    assert [record.message for record in caplog.records if record.name == "crawler.plugins.objects"] == [
        "s3://bucket/items.jsonl has not answered for 0.05 s: items wait for it",
        "s3://bucket/items.jsonl answers again",
    ]


async def test_a_store_that_stays_away_ends_a_crawl_that_a_job_continues(variables, server, monkeypatch, tmp_path):
    monkeypatch.setattr("crawler_plugins.outputs.objects.PATIENT", {"max_retries": 1, "retry_timeout": timedelta(0)})
    monkeypatch.setattr(trio, "sleep", lambda _seconds: trio.lowlevel.checkpoint())  # the pauses between its calls
    site = FakeSite({f"/{n}": "x" for n in range(20)})

    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(20)]
        settings = Settings(obey_robots=False, per_host=1)

        def parse(self, response):
            yield {"n": int(response.url.rpartition("/")[2])}

    class Away(Plugin):
        def parse(self, response):
            if response.url.endswith("/9"):
                server.stop()

    async def run(*plugins):
        outputs = ["s3://bucket/items.jsonl?rows=2"]
        return await crawler.crawl(
            Numbers(), plugins=plugins, outputs=outputs, job=tmp_path / "job", transport=site.transport
        )

    try:
        with pytest.raises(CrawlFailed, match="objects:s3://bucket/items.jsonl.persist cannot store items"):
            await run(Away())
        with pytest.raises(ConfigError, match="output s3://bucket/items.jsonl cannot be listed"):
            await run()
    finally:
        server.stop()
        server.start()
    await run()
    numbers = [json.loads(line)["n"] for one in content("items.jsonl") for line in one.splitlines()]
    assert sorted(numbers) == list(range(20))


async def test_a_key_that_is_revoked_is_an_error_of_one_line_and_the_rows_come_again(variables, server):
    sink = open_output("s3://bucket/items.jsonl?seconds=0")
    async with sink.lifespan(CRAWL):
        server.refuse_keys(after="0")
        try:
            with pytest.raises(OSError, match=r"^InvalidAccessKeyId: The AWS [^\n]*$"):
                sink.persist([row({"n": 1})])
        finally:
            server.refuse_keys(after="Infinity")
        sink.persist([row({"n": 1})])
    assert content("items.jsonl") == [b'{"n":1}\n']


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://other/items.jsonl", "cannot be listed: NoSuchBucket: The specified bucket does not exist"),
        ("s3://bucket/items.csv", "ends in .jsonl, .jsonl.gz, .parquet"),
        ("s3://bucket", "ends in .jsonl, .jsonl.gz, .parquet"),
        ("s3:///items.jsonl", "cannot be listed: "),
        ("s3://KEY:geheim@bucket/items.jsonl", "leave out the user: credentials come from the environment"),
        ("s3://bucket/%(type)s.jsonl", "names of objects have no fields"),
        ("s3://bucket/items.jsonl?rows=0", "rows must be at least 1"),
        ("s3://bucket/items.parquet?compression=zip", "compression: must be zstd, snappy, gzip, lz4, brotli or none"),
    ],
)
def test_a_wrong_url_is_refused(variables, url, message):
    with pytest.raises(ConfigError, match=message) as raised:
        open_output(url)
    assert "geheim" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_key_ends_the_command_before_the_first_request(variables, server, tmp_path):
    (tmp_path / "spider.py").write_text(
        "from crawler import Spider\nclass S(Spider):\n    start_urls = ['http://x.test']\n"
    )
    server.refuse_keys(after="0")
    try:
        process = Process(
            ["-m", "crawler", "run", "spider.py", "-o", "s3://bucket/items.jsonl"],
            cwd=tmp_path, env=environment(**variables), stderr=PIPE,
        )  # fmt: skip
        err = process.communicate(timeout=30)[1]
    finally:
        server.refuse_keys(after="Infinity")
    assert process.returncode == 2
    assert err == (
        "crawler: output s3://bucket/items.jsonl cannot be listed: InvalidAccessKeyId: The AWS Access Key Id you "
        "provided does not exist in our records.\n"
    )


def test_an_error_of_azure_is_one_line():
    said = "<Code>ContainerNotFound</Code>\n  <Message>The container does not exist.\nRequestId:1\nTime:2026</Message>"
    with pytest.raises(OSError, match="^ContainerNotFound: The container does not exist.$"), _one_line():
        raise RuntimeError(f"404 Not Found: {said}\n\nDebug source: {said!r}")


def test_a_package_that_is_missing_is_named(variables, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(ConfigError, match=r"pip install 'trio-crawler\[objectstore\]'"):
        open_output("gs://bucket/items.jsonl")


KILLED = """
    import os, signal, sys
    from crawler import Settings, Spider, run
    from crawler.testing import FakeSite
    from crawler_plugins.outputs.objects import ObjectFolder

    left = [int(sys.argv[1])]

    def event(function):  # the process dies before or after the n-th event
        def wrapper(*args):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args)
            if left[0] == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return wrapper

    ObjectFolder.write = event(ObjectFolder.write)

    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(60)]

        def parse(self, response):
            yield {"n": int(response.url.rpartition("/")[2])}

    site = FakeSite({f"/{n}": "<p>x</p>" for n in range(60)})
    settings = Settings(obey_robots=False, delay=0, per_host=8)
    run(Numbers(), settings=settings, outputs=[f"s3://bucket/items.jsonl?rows={sys.argv[2]}&seconds=0"], job="job",
        transport=site.transport)
"""


def test_kills_of_a_job_lose_nothing_and_double_nothing(variables, tmp_path):
    (tmp_path / "killed.py").write_text(textwrap.dedent(KILLED))
    for event, limit in ((2, 7), (9, 4), (0, 11)):
        process = Process(
            ["killed.py", str(event), str(limit)], cwd=tmp_path, env=environment(**variables), stderr=PIPE
        )
        err = process.communicate(timeout=30)[1]
        assert process.returncode == (-signal.SIGKILL if event else 0), err
    numbers = [json.loads(line)["n"] for one in content("items.jsonl") for line in one.splitlines()]
    assert sorted(numbers) == list(range(60))


def test_a_job_with_a_wrong_bucket_does_not_begin(variables, tmp_path):
    with pytest.raises(ConfigError, match="NoSuchBucket"):
        crawler.run(
            type("Empty", (crawler.Spider,), {"start_urls": ["http://x.test"]})(),
            outputs=["s3://gone/items.jsonl"],
            job=tmp_path / "job",
        )
    assert not (tmp_path / "job").exists()
