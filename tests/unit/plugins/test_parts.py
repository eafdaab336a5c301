"""`PartSink`: each row is in exactly one part, from whatever position a run continues and whatever fails."""

from __future__ import annotations

import json
from types import SimpleNamespace

import msgspec
import pytest
from crawler_plugins.outputs.formats import JsonLinesParts
from crawler_plugins.outputs.parts import Dataset, PartSink
from hypothesis import given
from hypothesis import strategies as st

from crawler import ConfigError, JobError, Row, Settings
from crawler.sinks import Held


class MemoryFolder:
    place = "memory"

    def __init__(self):
        self.content = {}
        self.failing = 0
        """Writes until one fails; 0 means none."""

    def names(self):
        return sorted(self.content)

    def read(self, name):
        return self.content.get(name)

    def write(self, name, data):
        self.failing -= 1
        if self.failing == 0:
            raise OSError("away")
        self.content[name] = data

    def tidy(self):
        pass

    def delete(self, name):
        self.content.pop(name, None)

    def rows(self):
        return [json.loads(line)["n"] for name in self.names() for line in self.content[name].splitlines()]


class Parts(PartSink):
    def __init__(self, folders, *, if_exists="error", rows=4, seconds=60.0, in_job=True):
        super().__init__("memory", if_exists, in_job=in_job, rows=rows, seconds=seconds)
        self.folders = folders

    def kind(self, row):
        return row.type

    def dataset(self, kind):
        return Dataset(self.folders.setdefault(kind, MemoryFolder()), JsonLinesParts(".jsonl"))

    def existing(self):
        yield from list(self.folders)

    def kinds(self):
        return ()


def row(number, kind=""):
    return Row(msgspec.json.encode({"n": number}), str(number), "http://site.test/", object(), kind)


async def store(sink, rows, *, size=3, position=None, times=lambda: 0.0, flush=True):
    """Store rows in batches, each again if it fails, and return pairs of cursor and position that a job would keep."""
    sink.resumes, sink.position = position is not None, position
    if position is not None:
        sink.verify(lambda: iter(()))
    kept = []
    async with sink.lifespan(SimpleNamespace(settings=Settings(), clock=times)):
        kept.append((sink.position["rows"], msgspec.json.encode(sink.position)))
        seen = sink.position["rows"]
        calls = [(lambda batch=rows[start : start + size]: sink.persist(batch)) for start in range(0, len(rows), size)]
        for call in [*calls, *([sink.flush] if flush else [])]:
            try:
                result = call()
            except OSError:
                result = call()
            seen += min(size, len(rows) - (seen - kept[0][0]))
            held = result.rows if isinstance(result, Held) else 0
            position = result.position if isinstance(result, Held) else result
            assert position["rows"] == seen - held
            kept.append((position["rows"], msgspec.json.encode(position)))
    return [(cursor, msgspec.json.decode(position)) for cursor, position in kept]


async def test_a_part_has_at_most_the_given_number_of_rows_and_is_named_after_its_first(monkeypatch):
    folder = MemoryFolder()
    await store(Parts({"": folder}), [row(n) for n in range(11)])
    assert folder.names() == [f"part-{n:012d}.jsonl" for n in (0, 4, 6, 10)]
    assert folder.rows() == list(range(11))


async def test_a_part_ends_after_its_time_or_its_size(monkeypatch):
    folder = MemoryFolder()
    times = iter([0.0, 0.0, 59.0, 60.0, 60.0, 61.0])
    await store(Parts({"": folder}, rows=1000), [row(n) for n in range(12)], times=lambda: next(times))
    assert folder.names() == ["part-000000000000.jsonl", "part-000000000009.jsonl"]
    monkeypatch.setattr("crawler_plugins.outputs.parts.MAX_BYTES", 40)
    folder = MemoryFolder()
    await store(Parts({"": folder}, rows=1000), [row(n) for n in range(9)])
    assert folder.names() == ["part-000000000000.jsonl", "part-000000000006.jsonl"]


