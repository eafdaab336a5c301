"""The plugin `near_duplicates`."""

from __future__ import annotations

import random

import pytest
from crawler_plugins.near_duplicates import NearDuplicates

from crawler import ConfigError, Settings, Spider, crawl
from crawler.hooks.load import construct, load_plugin
from crawler.sinks import open_output
from crawler.testing import FakeSite, Page, collect

WORDS = [f"word{n}" for n in range(3000)]


def article(seed: int, **changes: str) -> str:
    words = random.Random(seed).sample(WORDS, 500)
    words[100:100] = changes.values()
    return f"<main>{' '.join(words)}</main>"


PAGES = {
    "/0": article(1),
    "/1": article(1, one="another"),
    "/2": article(2),
    "/3": article(1),
    "/4": "<main>short</main>",
}


class Items(Spider):
    settings = Settings(obey_robots=False, per_host=1)

    def __init__(self, count=5, *, fail=()):
        super().__init__()
        self.start_urls = [f"https://site.test/{n}" for n in range(count)]
        self._fail = fail

    def parse(self, response):
        yield {"url": response.url}
        if response.url in self._fail:
            raise ValueError("broken")


async def flags(*, plugin=None, **options):
    found = await collect(Items(**options), FakeSite(PAGES), plugins=[plugin or NearDuplicates(bits=6)])
    return {item["url"][-1]: item["near_duplicate_of"] for item in found.items}


async def test_a_page_is_flagged_with_the_url_of_the_first(autojump_clock):
    first = "https://site.test/0"
    assert await flags() == {"0": None, "1": first, "2": None, "3": first, "4": None}


async def test_a_failed_page_is_not_an_original(autojump_clock):
    second = "https://site.test/1"
    assert await flags(fail=("https://site.test/0",)) == {"1": None, "2": None, "3": second, "4": None}


async def test_memory_is_bounded(autojump_clock):
    plugin = NearDuplicates(memory=1)
    found = await flags(plugin=plugin)
    assert None in {found["1"], found["3"]}
    assert len(plugin.state) <= 2
    assert sum(map(len, plugin._index.values())) <= 4 * 2


async def test_of_pages_that_are_handled_at_the_same_time_one_is_the_first(autojump_clock):
    pages = {f"/{n}": Page(article(1), delay=1) for n in range(8)}
    settings = Settings(per_host=8, slow_start=False)
    found = await collect(Items(8), FakeSite(pages), plugins=[NearDuplicates()], settings=settings)
    assert sorted(item["near_duplicate_of"] or "" for item in found.items).count("") == 1


async def test_a_job_remembers_the_pages_of_earlier_runs(autojump_clock, tmp_path):
    async def run(limit):
        output = open_output(str(tmp_path / "items.jsonl"), if_exists="append", job=tmp_path / "job")
        await crawl(
            Items(), plugins=[NearDuplicates(bits=6)], outputs=[output], job=tmp_path / "job",
            transport=FakeSite(PAGES).transport, settings=Settings(max_pages=limit),
        )  # fmt: skip
        return (tmp_path / "items.jsonl").read_text()

    assert 'site.test/0"}' not in await run(1)
    assert (await run(9)).count('"near_duplicate_of":"https://site.test/0"') == 2


async def test_the_text_may_be_a_field(autojump_clock):
    class Texts(Items):
        def parse(self, response):
            yield {"url": response.url, "body": "the same text " * 20}

    plugin = NearDuplicates(text="body", field="like")
    found = await collect(Texts(2), FakeSite(PAGES), plugins=[plugin])
    assert [item["like"] for item in found.items] == [None, "https://site.test/0"]


def test_near_duplicates_is_installed_and_its_options_are_converted_from_text():
    made = construct(load_plugin("near_duplicates"), {"bits": "5", "memory": "10"}, what="plugin near_duplicates")
    assert (made.bits, made.memory, made.name) == (5, 10, "near_duplicates")


@pytest.mark.parametrize("options", [{"bits": -1}, {"bits": 16}, {"memory": 0}, {"text": ""}, {"field": ""}])
def test_bad_options_are_refused(options):
    with pytest.raises(ConfigError, match="near_duplicates: "):
        NearDuplicates(**options)
