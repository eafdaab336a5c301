"""`client(state=…)`: the known quotas outlive the client, even one that was killed."""

from __future__ import annotations

import json
import os
import stat
import time
from types import SimpleNamespace

import httpx
import pytest
import trio
from support.quotaserver import QuotaServer

from crawler import ConfigError, client, clock
from crawler.api_client.state_file import StateFile
from crawler.limits.registry import Limits

API = "https://api.test/"


def governed(server, path, **options):
    return client(transport=httpx.MockTransport(server), state=path, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "quotas.json"


@pytest.fixture(autouse=True)
def wall(monkeypatch):
    """Let the wall clock follow trio's virtual clock, so that a later client is made at a later time."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: 1_800_000_000.0 + trio.current_time()))


async def test_a_daily_quota_lasts_from_run_to_run(autojump_clock, path):
    server = QuotaServer(100, 86_400.0)
    for run in range(3):
        async with governed(server, path) as http:
            for number in range(40):
                try:
                    with trio.fail_after(60):
                        await http.get(f"{API}{run}/{number}")
                except httpx.TimeoutException:
                    break
        await trio.sleep(3600)
    assert len(server.served) == 100
    assert server.refused == []
    usage = json.loads(path.read_text())["scopes"]["https://api.test"]
    assert usage["governor"]["quotas"]


async def test_without_the_file_the_next_run_would_be_refused(autojump_clock, path):
    server = QuotaServer(100, 86_400.0, says="retry-after")
    for _ in range(2):
        async with governed(server, None) as http, trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(http.get, f"{API}{number}")
            await trio.sleep(60)
            nursery.cancel_scope.cancel()
    assert server.refused


async def test_only_its_owner_can_read_it_and_nothing_else_is_left(autojump_clock, path, tmp_path):
    async with governed(QuotaServer(), path) as http:
        await http.get(API)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(found.name for found in tmp_path.iterdir()) == ["quotas.json", "quotas.json.lock"]
    assert json.loads(path.read_text())["clean"] is True


async def test_the_file_is_also_written_while_the_client_is_open_but_not_often(autojump_clock, path, monkeypatch):
    async def at_once(function, *arguments):  # virtual time does not wait for threads
        return function(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    written = []
    async with governed(QuotaServer(1000, 86_400), path) as http:
        for _ in range(30):
            await http.get(API)
            await trio.sleep(10)
            found = path.read_bytes()
            if found not in written:
                written.append(found)
    assert 4 <= len(written) <= 7
    assert all(json.loads(document)["clean"] is False for document in written)
    assert json.loads(path.read_text())["clean"] is True


@pytest.mark.parametrize("clean", [True, False])
async def test_after_a_run_that_was_killed_one_delay_passes_first(autojump_clock, path, clean):
    server = QuotaServer(100, 86_400.0, says="nothing")
    async with governed(server, path, delay=5) as http:
        await http.get(API)
        killed = http._state_file.encode(clean=False)  # the content while the client is open
    if not clean:
        path.write_bytes(killed)
    await trio.sleep(61)
    started = trio.current_time()
    async with governed(server, path, delay=5) as http:
        await http.get(API)
        assert trio.current_time() - started == pytest.approx(0 if clean else 5, abs=0.02)
    assert len(server.served) == 2


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "is damaged, or not a state file"),
        (b'{"format": "crawler limits", "vers', "is damaged, or not a state file"),
        (b"[1, 2]", "is not a state file"),
        (b'{"name": "package.json"}', "is not a state file"),
        (b'{"format": "crawler limits", "version": 1, "scopes": 7}', "is not a state file"),
        (b'{"format": "crawler limits", "version": 99, "scopes": {}}', "has version 99, not 1"),
        (b"\xff\xfe\x00", "is damaged, or not a state file"),
    ],
)
async def test_a_damaged_or_foreign_file_is_refused_and_left_alone(autojump_clock, path, document, words):
    path.write_bytes(document)
    with pytest.raises(ConfigError, match=words) as caught:
        async with governed(QuotaServer(), path):
            pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == document


async def test_odd_values_in_it_are_ignored(autojump_clock, path):
    scopes = {"https://api.test": {"next_start": "soon", "governor": 7, "concurrency": [], "rates": {}}, "b": 7}
    path.write_text(json.dumps({"format": "crawler limits", "version": 1, "clean": True, "scopes": scopes}))
    async with governed(QuotaServer(), path) as http:
        assert (await http.get(API)).status_code == 200


async def test_a_second_client_at_the_same_time_is_refused(autojump_clock, path):
    async with governed(QuotaServer(), path):
        with pytest.raises(ConfigError, match="is in use by another client"):
            async with governed(QuotaServer(), path):
                pass
    async with governed(QuotaServer(), path):
        pass


async def test_a_folder_that_is_not_there_is_refused(autojump_clock, tmp_path):
    with pytest.raises(ConfigError, match="cannot be opened: no such file or directory"):
        async with governed(QuotaServer(), tmp_path / "none" / "quotas.json"):
            pass


async def test_a_state_file_needs_an_open_client(autojump_clock, path):
    http = governed(QuotaServer(), path)
    with pytest.raises(RuntimeError, match="async with client"):
        await http.get(API)
    await http.aclose()
    assert not path.exists()


async def test_a_full_disk_at_the_end_is_logged_and_raises_nothing(autojump_clock, path, monkeypatch, caplog):
    async with governed(QuotaServer(), path) as http:
        await http.get(API)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
    assert caplog.messages[-1] == f"state {path} was not written: no space left on device"


async def test_scopes_that_were_not_used_are_kept(autojump_clock, path):
    async with governed(QuotaServer(), path) as http:
        await http.get(API)
    async with governed(QuotaServer(), path) as http:
        await http.get("https://other.test/")
    assert set(json.loads(path.read_text())["scopes"]) == {"https://api.test", "https://other.test"}


async def test_the_file_is_replaced_atomically(autojump_clock, path, monkeypatch):
    """A crash in the middle of writing leaves the old file."""
    limits = Limits()
    state = StateFile(path, limits)
    with state.opened(time.time()):
        before = path.read_bytes()

        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", crash)
        limits.restore({"x": {"next_start": 7.0}})
        with pytest.raises(KeyboardInterrupt):
            state.save(state.encode(clean=True))
        assert path.read_bytes() == before
        monkeypatch.undo()
        state.save(state.encode(clean=True))
        assert json.loads(path.read_bytes())["scopes"] == {"x": {"next_start": 7.0}}
