"""The plugin `errors`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from crawler_plugins.errors import Errors
from support.trees import FREE
from trio.testing import MockClock

from crawler import ConfigError, Produced, Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page, collect

PAGES = {f"/{n}": f"page {n}" for n in range(6)}


def price(text: str) -> int:
    return int(text)


def title(text: str) -> str:
    raise KeyError(f"no title; token=abcdef123456 {text}")


class Shop(Spider):
    start_urls = [f"https://site.test/{n}?api_key=s3cret123" for n in range(6)]
    settings = FREE | Settings(workers=1)

    def parse(self, response: Response) -> Produced:
        number = int(response.url.partition("?")[0][-1])
        if number in (1, 2, 3):
            price(response.text)
        if number == 4:
            title(response.text)
        yield {"url": response.url}


def groups(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def shop(paths: dict[str, Any] = PAGES) -> FakeSite:
    return FakeSite({f"{path}?api_key=s3cret123": body for path, body in paths.items()})


async def test_failures_with_the_same_cause_are_one_group(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "errors.jsonl"
    found = await collect(Shop(), shop(), plugins=[Errors(path=path)])
    assert found.report.failed == 4
    first, second = groups(path)
    assert (first["type"], first["count"], first["handler"]) == ("ValueError", 3, "shop.parse")
    assert first["place"].endswith(" price")
    assert "/1?" in first["first_url"]
    assert "/3?" in first["last_url"]
    assert "return int(text)" in first["traceback"]
    assert first["message"].startswith("ValueError: invalid literal")
    assert (second["type"], second["count"]) == ("KeyError", 1)
    assert first["fingerprint"] != second["fingerprint"]


async def test_secrets_are_hidden(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "errors.jsonl"
    await collect(Shop(), shop(), plugins=[Errors(path=path)])
    text = path.read_text(encoding="utf-8")
    assert "s3cret123" not in text
    assert "abcdef123456" not in text


async def test_failures_of_the_network_are_grouped_by_kind(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "errors.jsonl"
    pages = {**PAGES, "/0": httpx.ConnectError("refused"), "/5": httpx.ConnectError("refused")}
    await collect(Shop(), shop(pages), plugins=[Errors(path=path)], settings=Settings(attempts=1, outage_patience=0))
    network = next(group for group in groups(path) if group["type"].startswith("connect_failed"))
    assert (network["count"], network["traceback"], network["handler"]) == (2, "", "")


async def test_definitive_responses_are_not_failures(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "errors.jsonl"
    pages = {**dict.fromkeys(PAGES, "0"), "/0": Page(status=404), "/4": Page(status=500), "/5": Page(status=410)}
    found = await collect(Shop(), shop(pages), plugins=[Errors(path=path)], settings=Settings(attempts=1))
    assert found.report.failed == sum(group["count"] for group in groups(path)) == 1
    assert groups(path)[0]["type"] == "status_500"


async def test_a_job_keeps_the_groups(autojump_clock: MockClock, tmp_path: Path) -> None:
    path, job = tmp_path / "errors.jsonl", tmp_path / "job"
    for pages in (1, None):
        await crawl(
            Shop(), plugins=[Errors(path=path)], job=job, transport=shop().transport,
            settings=Settings(max_errors=2 if pages else None),
        )  # fmt: skip
    assert [group["count"] for group in groups(path)] == [3, 1]


async def test_further_groups_are_counted_together(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "errors.jsonl"
    await collect(Shop(), shop(), plugins=[Errors(path=path, most=1)])
    assert [(group["type"], group["count"]) for group in groups(path)] == [("ValueError", 3), ("others", 1)]


async def test_the_file_is_written_while_the_crawl_runs(autojump_clock: MockClock, tmp_path: Path) -> None:
    seen: list[int] = []

    class Slow(Shop):
        settings = Shop.settings | Settings(delay=20)

        def parse(self, response: Response) -> Produced:
            seen.append(len(groups(path)))
            return super().parse(response)

    path = tmp_path / "errors.jsonl"
    await collect(Slow(), shop(), plugins=[Errors(path=path, every=5)])
    assert seen == [0, 0, 1, 1, 1, 2]


async def test_a_device_is_refused_and_not_replaced(autojump_clock: MockClock, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="errors: cannot write .*pipe: Not a regular file"):
        await collect(Shop(), shop(), plugins=[Errors(path=pipe)])
    assert pipe.is_fifo()


async def test_a_file_that_cannot_be_written_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="errors: cannot write .*: No such file or directory"):
        await collect(Shop(), shop(), plugins=[Errors(path=tmp_path / "none" / "errors.jsonl")])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"every": 0}, "every must be above 0"), ({"most": 0}, "most must be at least 1 group")],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Errors(**options)
