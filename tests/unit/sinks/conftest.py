"""Rows, and a crawl's worth of calls to a sink."""

from __future__ import annotations

import inspect

import msgspec
import pytest
from support.crawls import CRAWL

from crawler.messages import Row


def rows_of(items):
    return [
        Row(data=msgspec.json.encode(item), key=f"key {number}", page="http://site.example/")
        for number, item in enumerate(items)
    ]


async def keep_in(sink, *batches, after=None):
    """Opens the sink, gives it the batches, closes it; calls `after` behind each batch; the positions it gave."""
    positions = []
    async with sink.lifespan(CRAWL):
        for batch in batches:
            position = sink.persist(rows_of(batch))
            positions.append(await position if inspect.isawaitable(position) else position)
            if after is not None:
                after()
    return positions


@pytest.fixture(scope="session")
def keep():
    return keep_in


@pytest.fixture(scope="session")
def rows():
    return rows_of


class FullDisk:
    """A file that takes only `room` more bytes, until `room` is infinite."""

    def __init__(self, file, room):
        self._file = file
        self.room = room

    def write(self, data):
        taken = min(len(data), self.room)
        if not taken and len(data):
            raise OSError(28, "No space left on device")
        self.room -= taken
        return self._file.write(data[:taken])

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.fixture(scope="session")
def full_disk():
    return FullDisk
