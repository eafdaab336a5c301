"""`Suspension`: the difference of two clocks of the system."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crawler.shared import suspension as module


def test_a_suspension_is_the_difference_of_two_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {"boot": 500.0, "monotonic": 500.0}
    monkeypatch.setattr(
        module, "time",
        SimpleNamespace(CLOCK_BOOTTIME="boot", CLOCK_MONOTONIC="monotonic", clock_gettime=clocks.__getitem__),
    )  # fmt: skip
    suspension = module.Suspension()
    assert suspension() == 0.0
    clocks["boot"] += 60
    assert suspension() == 60.0
    clocks["monotonic"] += 0.05  # the process had to wait between the two readings
    assert suspension() == 60.0
    monkeypatch.setattr(module, "time", SimpleNamespace())
    assert module.Suspension()() == 0.0
