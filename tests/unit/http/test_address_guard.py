"""`AddressGuard`: allowed addresses, and networks that start pages open."""

from __future__ import annotations

import pytest

from crawler import Refused, Request
from crawler.http import address_guard as module
from crawler.http.address_guard import AddressGuard, is_start_page

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


def test_links_and_targets_of_redirects_are_not_start_pages():
    request = Request("http://a.test/")
    assert is_start_page(request)
    assert not is_start_page(request.replace(depth=1))
    assert not is_start_page(request.replace(redirects=("http://b.test/",)))
