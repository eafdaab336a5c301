"""Which failed requests are queued again, and that they are no longer counted."""

from __future__ import annotations

from crawler.store.queue_failed import _without


def test_only_the_failures_of_hosts_that_were_given_up_are_taken_back() -> None:
    counts = {
        "failed": 7,
        "failures": {"connect_failed": 5, "status_500": 2},
        "kinds": {"connect_failed.refused": 5, "status_500": 2},
        "unreachable": {"connect_failed.refused": 4},
        "samples": {"unreachable": ["https://a.test"], "status_500": ["x"], "robots": ["y"]},
    }
    assert _without(counts, unreachable=True) == {
        "failed": 3,
        "failures": {"connect_failed": 1, "status_500": 2},
        "kinds": {"connect_failed.refused": 1, "status_500": 2},
        "unreachable": {},
        "samples": {"status_500": ["x"], "robots": ["y"]},
    }
    assert _without(counts, unreachable=False)["failures"] == {}
