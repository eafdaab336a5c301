"""The addresses of hosts that libcurl is given, and what takes no look-up."""

from __future__ import annotations

import httpx
import pytest
from support.cases import each

from crawler.errors import Refused
from crawler.http.address_guard import AddressGuard
from crawler.transport.addresses import MAX_AGE, MAX_HOSTS, Addresses, SlowAddresses
from crawler.transport.resolver import Resolver
from crawler.transport.transfer import Transfer
from crawler.transport.wire import EXTENSION, LeanRequest, WireOptions, failure_of, target_of


class Names:
    """A resolver that knows one name."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host, port):
        if host != "site.test":
            raise OSError(f"no such host: {host}")
        return self.addresses


def asked(url, proxy=None, **options):
    """Return a transfer of a request, and where it goes."""
    request = LeanRequest("GET", url, [], b"", {EXTENSION: WireOptions(**options)})
    made = Transfer(
        request,
        body=b"",
        proxy=None if proxy is None else httpx.URL(proxy),
        buffer=1,
        max_headers=1,
        drop=lambda _: None,
    )
    return made, target_of(request)


async def test_a_literal_address_takes_no_look_up_and_no_entry():
    addresses = Addresses(Resolver(), SlowAddresses())
    assert addresses.known(*asked("http://127.0.0.1:8000/")) == []
    assert addresses.known(*asked("http://site.test/")) is None
    assert addresses.known(*asked("http://127.0.0.1/", "http://proxy.test:1")) is None


async def test_a_name_has_an_entry_with_all_addresses_that_are_allowed():
    addresses = Addresses(Names("192.0.2.1", "2001:db8::1"), SlowAddresses())
    transfer, target = asked("https://site.test/")
    assert await addresses.resolve(transfer, target) == ["+site.test:443:192.0.2.1,[2001:db8::1]"]
    assert transfer.peer == ("site.test", ("192.0.2.1", "2001:db8::1"))
    guard = AddressGuard()
    private = Addresses(Names("10.0.0.1"), SlowAddresses())
    with pytest.raises(Refused, match=r"site\.test is at 10\.0\.0\.1, on the"):
        await private.resolve(*asked("http://site.test/", address_guard=guard))
    assert await private.resolve(*asked("http://site.test/", address_guard=guard, is_start_page=True))


async def test_a_site_is_resolved_by_its_proxy():
    addresses = Addresses(Names("192.0.2.1"), SlowAddresses())
    behind = asked("http://elsewhere.test/", "http://site.test:3128")
    assert await addresses.resolve(*behind) == ["+site.test:3128:192.0.2.1"]
    for scheme, cls in (("http", httpx.ProxyError), ("socks5", httpx.ConnectError)):
        with pytest.raises(cls, match="no address of nowhere.test") as caught:
            await addresses.resolve(*asked("http://nowhere.test/", f"{scheme}://nowhere.test:1"))
        assert failure_of(caught.value).sent is False


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
