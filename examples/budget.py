"""Share one budget between two hosts: an API key with a common quota.

::

    python -m crawler run examples/budget.py -o records.jsonl -p quota -P quota.then=pause
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Pace, Request, Response, Settings, Spider


class Records(Spider):
    """Records of an API: a list on one host, the records on another. A record costs twice as much as a list page."""

    settings = Settings(
        pacing={
            "key:reader": Pace(rate="600/min", burst=5),  # limit of the API key, on all hosts together
            "files.example": Pace(concurrency=2),  # limit of one host
        }
    )

    def __init__(
        self, lists: str = "https://api.example/list?page={}", pages: int = 3, record: str = "https://files.example/{}"
    ) -> None:
        self.lists, self.pages, self.record = lists, pages, record

    def start(self) -> Iterator[Request]:
        """Request the pages of the list."""
        for page in range(1, self.pages + 1):
            yield Request(self.lists.format(page), quotas={"key:reader": 1})

    def parse(self, response: Response) -> Iterator[Request]:
        """Request each record on a page of the list."""
        for number in response.json():
            yield Request(self.record.format(number), self.parse_record, quotas={"key:reader": 2})

    def parse_record(self, response: Response) -> Iterator[object]:
        """Yield the record unchanged."""
        yield response.json()
