"""The jobs in some folders, and what is known of each from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crawler_plugins.web.job_folders import JobFolders, JobSource

from crawler import ConfigError, Settings, Spider, crawl
from crawler.files import locked
from crawler.testing import FakeSite

HOST = "https://site.test"


class Walk(Spider):
    start_urls = [f"{HOST}/"]
    settings = Settings(obey_robots=False)
    shelves: list[int] = []
    token: str = ""

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all("a")


async def job(folder: Path, spider: Spider | None = None, **settings) -> Path:
    """Run a job of two pages."""
    site = FakeSite({"/": "<a href=/1>1</a>", "/1": "x"})
    await crawl(spider or Walk(), settings=Settings(**settings), job=folder, transport=site.transport)
    return folder


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"


async def test_finished_and_stopped_jobs_have_their_counts(autojump_clock, jobs):
    await job(jobs / "one")
    await job(jobs / "two", max_pages=1)
    folders = JobFolders([jobs])
    two, one = folders.entries({})
    assert (one.name, one.state, one.spider, one.pages, one.items, one.waiting, one.runs) == (
        "one", "finished", "walk", 2, 2, 0, 1,
    )  # fmt: skip
    assert (two.name, two.state, two.pages, two.waiting) == ("two", "stopped", 1, 1)
    assert one.began <= one.ended


async def test_a_job_that_a_process_has_locked_runs_and_links_to_its_page(autojump_clock, jobs):
    folder = await job(jobs / "one")
    with locked(folder / "lock"):
        (folder / "web-page").write_text(f"{os.getpid()} http://127.0.0.1:1/?token=x\n")
        [entry] = JobFolders([jobs]).entries({})
        assert (entry.state, entry.process, entry.page) == ("running", os.getpid(), f"/crawl/{entry.name}/")
        (folder / "web-page").write_text("1 http://127.0.0.1:1/?token=x\n")  # left behind by an earlier process
        assert JobFolders([jobs]).entries({})[0].page == ""
    assert JobFolders([jobs]).entries({})[0].state == "finished"


async def test_the_state_is_read_again_when_the_job_has_changed(autojump_clock, jobs):
    folder = await job(jobs / "one", max_pages=1)
    folders = JobFolders([jobs])
    assert folders.entries({})[0].pages == 1
    await job(folder)
    assert folders.entries({})[0].pages == 2


async def test_the_folder_of_a_job_can_be_given_itself_and_names_are_distinct(autojump_clock, tmp_path):
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        await job(tmp_path / parent / "one")
    folders = JobFolders([tmp_path / "a" / "one", tmp_path / "b"])
    assert list(folders.names()) == ["one", "b/one"]
    assert folders.folder("b/one") == tmp_path / "b" / "one"


async def test_a_damaged_job_is_shown_with_the_reason(autojump_clock, jobs):
    folder = await job(jobs / "one")
    (folder / "job.sqlite").write_bytes(b"x" * 5000)
    [entry] = JobFolders([jobs]).entries({})
    assert entry.state == "failed"
    assert "damaged" in entry.message


def test_a_job_that_has_not_begun_is_known_by_its_record(jobs):
    folders = JobFolders([jobs])
    folder = folders.new("new")
    folders.keep(folder, JobSource(target="a.py", spider="walk", is_pending=True, scheduled=5.0))
    [entry] = folders.entries({})
    assert (entry.name, entry.state, entry.spider, entry.began) == ("new", "pending", "walk", 5.0)
    folders.keep(folder, JobSource(target="a.py", spider="walk", message="no such file"))
    assert folders.entries({})[0].state == "failed"
    assert (jobs / "new.serve.json").stat().st_mode & 0o777 == 0o600
    folders.drop(folder)
    assert folders.entries({}) == []


async def test_new_jobs_need_a_free_name_and_a_folder(autojump_clock, jobs):
    await job(jobs / "one")
    for name in ("", "../x", ".hidden", "a/b", "x" * 200):
        with pytest.raises(ConfigError, match="cannot be the name of a job"):
            JobFolders([jobs]).new(name)
    with pytest.raises(ConfigError, match="there is a job named one already"):
        JobFolders([jobs]).new("one")
    with pytest.raises(ConfigError, match="new jobs need a folder"):
        JobFolders([jobs / "one"]).new("two")


def test_unknown_folders_and_jobs_are_refused(jobs):
    with pytest.raises(ConfigError, match="no such folder: none; create it with: mkdir none"):
        JobFolders([Path("none")])
    with pytest.raises(ConfigError, match="no such job: x"):
        JobFolders([jobs]).folder("x")


async def test_arguments_are_given_again_as_text_unless_they_are_secret(autojump_clock, jobs):
    one = await job(jobs / "one", Walk(shelves=[1, 2]))
    two = await job(jobs / "two", Walk(token="hidden-token"))
    assert JobFolders([jobs]).arguments(one) == {"shelves": "[1,2]"}
    with pytest.raises(ConfigError, match="the argument token is a secret"):
        JobFolders([jobs]).arguments(two)


def test_the_log_has_no_secrets_and_only_its_end_is_read(jobs):
    folders = JobFolders([jobs])
    folders.log_path(jobs / "one").write_text("first\n" + "x" * 100 + "\nweb page: http://a/?token=very-secret\n")
    text = folders.log(jobs / "one", max_bytes=80)
    assert "first" not in text
    assert "web page" in text
    assert "very-secret" not in text
    assert folders.log(jobs / "none") == ""
