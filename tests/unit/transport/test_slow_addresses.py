"""`SlowAddresses`: which addresses of a host are tried first."""

from __future__ import annotations

from support.cases import each

from crawler.transport.slow_addresses import MAX_AGE, MAX_HOSTS, SlowAddresses

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
A6, B6 = "2001:db8::1", "2001:db8::2"
HOST = "site.test"


def known(addresses: tuple[str, ...], connected: str) -> SlowAddresses:
    slow = SlowAddresses()
    slow.connected(HOST, addresses, connected, 100.0)
    return slow


@each(
    ("addresses", "connected", "expected"),
    [
        ((A, B), A, (A, B)),
        ((A, B), B, (B, A)),
        ((A, B, C), B, (B, C, A)),
        ((A, B, C), C, (C, A, B)),
        ((A6, A), A6, (A6, A)),
        ((A6, A), A, (A,)),
        ((A, A6), A, (A,)),  # libcurl tries IPv6 first, wherever it stands
        ((A6, B6, A), B6, (B6, A, A6)),
        ((A6, A, B), B, (B, A)),
        ((A, B), C, (A, B)),
        ((A, B), "", (A, B)),
    ],
)
def test_addresses_that_were_tried_in_vain_are_tried_last(
    addresses: tuple[str, ...], connected: str, expected: tuple[str, ...]
) -> None:
    assert known(addresses, connected).order(HOST, addresses, 101.0) == expected


def test_other_hosts_and_new_addresses_keep_their_order() -> None:
    slow = known((A, B), B)
    assert slow.order("other.test", (A, B), 101.0) == (A, B)
    assert slow.order(HOST, (C, A), 101.0) == (C, A)
    assert slow.order(HOST, (A, C), 101.0) == (C, A)
    assert slow.order(HOST, (A,), 101.0) == (A,), "the only address is tried, slow or not"


def test_after_a_while_a_slow_address_is_tried_first_again() -> None:
    slow = known((A, B), B)
    assert slow.order(HOST, (A, B), 100.0 + MAX_AGE - 1.0) == (B, A)
    assert slow.order(HOST, (A, B), 100.0 + MAX_AGE) == (A, B)
    assert slow.order(HOST, (A, B), 50.0) == (A, B), "the clock of another run"


def test_an_address_that_steps_in_is_not_slow_any_more() -> None:
    slow = known((A, B), B)
    slow.connected(HOST, (B, A), A, 200.0)
    assert slow.order(HOST, (A, B), 201.0) == (A, B)
    slow.connected(HOST, (A, B, C), C, 202.0)
    assert slow.order(HOST, (A, B, C), 203.0) == (C, A, B)


def test_a_host_without_any_connection_starts_afresh() -> None:
    slow = known((A6, A), A)
    slow.forget(HOST)
    slow.forget("other.test")
    assert slow.order(HOST, (A6, A), 101.0) == (A6, A)


def test_the_number_of_hosts_is_limited() -> None:
    slow = SlowAddresses()
    for number in range(MAX_HOSTS + 1):
        slow.connected(f"h{number}.test", (A, B), B, 100.0)
    assert slow.order("h0.test", (A, B), 101.0) == (A, B)
    assert slow.order("h1.test", (A, B), 101.0) == (B, A)
