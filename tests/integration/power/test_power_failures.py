"""The power fails at any sync of a crawl, with any part of what was not synced on the disk: the job resumes.

The same command completes it after the system has started again. Where the system does not say that it has, a run may
be refused with one line under ``durability=process``; its advice leads to a complete job.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from integration.power import crawled
from integration.power.crawled import OUTPUTS, URLS
from integration.power.disk import Disk, Keep, everything, nothing, only, random_parts
from integration.power.recording import Operation, record

from crawler import ConfigError, JobError
from crawler.store import job_folder
from crawler.store.inspect import inspect_job, read_items

EXTREMES: dict[str, Keep] = {
    "nothing": nothing,
    "everything": everything,
    "names": lambda kind, _: kind == "name",
    "content": lambda kind, _: kind != "name",
    "database": only("job", "job.sqlite", "-wal", "-journal"),
    "database file": only("job", "job.sqlite"),
    "log of items": only("job", "items.spool"),
    "outputs": only(*OUTPUTS, *(f"part-{number:02}.jsonl" for number in range(1, 9))),
}
"""The unsynced changes that reach the disk."""
SAMPLES = 110
"""Power failures that are replayed for each durability, besides those while the job is created."""
CREATION = 12
"""Syncs at the start of the crawl at which all extremes are replayed."""
SEED = 1


@pytest.fixture(params=["process", "power"])
def durability(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder of the crawl, in memory if the system has such a disk: the test itself need not wait for a disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        (Path(name) / "crawl").mkdir()
        yield Path(name) / "crawl"


@pytest.fixture
def operations(folder: Path, durability: str) -> list[Operation]:
    """The operations of a crawl that has ended. Its files are in the folder ``ended`` beside that of the crawl."""
    recorded = record(Path(crawled.__file__), folder, durability)
    folder.rename(folder.with_name("ended"))
    return recorded


def failures(operations: list[Operation]) -> dict[int, list[tuple[str, Keep]]]:
    """Return the power failures to replay: what is kept, by the number of the operation that is not executed."""
    chance = random.Random(SEED)
    syncs = [number for number, operation in enumerate(operations) if operation.kind == "sync"]
    found: dict[int, list[tuple[str, Keep]]] = {number: list(EXTREMES.items()) for number in syncs[:CREATION]}
    for sample in range(SAMPLES):
        name, keep = chance.choice(list(EXTREMES.items()))
        if sample % 2:
            name, keep = f"random {sample}", random_parts(random.Random(SEED + sample))
        found.setdefault(chance.choice([*syncs[CREATION:], len(operations)]), []).append((name, keep))
    return found


def complete(folder: Path) -> tuple[list[str], int]:
    """Continue a job to its end as the lines of refused runs say; return these lines, and the number of requests."""
    lines: list[str] = []
    outputs = OUTPUTS
    while True:
        try:
            requests = crawled.run(folder, outputs=outputs)
        except (JobError, ConfigError) as error:
            lines.append(str(error))
            assert "\n" not in lines[-1]
            assert len(lines) < 9, lines
            advice = re.search(r"truncate -s (\d+) (\S+)", lines[-1])
            if advice is not None:
                os.truncate(advice[2], int(advice[1]))
            elif "name another output" in lines[-1]:
                outputs = tuple(f"other-{len(lines)}-{name}" for name in OUTPUTS)
            else:
                assert "name another folder" in lines[-1], lines
                assert inspected(folder) == 0, lines  # nothing had been committed for certain
                shutil.rmtree(folder / "job")
        else:
            break
    for output in outputs:
        assert sorted(crawled.read(folder / output)) == sorted(URLS), (output, lines)
    keys = Counter(row.key for rows in read_items(folder / "job") for row in rows)
    assert (len(keys), set(keys.values())) == (len(URLS), {1})
    return lines, requests


def inspected(folder: Path) -> int:
    """Return the number of committed items of a job; 0 for a folder that has none."""
    try:
        return inspect_job(folder / "job").items
    except JobError:
        return 0


def test_a_recording_replays_to_the_files_of_the_crawl(folder: Path, operations: list[Operation]) -> None:
    disk = Disk(str(folder))
    for operation in operations:
        disk.apply(operation)
    disk.write(everything, folder)
    ended = folder.with_name("ended")
    files = [path.relative_to(ended) for path in ended.rglob("*") if path.is_file()]
    assert {"items.csv", "job/items.spool", "job/job.sqlite"} < set(map(str, files))
    for path in files:
        assert (folder / path).read_bytes() == (ended / path).read_bytes()
    assert any(operation.kind == "rename" for operation in operations)  # of the table that got a column


@pytest.mark.parametrize("is_known", [True, False])
def test_a_job_resumes_after_any_power_failure(
    folder: Path, operations: list[Operation], durability: str, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = folder.with_name("boot")
    if is_known:
        boot.write_text("another")
    monkeypatch.setattr(job_folder, "BOOT", boot)
    disk = Disk(str(folder))
    replayed = failures(operations)
    refused: list[str] = []
    for number, operation in enumerate([*operations, None]):
        for name, keep in replayed.get(number, ()):
            disk.write(keep, folder)
            lines, requests = complete(folder)
            assert requests <= len(URLS)
            if durability == "power" or is_known:
                assert lines == [], (number, name)
            refused += lines
            shutil.rmtree(folder)
        if operation is not None:
            disk.apply(operation)
    assert sum(map(len, replayed.values())) >= 200
    assert bool(refused) == (durability == "process" and not is_known)


@pytest.mark.parametrize("durability", ["power"], indirect=True)
def test_a_commit_that_has_returned_survives(folder: Path, operations: list[Operation]) -> None:
    disk = Disk(str(folder))
    counts = []
    for operation in operations:
        disk.apply(operation)
        if operation.kind == "sync" and operation.path.endswith("-wal"):
            found = []
            for keep in (nothing, everything):
                disk.write(keep, folder)
                found.append(inspected(folder))
                shutil.rmtree(folder)
            assert found[0] == found[1]
            counts.append(found[0])
    assert counts == sorted(counts)
    assert set(counts) == set(range(len(URLS) + 1))
