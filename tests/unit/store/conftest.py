from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job that does not exist yet."""
    return tmp_path / "job"
