"""`QuotaEvent`: a value that names what it concerns and leaves out what is not known."""

from __future__ import annotations

import attrs
import pytest

from crawler.limits.events import QuotaEvent


def test_unknown_fields_of_an_event_are_none() -> None:
    event = QuotaEvent(kind="refused", policy="")
    assert (event.scope, event.limit, event.remaining, event.reset_at, event.breach_at, event.fits) == (
        "", None, None, None, None, None,
    )  # fmt: skip


def test_an_event_is_a_value() -> None:
    event = QuotaEvent(kind="low", policy="daily", limit=100.0, remaining=15.0)
    named = attrs.evolve(event, scope="key:A")
    assert named != event
    assert attrs.evolve(named, scope="") == event
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.kind = "critical"  # type: ignore[misc]
    with pytest.raises(TypeError):
        QuotaEvent("low", "daily")  # type: ignore[misc]
