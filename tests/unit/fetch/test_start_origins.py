"""The origins of start pages, and what a job keeps of them."""

from __future__ import annotations

import pytest

from crawler.fetch import start_origins
from crawler.fetch.start_origins import StartOrigins


def test_an_origin_is_scheme_host_and_port() -> None:
    origins = StartOrigins()
    origins.add_all(["https://a.test/x", "http://b.test:8080/", "nothing", 5])
    assert [origin in origins for origin in ("https://a.test", "http://b.test:8080")] == [True, True]
    assert not any(origin in origins for origin in ("http://a.test", "https://a.test:444", "http://b.test", "nothing"))


def test_new_origins_are_saved_once_and_restored() -> None:
    origins, restored = StartOrigins(), StartOrigins()
    assert origins.take_unsaved() is None
    origins.add("https://a.test/")
    data = origins.take_unsaved()
    assert data is not None
    origins.add("https://a.test/b")
    assert origins.take_unsaved() is None
    restored.restore(data)
    assert "https://a.test" in restored
    assert restored.take_unsaved() is None


def test_their_number_is_limited(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(start_origins, "MAX_ORIGINS", 2)
    origins = StartOrigins()
    origins.add_all([f"https://{n}.test/" for n in range(4)])
    assert ("https://1.test" in origins, "https://2.test" in origins) == (True, False)
    assert len(caplog.messages) == 1
    assert "https://2.test and others do not get the secret headers" in caplog.text
