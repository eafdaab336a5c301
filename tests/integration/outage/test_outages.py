"""Crawls whose servers, name server or network fail for a while lose no page, and fetch none twice.

Each fault has a network of its own (`network.py`), with nginx and a name server. All are observed at the same time.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future

import pytest
from integration.outage.faults import FAULTS, observe_all
from integration.outage.network import network
from integration.outage.world import C_IS_ON, Result, World

Results = dict[str, Future[Result]]
PER_HOST = 2
"""Requests in flight on one host, which a fault may hit."""
MAX_CONNECTIONS = 60
"""Connections that a crawl opens, at most; a host that flaps gets ten each time that it goes down."""
MAX_QUESTIONS = 30
"""Questions to the name server, at most. Two are needed for each host."""
HEALING = [name for name, fault in FAULTS.items() if fault.heals]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return observe_all(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.is_complete])
def test_every_page_is_kept_once(results: Results, name: str) -> None:
    result = results[name].result()
    assert result.code == 0, result.said
    assert "Traceback" not in result.said
    assert (result.lost, result.twice, set(result.items) - result.expected) == (0, 0, set()), result.said
    assert result.report["pages"] == result.report["items"] == len(result.expected)
    assert result.report["failed"] == 0


@pytest.mark.parametrize("name", FAULTS)
def test_servers_get_no_more_requests_than_needed(results: Results, name: str) -> None:
    result, fault = results[name].result(), FAULTS[name]
    assert result.refetches <= PER_HOST * (3 if "link" in name else 1 if fault.kill is None else 2)
    assert result.connections <= MAX_CONNECTIONS
    assert result.questions <= MAX_QUESTIONS


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.from_start])
def test_the_fault_comes_in_the_midst_of_the_crawl(results: Results, name: str) -> None:
    assert 0 < results[name].result().before < C_IS_ON


@pytest.mark.parametrize("name", ["refused", "dropped", "flapping", "TLS", "bad gateway"])
def test_other_hosts_are_crawled_during_an_outage(results: Results, name: str) -> None:
    result = results[name].result()
    assert result.served("b.test", since=result.began, until=result.ended) >= 3


@pytest.mark.parametrize("name", ["one address dead", "IPv6 dead"])
def test_only_the_first_connections_try_a_dead_address(results: Results, name: str) -> None:
    result = results[name].result()
    requests = result.served("a.test")
    assert requests <= result.connections, "each request has a connection of its own"
    assert result.connections <= requests + 3 * PER_HOST, "those of the two other hosts are kept"


def test_a_name_that_does_not_exist_costs_its_own_pages_only(results: Results) -> None:
    result = results["no such name"].result()
    assert result.code == 4
    assert {url for url in result.expected if url not in result.items} == {
        url for url in result.expected if "//c.test/" in url
    }


def test_a_host_that_is_down_for_good_is_given_up_after_the_patience(results: Results) -> None:
    result = results["given up"].result()
    assert result.code == 4
    assert "given up" in result.said
    assert result.report["failed"] > 0
    assert result.served("b.test") == 13  # its robots.txt, too
    assert result.finished - result.began < 15.0


@pytest.mark.parametrize("name", ["killed", "interrupted"])
def test_a_job_that_ended_in_an_outage_is_resumed_in_it(results: Results, name: str) -> None:
    result = results[name].result()
    assert "the others are from other runs of the job" in result.said
    assert ("interrupted: " in result.said) == (name == "interrupted")


def test_a_missing_tool_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    with network() as net:
        lab = World(net, tmp_path, "http")
        with monkeypatch.context() as without:
            without.setattr(shutil, "which", lambda *_, **__: None)
            with pytest.raises(RuntimeError, match="apt-get install nginx-light"):
                lab.a.start()
            with pytest.raises(RuntimeError, match="apt-get install iproute2"):
                net.unplug()
