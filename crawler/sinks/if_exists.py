"""`IfExists`: how an output treats a file that exists already, and `check_target`, which checks the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

from crawler.errors import ConfigError
from crawler.files import error_reason, write_refusal

__all__ = ["OTHER", "IfExists", "check_target"]

IfExists: TypeAlias = Literal["error", "overwrite", "append"]
"""How an output treats a file that exists already."""
OTHER: Final = "name another output, which gets all items of the job"
"""Advice in errors of a job whose file cannot be used."""


def check_target(path: Path, if_exists: IfExists, *, in_job: bool = False) -> None:
    """Check that a file can and may be written."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, not a file")
        if not path.parent.is_dir():
            raise ConfigError(f"no such folder: {path.parent} (for {path})")
        if path.exists():
            if if_exists == "error":
                if in_job:  # the file may hold items of the job: no advice may double them
                    raise ConfigError(
                        f"{path} exists already: {OTHER}, or --overwrite replaces it (in Python: if_exists)"
                    )
                how = "--overwrite replaces it, --append adds to it (in Python: if_exists)"
                raise ConfigError(f"{path} exists already: {how}")
            if not path.is_file():
                raise ConfigError(f"{path} is not a regular file")
        if refusal := write_refusal(path if path.exists() else path.parent):
            raise ConfigError(refusal.format(path))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error_reason(error)}") from error
