"""`Feedback`: what became of a request decides when its lane starts the next one."""

from __future__ import annotations

from support.frontiers import HOST, fetched, frontier, pop, sent

NOW = 1_000.0


def test_a_lane_waits_after_a_refusal_and_not_after_a_response() -> None:
    made = frontier(3)
    fetched(made, pop(made, NOW))
    refused = sent(pop(made, NOW))
    made.feedback.refused(refused, NOW)
    made.settle(refused)
    ticket, at = made.pop(NOW)
    assert ticket is None
    assert at > NOW


def test_the_start_of_a_request_that_was_not_sent_comes_back() -> None:
    made = frontier(2, delay=60.0)
    ticket = pop(made, NOW)
    assert made.pop(NOW)[0] is None
    made.feedback.refund(ticket)
    assert made.pop(NOW)[0] is not None


def test_a_delay_counts_from_the_moment_in_which_the_request_goes_out() -> None:
    made = frontier(2, delay=10.0)
    made.feedback.reports_sending = True
    ticket = pop(made, NOW)
    made.feedback.sent(ticket, NOW + 3)
    assert made.next_at() == NOW + 13
    made.feedback.failed(ticket, NOW + 4, overloaded=False)
    made.settle(ticket)
    assert made.lanes[HOST].open_tickets == 0
    assert made.next_at() == NOW + 13
