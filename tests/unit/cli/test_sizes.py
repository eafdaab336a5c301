"""Numbers of bytes with a unit."""

from __future__ import annotations

import pytest

from crawler.cli.sizes import size


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12.3e6, "12.3 MB"), (5e12, "5000.0 GB")]
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text
