"""The output `mongodb`, with a server that speaks its protocol."""

from __future__ import annotations

import itertools
import threading

import pymongo.errors
import pytest
from crawler_plugins.outputs.mongodb import MongoDB
from support.crawls import CRAWL
from support.databases import rows_of
from support.mongo_server import mongo_server

from crawler import ConfigError, CrawlFailed, JobError, Row, Settings, Spider, crawl
from crawler.sinks import open_output
from crawler.testing import FakeSite

FAST = "connectTimeoutMS=500&serverSelectionTimeoutMS=500&heartbeatFrequencyMS=500"


@pytest.fixture
def server():
    with mongo_server() as running:
        yield running


def output(server, if_exists="error", **options):
    query = "&".join([FAST, *(f"{name}={value}" for name, value in options.items())])
    return open_output(f"{server.url}?{query}", if_exists=if_exists)


async def store(sink, *batches, position=None):
    """Store batches in one run, and return the position behind them."""
    sink.position, sink.resumes = position, position is not None
    if sink.resumes:
        sink.verify(lambda: iter(()))
    async with sink.lifespan(CRAWL):
        position = sink.position
        for batch in batches:
            position = sink.persist(batch)
        return sink.flush()


async def test_items_are_documents_under_their_keys(server):
    await store(output(server), rows_of(*[{"a": 1}, {"b": [1, {"c": None}]}]))
    assert server.documents() == [
        {"_id": "k000", "_page": "http://site.test/", "a": 1},
        {"_id": "k001", "_page": "http://site.test/", "b": [1, {"c": None}]},
    ]
    assert [cursor["stored"] for cursor in server.documents("crawler_cursor")] == [2]


async def test_a_field_identifies_a_document_across_crawls(server):
    await store(output(server, id_field="url"), rows_of(*[{"url": "x", "n": 1}, {"url": "y"}, {"n": 3}, {"url": [1]}]))
    again = output(server, "append", id_field="url")
    await store(again, rows_of(*[{"url": "x", "n": 2}, {"url": "x", "n": 3}]))
    found = {document["_id"]: document for document in server.documents()}
    assert sorted(map(str, found)) == ["k002", "k003", "x", "y"]
    assert found["x"]["n"] == 3


async def test_the_identifier_of_an_item_is_that_of_its_document_and_nothing_is_lost(server):
    items = [{"_id": 7, "a": 1}, {"_id": {"x": 1}}, {"_page": "own"}, {"_id": True}]
    await store(output(server), rows_of(*items))
    assert [document["_id"] for document in server.documents()] == [7, "k001", "k002", "k003"]
    assert [document.get("_id_") for document in server.documents()] == [None, {"x": 1}, None, True]
    assert server.documents()[2]["_page"] == "own"


async def test_values_and_names_that_mongodb_lacks_are_changed(server):
    await store(output(server), rows_of(*[{"$set": {"$a\0b": 2**70}, "n": 2**63 - 1, "x.y": 1.5, "t": "\0"}]))
    [document] = server.documents()
    assert {name: value for name, value in document.items() if not name.startswith("_")} == {
        "\uff04set": {"\uff04a\ufffdb": str(2**70)}, "n": 2**63 - 1, "x.y": 1.5, "t": "\0",
    }  # fmt: skip


async def test_types_have_collections_of_their_own(server):
    rows = [Row(b'{"n":1}', "a", "p", None, "Book"), Row(b'{"n":2}', "b", "p", None, "")]
    await store(output(server, collection="shop_%25(type)s"), rows)
    assert [len(server.documents(name)) for name in ("shop_Book", "shop_item")] == [1, 1]
    server.data["shop"]["shop_foreign"] = {1: {"_id": 1}}
    with pytest.raises(ConfigError, match="the collection shop_Book has documents already"):
        output(server, collection="shop_%25(type)s").check()
    await store(output(server, "overwrite", collection="shop_%25(type)s"), rows[:1])
    assert [len(server.documents(name)) for name in ("shop_Book", "shop_item", "shop_foreign")] == [1, 0, 1]


@pytest.mark.parametrize("if_exists", ["append", "overwrite", "error"])
async def test_documents_that_exist(server, if_exists):
    await store(output(server), rows_of(*[{"n": 1}]))
    sink = output(server, if_exists)
    if if_exists == "error":
        with pytest.raises(ConfigError, match="--overwrite deletes them, --append adds to them"):
            sink.check()
        return
    sink.check()
    await store(sink, [Row(b'{"n":2}', "other", "p")])
    assert len(server.documents()) == (2 if if_exists == "append" else 1)


async def test_a_collection_of_another_program_is_left_alone(server):
    server.data["shop"] = {"items": {1: {"_id": 1}}}
    for if_exists in ("append", "overwrite", "error"):
        with pytest.raises(ConfigError, match="the collection items has documents without _page"):
            output(server, if_exists).check()


