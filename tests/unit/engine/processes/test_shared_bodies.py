"""Bodies that go through shared memory arrive whole and in order; what has no room there is refused."""

from __future__ import annotations

import mmap
import random

import pytest

from crawler.engine.processes.shared_bodies import BodyReader, BodyWriter

SIZE = 4096
Ends = tuple[BodyWriter, BodyReader]


@pytest.fixture
def ends() -> Ends:
    """The two ends of a small memory."""
    memory = mmap.mmap(-1, SIZE)
    return BodyWriter(memory), BodyReader(memory)


def test_bodies_of_all_sizes_arrive_while_the_memory_is_reused(ends: Ends) -> None:
    writer, reader = ends
    chance = random.Random(1)
    waiting: list[tuple[int, bytes]] = []
    refused = 0
    for _ in range(2000):
        body = chance.randbytes(chance.randrange(SIZE // 3))
        at = writer.write(body)
        if at is None:
            refused += 1
        else:
            waiting.append((at, body))
        while waiting and (at is None or chance.random() < 0.4):
            position, sent = waiting.pop(0)
            assert reader.read(position, len(sent)) == sent
            writer.free(reader.position)
            at = position
    assert 0 < refused < 500


def test_a_body_is_not_overwritten_before_it_was_read(ends: Ends) -> None:
    writer, reader = ends
    first = writer.write(b"a" * 3000)
    assert first is not None
    assert writer.write(b"b" * 2000) is None
    assert reader.read(first, 3000) == b"a" * 3000
    assert writer.write(b"b" * 2000) is None  # the writer does not know that
    writer.free(reader.position)
    second = writer.write(b"b" * 2000)
    assert second is not None
    assert reader.read(second, 2000) == b"b" * 2000


@pytest.mark.parametrize(("size", "fits"), [(0, True), (SIZE, True), (SIZE + 1, False)])
def test_a_body_may_be_as_large_as_the_memory(ends: Ends, size: int, fits: bool) -> None:
    at = ends[0].write(b"x" * size)
    assert (at is not None) == fits
    if at is not None:
        assert ends[1].read(at, size) == b"x" * size
