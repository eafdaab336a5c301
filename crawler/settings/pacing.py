"""The setting `pacing`: how fast requests go to the hosts that a glob names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crawler.errors import ConfigError
from crawler.limits.pace import Pace
from crawler.suggest import did_you_mean

__all__ = ["paces_of"]


def paces_of(value: Any) -> dict[str, Pace]:
    """Convert the setting `pacing` to a mapping of globs to paces."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting pacing: must be a mapping of globs to Pace, not {value!r}")
    return {glob: _pace(glob, pace) for glob, pace in value.items()}


def _pace(glob: Any, value: Any) -> Pace:
    if not isinstance(glob, str):
        raise ConfigError(f"setting pacing: a glob must be text, not {glob!r}")
    if isinstance(value, Pace):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"setting pacing: {glob}: must be a Pace or a mapping of its fields, not {value!r}")
    known = [field.name for field in attrs.fields(Pace)]
    for name in value:
        if name not in known:
            raise ConfigError(f"setting pacing: {glob}: no such field: {name}{did_you_mean(name, known)}")
    try:
        return Pace(**value)
    except ValueError as error:
        raise ConfigError(f"setting pacing: {glob}: {error}") from None
