"""The addresses of hosts that libcurl is given, and what takes no look-up."""

from __future__ import annotations

import httpx
import pytest

from crawler.errors import Refused
from crawler.http.address_guard import AddressGuard
from crawler.transport.addresses import Addresses
from crawler.transport.extensions import EXTENSION, WireOptions, failure_of
from crawler.transport.lean import LeanRequest, target_of
from crawler.transport.resolver import Resolver
from crawler.transport.slow_addresses import SlowAddresses
from crawler.transport.transfer import Transfer


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
