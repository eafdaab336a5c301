"""``crawler job DIR --repair`` from outside: lost and damaged outputs are written again from the items of the job."""

from __future__ import annotations

import csv
import gzip
import json
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from crawler import Produced, Response, Settings, Spider, crawl
from crawler.cli.app import main
from crawler.testing import FakeSite

OUTPUTS = ("items.jsonl", "items.json", "items.csv", "items.jsonl.gz", "part-%(n)d.jsonl?max_rows=4")


class Pages(Spider):
    """Yields an item for each page, with a new field in the last one."""

    start_urls = [f"https://site.test/{n}" for n in range(9)]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url} | ({"late": 1} if response.url.endswith("8") else {})


def run(most: int | None = None) -> None:
    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(9)), "x"))
    settings = Settings(max_pages=most)
    start = partial(crawl, Pages(), settings=settings, outputs=OUTPUTS, job="job", transport=site.transport)
    trio.run(start, clock=MockClock(autojump_threshold=0))


def found() -> list[int]:
    """Return how many items each output has, none of them twice."""
    with Path("items.csv").open(newline="") as file:
        table = [row["url"] for row in csv.DictReader(file)]
    texts = [Path("items.jsonl").read_text(), gzip.decompress(Path("items.jsonl.gz").read_bytes()).decode()]
    texts.append("".join(path.read_text() for path in Path().glob("part-?.jsonl")))
    urls = [[json.loads(line)["url"] for line in text.splitlines()] for text in texts]
    urls += [[item["url"] for item in json.loads(Path("items.json").read_text())], table]
    assert all(len(set(one)) == len(one) for one in urls)
    return [len(one) for one in urls]


@pytest.fixture
def _stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that has stopped after six pages of nine."""
    monkeypatch.chdir(tmp_path)
    run(most=6)


@pytest.mark.usefixtures("_stopped")
def test_lost_and_damaged_outputs_are_written_again_and_the_job_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    Path("items.jsonl").unlink()
    Path("items.json").write_text("mine")
    Path("items.csv").write_bytes(Path("items.csv").read_bytes()[:30])
    Path("items.jsonl.gz").write_bytes(b"")
    Path("part-2.jsonl").unlink()
    assert main(["job", "job", "--repair"]) == 0
    said = capsys.readouterr().err
    assert "items.jsonl is written again with 6 items of the job\n" in said
    assert "items.json is written again with 6 items of the job; what it held is in" in said
    assert Path("items.json.damaged").read_text() == "mine"
    assert found() == [6] * 5
    run()
    assert found() == [9] * 5


@pytest.mark.usefixtures("_stopped")
def test_sound_outputs_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in Path().glob("*.*") if path.is_file()}
    assert main(["job", "job", "--repair"]) == 0
    assert capsys.readouterr().err.count("is sound: it has the 6 items") == 5
    assert {path: path.read_bytes() for path in Path().glob("*.*") if path.is_file()} == before


@pytest.mark.usefixtures("_stopped")
def test_files_that_were_set_aside_are_kept_when_it_is_repaired_again() -> None:
    for text in ("first", "second"):
        Path("items.jsonl").write_text(text)
        assert main(["job", "job", "--repair"]) == 0
    assert Path("items.jsonl.damaged").read_text() == "first"
    assert Path("items.jsonl.damaged-2").read_text() == "second"


def test_a_shared_job_has_no_outputs_to_repair(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job", "redis://db.test/0/books", "--repair"]) == 2
    assert "--export OUT writes all items" in capsys.readouterr().err
