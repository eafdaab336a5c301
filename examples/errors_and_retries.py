"""Handle pages that are gone, not ready, or cannot be fetched.

::

    python -m crawler run examples/errors_and_retries.py -o offers.jsonl --tolerate 5%

Transient errors (no connection, an incomplete response, 408, 425, 429, 5xx) are retried with exponential backoff, or
after the time in ``Retry-After``. The exit code is 4 if more requests fail than ``--tolerate`` allows.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Failure, Response, Settings, Spider


class Offers(Spider):
    """Offers of a shop, with the state of each."""

    patience: float = 30.0
    start_urls = ["https://shop.example/offers"]
    settings = Settings(attempts=3, backoff_base=1.0, backoff_max=60.0)

    def parse(self, response: Response) -> Iterator[object]:
        """Follow each offer. Status 410 goes to the callback; requests that fail go to `missed`."""
        yield from response.follow_all("a.offer", self.parse_offer, errback=self.missed, accept_status=[410])

    def parse_offer(self, response: Response) -> Iterator[object]:
        """Yield the state of an offer. A page that is not ready is deferred: this visit yields nothing."""
        if response.status == 410:
            yield {"url": response.url, "state": "sold"}
        elif response.css(".in-preparation"):
            yield response.defer(self.patience, "the offer is in preparation")
        else:
            yield {"url": response.url, "state": "on sale", "price": response.css(".price::text").get()}

    def missed(self, failure: Failure) -> Iterator[object]:
        """Yield an item for a request that failed in all attempts, or whose status `parse_offer` does not accept."""
        yield {"url": failure.request.url, "state": str(failure.error), "attempts": failure.attempts}
