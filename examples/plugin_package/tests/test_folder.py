"""The output `.folder`: one file an item, whatever happens."""

import json

import pytest
from crawler_prices.folder import Folder

from crawler import ConfigError, Settings, Spider, crawl
from crawler.testing import FakeSite

SITE = FakeSite({f"https://books.test/{n}": f"book {n}" for n in range(5)})


class Books(Spider):
    start_urls = list(SITE.pages)
    settings = Settings(obey_robots=False)

    def parse(self, response):
        return {"text": response.text}


def texts(folder):
    return sorted(json.loads(path.read_bytes())["text"] for path in folder.iterdir())


async def test_a_job_that_is_resumed_has_each_item_once(autojump_clock, tmp_path):
    for most in (2, None):
        await crawl(
            Books(),
            outputs=[Folder(tmp_path / "books.folder", job=tmp_path / "job")],
            job=tmp_path / "job",
            settings=Settings(max_pages=most),
            transport=SITE.transport,
        )
    assert texts(tmp_path / "books.folder") == [f"book {n}" for n in range(5)]


def test_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(ConfigError, match="has files: --append adds to them"):
        Folder(tmp_path)
    Folder(tmp_path, if_exists="append")