async def test_rows_that_come_again_change_nothing(server):
    rows = rows_of(*[{"n": n} for n in range(10)])
    first = await store(output(server), rows[:4])
    await store(output(server), rows[4:], position=first)
    await store(output(server), rows[4:7], rows[7:], position=first)  # the job knew less
    assert [document["n"] for document in server.documents()] == list(range(10))


async def test_documents_that_were_written_before_a_kill_between_them_and_the_cursor_are_replaced(server):
    rows = rows_of(*[{"n": n} for n in range(6)])
    sink = output(server, retry=0)
    position = await store(sink, rows[:2])
    server.die_after = 1  # the documents are written, the cursor is not
    with pytest.raises(CrawlFailed, match="mongodb://"):
        await store(output(server, retry=0), rows[2:], position=position)
    server.start()
    assert len(server.documents()) == 6
    assert server.documents("crawler_cursor")[0]["stored"] == 2
    await store(output(server), rows[2:], position=position)
    assert [document["n"] for document in server.documents()] == list(range(6))
    assert server.documents("crawler_cursor")[0]["stored"] == 6


async def test_a_database_that_has_lost_documents_is_refused(server):
    position = await store(output(server), rows_of(*[{"n": 1}, {"n": 2}]))
    server.data.clear()
    with pytest.raises(JobError, match="has lost items that the job wrote to it"):
        await store(output(server), [], position=position)


@pytest.mark.parametrize("loses_answer", [False, True])
async def test_a_server_that_goes_away_and_comes_back_costs_nothing(server, loses_answer):
    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(60)]
        settings = Settings(obey_robots=False, workers=4, sink_lag=10)
        seen = itertools.count()

        def parse(self, response):
            if next(self.seen) == 20:
                server.die_after, server.loses_answer = 1, loses_answer
                threading.Timer(0.3, server.start).start()
            return {"url": response.url}

    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(60)), "x"))
    report = await crawl(Numbers(), outputs=[output(server)], transport=site.transport)
    assert report.items == len(server.documents()) == 60
    assert server.documents("crawler_cursor")[0]["stored"] == 60


# ---- mistakes --------------------------------------------------------------------------------------------------------


def test_options_of_the_output_are_taken_from_the_url_and_those_of_mongodb_stay():
    sink = open_output("mongodb://me:pw@a:1,b:2/shop?collection=quotes&replicaSet=r&retry=5&id_field=url")
    assert (type(sink), sink.collection, sink.retry, sink.id_field) == (MongoDB, "quotes", 5.0, "url")
    assert sink._url == "mongodb://me:pw@a:1,b:2/shop?replicaSet=r"
    assert "pw" not in sink.name + sink.place
    assert type(open_output("mongodb+srv://cluster.example/shop")) is MongoDB


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mongodb://me:pw@host", "name a database, as in mongodb://HOST/DATABASE"),
        ("mongodb://me:pw@host/", "name a database"),
        ("mongodb://me:pw@host/a/b", "name a database"),
        ("mongodb://me:pw@host/a?colection=x", r"no argument 'colection' \(did you mean collection\?\)"),
        ("mongodb://me:pw@host/a?collection=", "is not the name of a collection"),
        ("mongodb://me:pw@host/a?collection=%25(n)s", "is not the name of a collection"),
        ("mongodb://me:pw@host/a?collection=a$b", "is not the name of a collection"),
        ("mongodb://me:pw@host/a?collection=system.x", "is not the name of a collection"),
        ("mongodb://me:pw@host/a?id_field=", "id_field must be the name of a field"),
        ("mongodb://me:pw@host/a?retry=-1", "retry must be 0 seconds or more"),
    ],
)
def test_a_wrong_option_is_refused_without_the_password(url, message):
    with pytest.raises(ConfigError, match=message) as caught:
        open_output(url)
    assert "pw" not in str(caught.value)


def test_a_server_that_is_not_there_is_reported_before_the_first_request(server):
    server.stop()
    with pytest.raises(ConfigError, match=r"cannot connect to mongodb://127\.0\.0\.1.*: .*Connection refused$"):
        output(server).check()


def test_an_option_that_mongodb_does_not_take_is_reported(server):
    with pytest.raises(ConfigError, match="cannot connect to"):
        open_output(f"{server.url}?w=-7").check()


def test_errors_after_which_another_connection_may_work():
    sink, errors = MongoDB("mongodb://db/shop"), pymongo.errors
    for lost in (errors.AutoReconnect(), errors.ServerSelectionTimeoutError(), errors.NetworkTimeout()):
        assert sink.is_lost(lost)
    assert sink.is_lost(errors.OperationFailure("x", 1, {"errorLabels": ["RetryableWriteError"]}))
    for other in (errors.OperationFailure("x"), errors.InvalidOperation(), ValueError()):
        assert not sink.is_lost(other)


async def test_values_that_are_too_deep_are_text(server):
    value = 1
    for _ in range(300):
        value = [value]
    await store(output(server), rows_of({"a": value}))
    [document] = server.documents()
    depth, found = 0, document["a"]
    while isinstance(found, list):
        depth, [found] = depth + 1, found
    assert (depth, found) == (90, "[" * 210 + "1" + "]" * 210)
