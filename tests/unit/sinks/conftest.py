"""Rows, and the calls that a crawl makes to a sink."""

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
    """Open the sink, store the batches, close it; call `after` after each batch. Return the positions."""
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
    """A file on a disk with space for only `room` more bytes."""

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
