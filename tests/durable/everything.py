"""The spider of the tests of durable jobs: an item for every page within reach. And a sink that takes its time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from crawler import Plugin, Produced, Response, Row, Spider


class Everything(Spider):
    """Follows everything on some hosts."""

    front: str
    """Where to begin."""
    hosts: list[str]
    """Where to stay."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_urls = [self.front]
        self.allowed_domains = self.hosts

    def parse(self, response: Response) -> Produced:
        """One item, and all links."""
        yield {"url": response.url, "n": int(response.css("h1::text").get())}
        yield from response.follow_all()


class Slow(Plugin):
    """A sink outside of the job: takes its time, and appends a line of key and URL for each row.

    It keeps no position, so after a kill it is given again what it had not acknowledged.
    """

    def __init__(self, path: Path, seconds: float = 0.2) -> None:
        self.path, self.seconds = path, seconds

    async def persist(self, batch: Sequence[Row]) -> None:
        """Some rows now, the others after a while."""
        with self.path.open("a") as file:
            for index, row in enumerate(batch):
                file.write(f"{row.key} {row.data.decode()}\n")
                if index % 50 == 0:
                    file.flush()
                    await trio.sleep(self.seconds)
