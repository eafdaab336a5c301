"""``FEEDS``: outputs of the crawl, and the exporters of Scrapy for other formats."""

from __future__ import annotations

import json

import pytest
import scrapy
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.feeds import feed_refusals
from crawler_plugins.scrapy.reactor import TrioReactor
from scrapy.settings import Settings
from support.scrapy_site import SITE, run_scrapy

from crawler import ConfigError


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/", f"{SITE}/b"]

    def parse(self, response):
        yield {"path": response.url.removeprefix(SITE), "n": 1}


async def crawl(feeds, settings=None, *, job=None, if_exists="error"):
    def add(bridged):
        bridged.plugins = [*bridged.plugins, *bridged.feeds(if_exists, job)]

    return await run_scrapy(One, {"/": "a", "/b": "b"}, {"FEEDS": feeds, **(settings or {})}, prepare=add, job=job)


async def test_feeds_are_written_in_their_formats(tmp_path):
    feeds = {
        f"{tmp_path}/%(name)s.jl": {"format": "jsonlines"},
        f"file://{tmp_path}/items.json": {"format": "json"},
        f"{tmp_path}/new/items.csv": {},
        f"{tmp_path}/items.xml": {"format": "xml"},
    }
    await crawl(feeds)
    rows = [{"path": "/", "n": 1}, {"path": "/b", "n": 1}]
    assert sorted(map(json.loads, (tmp_path / "one.jl").read_text().splitlines()), key=str) == sorted(rows, key=str)
    assert len(json.loads((tmp_path / "items.json").read_text())) == 2
    assert (tmp_path / "new/items.csv").read_text().splitlines()[0] == "path,n"
    assert (tmp_path / "items.xml").read_text().count("<item>") == 2


async def test_fields_are_those_that_a_feed_names(tmp_path):
    await crawl({f"{tmp_path}/items.csv": {"fields": ["n"]}})
    assert (tmp_path / "items.csv").read_text().split() == ["n", "1", "1"]


async def test_a_feed_appends_unless_it_overwrites(tmp_path):
    for feeds, lines in (({}, 2), ({}, 4), ({"overwrite": True}, 2)):
        await crawl({f"{tmp_path}/items.jsonl": feeds})
        assert len((tmp_path / "items.jsonl").read_text().splitlines()) == lines
    await crawl({f"{tmp_path}/items.jsonl": {}}, if_exists="overwrite")
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 2


async def test_a_feed_of_a_job_has_each_item_once(tmp_path):
    for _ in range(2):
        await crawl({f"{tmp_path}/items.jsonl": {}}, job=tmp_path / "job")
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 2


async def test_the_old_settings_name_a_feed(tmp_path):
    await crawl({}, {"FEED_URI": f"{tmp_path}/old-%(time)s.json", "FEED_FORMAT": "json"})
    [path] = tmp_path.glob("old-*.json")
    assert ":" not in path.name


async def test_a_uri_may_have_encoded_characters_beside_its_parameters(tmp_path):
    await crawl({f"file://{tmp_path}/a%20b-%(name)s.jl": {"format": "jsonlines"}})
    [path] = tmp_path.glob("*.jl")
    assert path.name.startswith("a b-")


@pytest.mark.parametrize(
    ("uri", "options", "message"),
    [
        ("items.what", {}, "no exporter for the format 'what'"),
        ("%(missing)s.json", {}, "KeyError: 'missing'"),
        ("gopher://site.test/items.json", {}, "no storage for the scheme 'gopher'"),
        ("gopher://ann:pw@site.test/a@b.json", {}, r"FEEDS: gopher://\*\*\*@site.test/a@b.json: no storage"),
        ("items.json", "json", "items.json: its options must be a dict, not str"),
        ("items.json", {"batch_item_count": 5}, "batch_item_count.*batch_id"),
        ("/proc/none.json", {}, "/proc/none.json cannot be written"),
    ],
)
def test_a_feed_that_cannot_be_written_is_named(uri, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spider = ScrapySpider.of(One, settings={"FEEDS": {uri: options}})
    TrioReactor.uninstall()
    with pytest.raises(ConfigError, match=message):
        spider.feeds()


def test_placeholders_of_a_uri_are_not_checked():
    given = {"%(a)s://site.test/x.json": {}, "x.%(b)s": {}, "x.what": {}, "x": {"format": "no"}}
    assert list(feed_refusals(Settings({"FEEDS": given}))) == [
        "FEEDS: x.what: no exporter for the format 'what'",
        "FEEDS: x: no exporter for the format 'no'",
    ]


async def test_scrapys_own_exporter_writes_the_feeds_of_a_crawl_without_a_job(tmp_path):
    await crawl({f"{tmp_path}/%(batch_id)d.jl": {"batch_item_count": 1}})
    assert (tmp_path / "1.jl").read_text() == '{"path": "/", "n": 1}\n'
    assert (tmp_path / "2.jl").exists()


@pytest.mark.parametrize("option", ["batch_item_count", "item_classes", "item_filter", "postprocessing"])
def test_a_job_refuses_a_feed_that_it_cannot_resume(option, tmp_path):
    spider = ScrapySpider.of(One, settings={"FEEDS": {f"{tmp_path}/a%(batch_id)d.json": {option: 1}}})
    TrioReactor.uninstall()
    with pytest.raises(ConfigError, match=f"a job cannot resume a feed with {option}"):
        spider.feeds(job=tmp_path / "job")


async def test_a_feed_without_items_leaves_no_folder(tmp_path):
    await crawl(
        {f"{tmp_path}/new/of/%(batch_id)d.jl": {"batch_item_count": 1, "item_filter": Nothing}},
        {"FEED_STORE_EMPTY": False},
    )
    assert list(tmp_path.iterdir()) == []


class Nothing:
    def __init__(self, options):
        """Take the options of the feed."""

    def accepts(self, item):
        return False
