"""`AddressGuard`: allowed addresses, and networks that start pages open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Refused
from crawler.http import address_guard as module
from crawler.http.address_guard import AddressGuard, network_of

PUBLIC, OTHER = "8.8.8.8", "1.1.1.1"


def test_only_public_addresses_are_chosen():
    guard = AddressGuard()
    assert guard.check("a.test", (PUBLIC, "127.0.0.1", OTHER, "10.0.0.1")) == (PUBLIC, OTHER)
    with pytest.raises(Refused) as caught:
        guard.check("b.test", ("127.0.0.1", "::1"))
    assert caught.value.by == "network"
    assert str(caught.value) == (
        "not sent: b.test is at 127.0.0.1, on the loopback network, which no start page is on "
        "(private_network=true allows it)"
    )


def test_an_address_is_named_once():
    with pytest.raises(Refused, match=r"^not sent: 127\.0\.0\.1, on the loopback network"):
        AddressGuard().check("127.0.0.1", ("127.0.0.1",))


def test_a_start_page_opens_its_own_network_for_all_and_no_other():
    guard = AddressGuard()
    assert guard.check("localhost", ("::1", "127.0.0.1"), is_start_page=True) == ("::1", "127.0.0.1")
    assert guard.check("a.test", ("127.0.0.2", "10.0.0.1", PUBLIC)) == ("127.0.0.2", PUBLIC)
    for address in ("10.0.0.1", "169.254.169.254", "fe80::1", "100.64.0.1", "fd00:ec2::254"):
        assert not guard.allows(address)


def test_an_intranet_does_not_open_the_metadata_of_its_cloud():
    guard = AddressGuard()
    guard.check("intra", ("10.0.0.1", "fd12::1", "169.254.1.1"), is_start_page=True)
    assert guard.open_networks == {"private", "link-local"}
    assert not guard.allows("169.254.169.254")
    assert not guard.allows("fd00:ec2::254")


def test_a_start_page_that_is_also_public_opens_nothing():
    guard = AddressGuard()
    assert guard.check("a.test", ("127.0.0.1", PUBLIC), is_start_page=True) == (PUBLIC,)
    assert guard.open_networks == set()


def test_a_start_page_that_was_public_cannot_become_anything_else():
    guard = AddressGuard()
    guard.check("a.test", (PUBLIC,), is_start_page=True)
    with pytest.raises(Refused):
        guard.check("a.test", ("127.0.0.1",), is_start_page=True)
    assert guard.check("b.test", ("127.0.0.1",), is_start_page=True)


def test_a_guard_that_does_not_learn_refuses_start_pages_too():
    with pytest.raises(Refused, match=r"on the loopback network, which private_network=false closes$"):
        AddressGuard(opens_start_networks=False).check("localhost", ("127.0.0.1",), is_start_page=True)


def test_a_host_without_addresses_is_refused():
    with pytest.raises(Refused, match="not sent: a.test, on the reserved network"):
        AddressGuard().check("a.test", ())


def test_a_job_saves_opened_networks_at_once_and_public_hosts_later():
    guard = AddressGuard()
    assert guard.take_unsaved(whole=True) is None
    guard.check("a.test", (PUBLIC,), is_start_page=True)
    assert guard.take_unsaved(whole=False) is None
    assert guard.take_unsaved(whole=True) is not None
    guard.check("localhost", ("127.0.0.1",), is_start_page=True)
    kept = guard.take_unsaved(whole=False)
    assert kept == b'{"opened":["loopback"],"public":["a.test"],"begun":[]}'
    assert guard.take_unsaved(whole=True) is None
    again = AddressGuard()
    again.restore(kept)
    assert again.allows("127.0.0.5")
    with pytest.raises(Refused):
        again.check("a.test", ("10.0.0.1",), is_start_page=True)


def test_restored_networks_are_closed_if_start_pages_may_not_open_any():
    guard = AddressGuard(opens_start_networks=False)
    guard.restore(b'{"opened":["loopback"],"public":[]}')
    assert not guard.allows("127.0.0.1")


def test_the_memory_of_a_guard_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 10)
    guard = AddressGuard()
    for number in range(100):
        guard.check(f"h{number}.test", (f"8.8.{number}.8",), is_start_page=True)
    assert len(guard._networks) <= 10
    assert len(guard._public) <= 10


LISTED = {
    "": (
        "1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
        "11.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "192.167.255.255", "223.255.255.255",
        "2606:4700:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
        "2002:0808:0808::1",
    ),
    "loopback": (
        "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1",
        "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "::ffff:0:127.0.0.1",
    ),
    "private": (
        "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1",
        "fec0::1", "::ffff:10.0.0.1", "64:ff9b::192.168.1.1", "2002:c0a8:0101::1",
    ),
    "shared": (
        "100.64.0.1", "100.127.255.255", "::ffff:100.64.0.1",
    ),
    "link-local": (
        "169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1",
    ),
    "metadata": (
        "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254",
        "fd00:42::42", "100.100.100.200", "168.63.129.16",
        "192.0.0.192", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    ),
    "multicast": (
        "224.0.0.1", "239.255.255.255", "ff02::1",
    ),
    "benchmarking": (
        "198.18.0.1", "198.19.255.255", "2001:2::1",
    ),
    "documentation": (
        "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",
    ),
    "reserved": (
        "192.0.0.1", "192.88.99.1", "240.0.0.1", "255.255.255.255", "64:ff9b:1::1", "2001::1", "2001:10::1",
        "100::1", "5f00::1", "4000::1", "", "site.test", "127.0.0.1.", "0x7f.1", "[::1]",
    ),
}  # fmt: skip


@each(("name", "address"), [(name, address) for name, found in LISTED.items() for address in found])
def test_an_address_is_on_a_network(name, address):
    assert network_of(address) == name


@given(st.ip_addresses())
def test_an_address_that_is_special_for_python_is_never_public(address):
    carries_another = address.version == 6 and (address.sixtofour or address.ipv4_mapped)
    if not address.is_global and not carries_another:
        assert network_of(str(address))


@given(st.ip_addresses(v=4))
def test_an_address_inside_of_another_is_judged_as_itself(address):
    number = f"{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"
    for wrapped in (f"::ffff:{number}", f"64:ff9b::{number}", f"2002:{number}::7", f"::ffff:0:{number}"):
        assert network_of(wrapped) == network_of(str(address))
