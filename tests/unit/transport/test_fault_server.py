"""The fault server: its pages, its ports, and its command."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.faults.server import FAULT_CASES, fault_server
from support.rawserver import get

from crawler.transport.curl import CurlTransport


async def test_the_index_links_to_every_case():
    async with fault_server() as server:
        async with CurlTransport() as transport:
            response = await get(transport, server.origin)
        assert response.headers["content-type"] == "text/html"
        for name in FAULT_CASES:
            assert f'href="{server.url(name)}"' in response.text


async def test_a_path_without_a_case_is_not_found():
    async with fault_server() as server, CurlTransport() as transport:
        assert (await get(transport, server.origin + "nothing")).status_code == 404
        with pytest.raises(KeyError):
            server.url("nothing")


async def test_two_servers_are_independent():
    async with fault_server() as one, fault_server() as other, CurlTransport() as transport:
        await get(transport, one.url("ok"))
        assert one.requests == ["/ok"]
        assert other.requests == []
        with pytest.raises(OSError, match="in use"):
            async with fault_server(port=httpx.URL(one.origin).port):
                pass


def test_the_command_prints_the_url_and_serves_until_it_is_interrupted(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    command = [sys.executable, "-m", "support.faults"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        origin = server.stdout.readline().strip()
        try:
            assert "connection closed inside the status line" in httpx.get(origin).text
            taken = subprocess.run(
                [*command, "--port", str(httpx.URL(origin).port)], capture_output=True, text=True, check=False
            )
        finally:
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=20)
    assert (server.returncode, errors) == (130, "")
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert "cannot listen on port" in taken.stderr
