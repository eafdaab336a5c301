"""`identity`: what makes a later run the same crawl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import Settings, Spider
from crawler.engine.job import IDENTITY_SETTINGS, Job, identity


class Shop(Spider):
    name = "shop"

    def __init__(self, section: str = "books", **values: Any) -> None:
        super().__init__()
        self.section = section
        self.__dict__.update(values)


def test_a_job_is_named_by_its_folder() -> None:
    assert Job("some/folder").folder == Path("some/folder")  # type: ignore[arg-type]
    assert not Job(Path("x")).override


def test_it_is_the_spider_its_arguments_and_the_settings_that_decide_which_pages_belong_to_it() -> None:
    found = identity(Shop("music", pages=(1, 2)), Settings(max_depth=3))
    assert found["spider"] == "shop (Shop)"
    assert found["arguments"] == {"section": "music", "pages": [1, 2]}
    assert set(found["settings"]) == set(IDENTITY_SETTINGS)
    assert found["settings"]["max_depth"] == 3


@pytest.mark.parametrize(
    "values",
    [
        {"_cache": 1},
        {"auth": {"https://site.test": "Bearer secret"}},
        {"settings": {"delay": 1}},
        {"state": {"page": 3}},
        {"position": 12, "resumes": True},
        {"client": object()},
    ],
)
def test_what_is_private_secret_or_no_json_is_no_argument(values: dict[str, Any]) -> None:
    assert identity(Shop(**values), Settings()) == identity(Shop(), Settings())


def test_settings_of_pace_may_change_from_run_to_run() -> None:
    assert identity(Shop(), Settings(delay=5.0, workers=1)) == identity(Shop(), Settings())
    assert identity(Shop(), Settings(obey_robots=False)) != identity(Shop(), Settings())
    assert identity(Shop("music"), Settings()) != identity(Shop(), Settings())