@given(
    st.lists(st.sampled_from(["", "A"]), min_size=1, max_size=30),
    st.tuples(st.integers(1, 5), st.integers(1, 7)),
    st.tuples(st.integers(1, 5), st.integers(1, 7)),
    st.integers(0, 8),
    st.data(),
)
def test_each_row_is_stored_once_from_whatever_position_a_run_continues(trio_run, kinds, first, second, failing, data):
    async def check():
        rows = [row(n, kind) for n, kind in enumerate(kinds)]
        folders = {"": MemoryFolder()}
        folders[""].failing = failing
        ends = data.draw(st.integers(0, len(rows)))
        kept = await store(Parts(folders, rows=first[0]), rows[:ends], size=first[1], flush=data.draw(st.booleans()))
        cursor, position = data.draw(st.sampled_from(kept))
        folders[""].failing = failing
        await store(Parts(folders, rows=second[0]), rows[cursor:], size=second[1], position=position)
        for kind in set(kinds):
            assert folders[kind].rows() == [n for n, one in enumerate(kinds) if one == kind]

    trio_run(check)


@pytest.fixture(scope="module")
def trio_run():
    import trio  # noqa: PLC0415

    return trio.run


async def test_parts_that_exist_are_refused_deleted_or_kept():
    folder = MemoryFolder()
    await store(Parts({"": folder}), [row(n) for n in range(5)])
    with pytest.raises(
        ConfigError, match="memory has parts already: --overwrite deletes them \\(in Python: if_exists\\)$"
    ):
        Parts({"": folder}).check()
    with pytest.raises(ConfigError, match="--append adds parts"):
        Parts({"": folder}, in_job=False).check()
    kept = await store(Parts({"": folder}, if_exists="append"), [row(n) for n in range(5, 9)], size=2)
    assert folder.rows() == list(range(9))
    await store(Parts({"": folder}, if_exists="append"), [row(n) for n in range(7, 9)], position=kept[1][1])
    assert folder.rows() == [0, 1, 2, 3, 4, 7, 8]  # the parts of the other crawl stay
    await store(Parts({"": folder}, if_exists="overwrite"), [row(1)])
    assert folder.rows() == [1]


async def test_a_job_whose_parts_were_removed_is_refused():
    folder = MemoryFolder()
    (*_, (_, position)) = await store(Parts({"": folder}), [row(n) for n in range(8)])
    folder.delete(folder.names()[0])
    sink = Parts({"": folder})
    sink.position = position
    with pytest.raises(JobError, match="memory lacks 1 of 3 parts that the job wrote"):
        sink.verify(lambda: iter(()))


def test_workers_do_not_share_parts():
    with pytest.raises(ConfigError, match="workers cannot share it"):
        Parts({}).divide(3)


def test_limits_out_of_range_are_refused():
    for limits in ({"rows": 0}, {"seconds": -1.0}, {"seconds": float("nan")}):
        with pytest.raises(ConfigError, match="must be at least"):
            Parts({}, **limits)


@pytest.mark.parametrize("if_exists", ["overwrite", "append"])
async def test_the_parts_of_others_are_not_touched_although_their_names_look_alike(if_exists):
    """Another output of the same job may stand beside the datasets of a template."""
    folders = {"": MemoryFolder(), "other": MemoryFolder()}
    folders["other"].content = {"part-000000000000.jsonl": b'{"n":0}\n', "part-000000000099.jsonl": b'{"n":99}\n'}
    kept = await store(Parts(folders, if_exists=if_exists), [row(n) for n in range(10)])
    folders["other"].content["part-000000000500.jsonl"] = b'{"n":500}\n'
    for rows, position in kept:
        again = Parts(folders, if_exists=if_exists)
        await store(again, [row(n) for n in range(rows, 10)], position=position)
        assert folders[""].rows() == list(range(10))
    assert folders["other"].rows() == [0, 99, 500]
