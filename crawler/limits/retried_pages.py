"""`RetriedPages`: how often requests fail at random, by the pages that were served after attempts that failed.

A page that always fails says nothing about the others. One that is served later does: one of several nodes may be
broken.
"""

from __future__ import annotations

from typing import Final

from crawler.limits.load_share import COUNTED, Tally

__all__ = ["RetriedPages"]

MIN_RESULTS: Final = 20.0
"""Results from which the share is known."""
MAX_FAILED: Final = 0.7
"""Share of failures above which the server counts as out of order."""


class RetriedPages:
    """The latest results of the pages of one server that were served in the end.

    Parameters:
        served: Requests that were served before the first failure of such a page.
    """

    def __init__(self, served: float) -> None:
        self._results = Tally(min(COUNTED, served))

    @property
    def failed_share(self) -> float:
        """Share of the attempts that failed; 0 if few are known, or nearly all did."""
        results = self._results
        return results.share if results.results >= MIN_RESULTS and results.share <= MAX_FAILED else 0.0

    def record(self, failures: int) -> None:
        """Count a page that was served after so many attempts that failed."""
        for _ in range(failures):
            self._results.add(failed=True)
        self._results.add(failed=False)
