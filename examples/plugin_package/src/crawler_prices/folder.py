"""`Folder`: an output that writes each item into a file of its own."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from crawler import ConfigError, Row, Sink

__all__ = ["Folder"]


class Folder(Sink):
    """Each item in a JSON file of its own, named after its key.

    Parameters:
        path: The folder. It is created if it does not exist.
        if_exists: ``refuse`` a folder that has files, or add to it (``append``, ``overwrite``).
        job: The folder of the durable job, which continues its own output.

    Raises:
        ConfigError: The folder has files, or cannot be created.
    """

    guarantee = "exactly once: an item that comes again has the same key, and replaces its own file"

    def __init__(
        self,
        path: Path,
        *,
        if_exists: Literal["refuse", "overwrite", "append"] = "refuse",
        job: Path | None = None,
    ) -> None:
        self.path = path
        self.name = f"folder:{path}"
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot create {path}: {error.strerror}") from error
        if job is None and if_exists == "refuse" and any(path.iterdir()):
            raise ConfigError(f"{path} has files: --append adds to them")

    def persist(self, batch: Sequence[Row]) -> None:
        """Write a batch. This is a plain function, so it runs in a thread and may block."""
        for row in batch:
            name = hashlib.blake2b(row.key.encode(), digest_size=16).hexdigest()
            draft = self.path / f".{name}.new"
            draft.write_bytes(row.data + b"\n")
            draft.replace(self.path / f"{name}.json")
