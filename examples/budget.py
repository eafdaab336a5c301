"""One API key on two hosts: a budget that lanes share.

::

    python -m crawler run examples/budget.py -o records.jsonl -p quota -P quota.then=pause
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Pace, Request, Response, Settings, Spider


class Records(Spider):
    """Reads a list from one host and each of its records from another; a record costs twice what a list does."""

    settings = Settings(
        pacing={
            "key:reader": Pace(rate="600/min", burst=5),  # what the key may do, whatever the host
            "files.example": Pace(concurrency=2),  # and how much of it one host likes
        }
    )

    def __init__(
        self, lists: str = "https://api.example/list?page={}", pages: int = 3, record: str = "https://files.example/{}"
    ) -> None:
        self.lists, self.pages, self.record = lists, pages, record

    def start(self) -> Iterator[Request]:
        """The pages of the list."""
        for page in range(1, self.pages + 1):
            yield Request(self.lists.format(page), quotas={"key:reader": 1})

    def parse(self, response: Response) -> Iterator[Request]:
        """A request for each record that a page of the list names."""
        for number in response.json():
            yield Request(self.record.format(number), self.parse_record, quotas={"key:reader": 2})

    def parse_record(self, response: Response) -> Iterator[object]:
        """The record as it is."""
        yield response.json()
