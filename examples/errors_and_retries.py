"""What a spider can do about pages that are not there, not ready or not to be had.

::

    python -m crawler run examples/errors_and_retries.py -o offers.jsonl --tolerate 5%

Errors that may heal (no connection, a broken answer, 408, 425, 429, 5xx) are tried again by themselves, at a growing
distance or when ``Retry-After`` says. The exit code is 4 if more requests than tolerated failed for good.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Failure, Response, Settings, Spider


class Offers(Spider):
    """Every offer of a shop and what became of it."""

    patience: float = 30.0
    start_urls = ["https://shop.example/offers"]
    settings = Settings(attempts=3, backoff_base=1.0, backoff_max=60.0)

    def parse(self, response: Response) -> Iterator[object]:
        """410 is an answer here, not an error; what cannot be had at all is told to `missed`."""
        yield from response.follow_all("a.offer", self.parse_offer, errback=self.missed, accept_status=[410])

    def parse_offer(self, response: Response) -> Iterator[object]:
        """Sold, on sale, or not ready: then this page is asked for again, and this visit has left no trace."""
        if response.status == 410:
            yield {"url": response.url, "state": "sold"}
        elif response.css(".in-preparation"):
            yield response.defer(self.patience, "the offer is in preparation")
        else:
            yield {"url": response.url, "state": "on sale", "price": response.css(".price::text").get()}

    def missed(self, failure: Failure) -> Iterator[object]:
        """No answer, or none that `parse_offer` takes, after all attempts."""
        yield {"url": failure.request.url, "state": str(failure.error), "attempts": failure.attempts}
